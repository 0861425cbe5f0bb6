#include "node/handlers.hpp"

#include <utility>

namespace muster::node {
namespace {

thread_local const Strand* current_strand = nullptr;

}  // namespace

bool Strand::is_current() const {
    return current_strand == this;
}

HandlerPool::HandlerPool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([state = state_] { run(*state); });
}

HandlerPool::~HandlerPool() {
    stop();
}

void HandlerPool::schedule(std::shared_ptr<Strand> strand) {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopped) return;
    state_->ready.push_back(std::move(strand));
    if (state_->idle != 0) state_->work.notify_one();
}

void HandlerPool::stop() {
    std::deque<std::shared_ptr<Strand>> dropped;  // destroyed without the lock: handlers may hold anything
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopped = true;
        dropped.swap(state_->ready);
    }
    state_->work.notify_all();
    for (auto& thread : threads_) {
        if (!thread.joinable()) continue;
        // A handler may end its own node; no thread can wait for itself.
        if (thread.get_id() == std::this_thread::get_id())
            thread.detach();
        else
            thread.join();
    }
}

void HandlerPool::run(State& state) {
    std::unique_lock lock(state.mutex);
    for (;;) {
        ++state.idle;
        state.work.wait(lock, [&] { return state.stopped || !state.ready.empty(); });
        --state.idle;
        if (state.stopped) return;
        auto strand = std::move(state.ready.front());
        state.ready.pop_front();
        lock.unlock();
        current_strand = strand.get();
        const bool more = strand->run_batch();
        current_strand = nullptr;
        lock.lock();
        if (more && !state.stopped) {
            state.ready.push_back(std::move(strand));
        } else if (strand) {
            // Its last owner may be this one: the handler's captures must not be destroyed under the lock.
            lock.unlock();
            strand.reset();
            lock.lock();
        }
    }
}

}  // namespace muster::node
