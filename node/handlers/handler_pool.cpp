#include "node/handlers/handler_pool.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "node/io/busy_poll.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::node {
namespace {

using Clock = std::chrono::steady_clock;

thread_local const Strand* current_strand = nullptr;
thread_local std::atomic<std::uint64_t>* current_calls = nullptr;

}  // namespace

bool Strand::is_current() const {
    return current_strand == this;
}

HandlerPool::HandlerPool(const Options& options) : state_(std::make_shared<State>(options)) {
    const SignalsBlocked blocked;
    const std::lock_guard lock(state_->mutex);
    for (std::size_t i = 0; i < options.threads; ++i) start_worker(state_);
    keeper_ = std::thread([state = state_] { keep(state); });
}

HandlerPool::~HandlerPool() {
    stop();
}

void HandlerPool::schedule(std::shared_ptr<Strand> strand) {
    bool for_worker = false;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->stopped) return;
        state_->put(std::move(strand));
        if (state_->ready.size() <= state_->looking) return;
        for_worker = state_->idle != 0;
        if (!for_worker && state_->ready.size() != 1) return;
    }
    // Without the lock, which who wakes takes first.
    (for_worker ? state_->work : state_->trouble).notify_one();
}

void HandlerPool::stop() {
    std::deque<std::shared_ptr<Strand>> dropped;  // destroyed without the lock: handlers may hold anything
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopped = true;
        state_->has_news = true;
        dropped.swap(state_->ready);
    }
    state_->work.notify_all();
    state_->trouble.notify_one();
    if (keeper_.joinable()) keeper_.join();
    // The keeper has ended, and no worker moves itself any more.
    for (auto* list : {&state_->ended, &state_->workers}) {
        for (auto& [thread, calls] : *list) {
            if (!thread.joinable()) continue;
            // A handler may end its own node; no thread can wait for itself.
            if (thread.get_id() == std::this_thread::get_id())
                thread.detach();
            else
                thread.join();
        }
    }
}

std::size_t HandlerPool::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->workers.size();
}

void HandlerPool::call_ended() {
    if (current_calls)
        current_calls->store(current_calls->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// ---- a worker --------------------------------------------------------------------

/// False when the system has no more threads to give.
bool HandlerPool::start_worker(const std::shared_ptr<State>& state) {
    const auto self = state->workers.emplace(state->workers.end());
    try {
        self->thread = std::thread([state, self] { run(*state, self); });
    } catch (const std::system_error&) {
        state->workers.erase(self);
        if (state->workers.size() < state->options.threads) throw;
        return false;
    }
    ++state->idle;
    return true;
}

void HandlerPool::run(State& state, Workers::iterator self) {
    current_calls = &self->calls;
    Lock lock(state.mutex);
    while (wait_for_work(state, lock)) {
        run_one(state, lock);
        ++state.idle;
    }
    if (state.stopped) return;
    state.ended.splice(state.ended.end(), state.workers, self);
    state.trouble.notify_one();
}

/// False when this worker is to end; it counts as idle no longer.
bool HandlerPool::wait_for_work(State& state, Lock& lock) {
    look_for_work(state, lock);
    state.work.wait(lock, [&] { return state.stopped || !state.ready.empty() || state.leaving != 0; });
    --state.idle;
    state.least_idle = std::min(state.least_idle, state.idle);
    if (state.stopped) return false;
    if (!state.ready.empty()) return true;
    --state.leaving;
    return false;
}

/// One worker at a time stays awake for a while; it is found without being woken.
void HandlerPool::look_for_work(State& state, Lock& lock) {
    if (state.options.busy_poll.count() == 0 || state.looking != 0 || state.stopped || !state.ready.empty()) return;
    ++state.looking;
    lock.unlock();
    busy_poll(state.options.busy_poll, [&] { return state.has_news.load(std::memory_order_relaxed); });
    lock.lock();
    --state.looking;
}

void HandlerPool::run_one(State& state, Lock& lock) {
    auto strand = state.take();
    if (state.is_short()) state.trouble.notify_one();
    lock.unlock();
    current_strand = strand.get();
    const bool more = strand->run_batch();
    current_strand = nullptr;
    lock.lock();
    if (more && !state.stopped) {
        state.put(std::move(strand));
    } else if (strand) {
        // Its last owner may be this one: the handler's captures must not be destroyed under the lock.
        lock.unlock();
        strand.reset();
        lock.lock();
    }
}

// ---- the keeper ------------------------------------------------------------------

void HandlerPool::State::put(std::shared_ptr<Strand> strand) {
    ready.push_back(std::move(strand));
    has_news.store(true, std::memory_order_relaxed);
}

std::shared_ptr<Strand> HandlerPool::State::take() {
    auto strand = std::move(ready.front());
    ready.pop_front();
    has_news.store(!ready.empty(), std::memory_order_relaxed);
    return strand;
}

bool HandlerPool::State::is_short() const {
    return idle == 0 && !ready.empty() && workers.size() < options.max_threads;
}

std::uint64_t HandlerPool::State::calls() const {
    std::uint64_t sum = 0;
    for (const auto& worker : workers) sum += worker.calls.load(std::memory_order_relaxed);
    return sum;
}

void HandlerPool::keep(const std::shared_ptr<State>& state) {
    Lock lock(state->mutex);
    auto look = Clock::now();
    while (!state->stopped) {
        const auto wanted = [&] { return state->stopped || !state->ended.empty() || state->is_short(); };
        if (state->workers.size() > state->options.threads)
            state->trouble.wait_until(lock, look, wanted);
        else
            state->trouble.wait(lock, wanted);
        join_ended(*state, lock);
        const bool grown = state->is_short() && grow_if_stuck(state, lock);
        if (!grown && Clock::now() < look) continue;
        if (!grown) shrink(*state);
        look = Clock::now() + state->options.linger;
    }
}

/// Doubles the workers, so that many handlers that block at once are got around soon.
bool HandlerPool::grow_if_stuck(const std::shared_ptr<State>& state, Lock& lock) {
    const std::uint64_t before = state->calls();
    state->trouble.wait_for(lock, state->options.patience, [&] { return state->stopped; });
    if (state->stopped || !state->is_short() || state->calls() != before) return false;
    const std::size_t now = state->workers.size();
    const std::size_t more = std::min({now, state->ready.size(), state->options.max_threads - now});
    for (std::size_t i = 0; i < more && start_worker(state); ++i) continue;
    state->least_idle = 0;
    return true;
}

/// Ends the workers that were idle all the time since the last look.
void HandlerPool::shrink(State& state) {
    const std::size_t extra = state.workers.size() - std::min(state.workers.size(), state.options.threads);
    state.leaving = std::min(state.least_idle, extra);
    state.least_idle = state.idle - state.leaving;
    if (state.leaving != 0) state.work.notify_all();
}

void HandlerPool::join_ended(State& state, Lock& lock) {
    Workers ended;
    ended.swap(state.ended);
    if (ended.empty()) return;
    lock.unlock();
    for (auto& worker : ended) worker.thread.join();
    lock.lock();
}

}  // namespace muster::node
