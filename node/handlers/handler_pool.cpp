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
    try {
        const std::lock_guard lock(state_->mutex);
        for (std::size_t i = 0; i < options.threads; ++i) start_thread(state_);
        keeper_ = std::thread([state = state_] { keep(state); });
    } catch (const std::system_error&) {
        stop();
        throw;
    }
}

HandlerPool::~HandlerPool() {
    stop();
}

void HandlerPool::schedule(std::shared_ptr<Strand> strand) {
    bool for_thread = false;
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->stopped) return;
        state_->put(std::move(strand));
        if (state_->ready.size() <= state_->polling) return;  // a polling thread takes it
        for_thread = state_->idle != 0;
        if (!for_thread && state_->ready.size() != 1) return;  // the keeper was notified of the first one
    }
    // Unlocked: the thread that wakes takes the lock first.
    (for_thread ? state_->work : state_->keeper_wakeup).notify_one();
}

void HandlerPool::stop() {
    std::deque<std::shared_ptr<Strand>> dropped;  // destroyed unlocked: handlers may own anything
    {
        const std::lock_guard lock(state_->mutex);
        state_->stopped = true;
        state_->stop_polling = true;
        dropped.swap(state_->ready);
    }
    state_->work.notify_all();
    state_->keeper_wakeup.notify_one();
    if (keeper_.joinable()) keeper_.join();
    // The keeper has ended, and threads no longer move themselves to `ended`.
    for (auto* list : {&state_->ended, &state_->threads}) {
        for (auto& [thread, calls] : *list) {
            if (!thread.joinable()) continue;
            // A handler may destroy its own node; a thread cannot join itself.
            if (thread.get_id() == std::this_thread::get_id())
                thread.detach();
            else
                thread.join();
        }
    }
}

std::size_t HandlerPool::threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->threads.size();
}

void HandlerPool::call_ended() {
    if (current_calls)
        current_calls->store(current_calls->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// ---- one thread ------------------------------------------------------------------

/// False if the system refuses another thread.
bool HandlerPool::start_thread(const std::shared_ptr<State>& state) {
    const auto self = state->threads.emplace(state->threads.end());
    try {
        self->thread = std::thread([state, self] { run(*state, self); });
    } catch (const std::system_error&) {
        state->threads.erase(self);
        if (state->threads.size() < state->options.threads) throw;
        return false;
    }
    ++state->idle;
    return true;
}

void HandlerPool::run(State& state, Threads::iterator self) {
    current_calls = &self->calls;
    Lock lock(state.mutex);
    while (wait_for_work(state, lock)) {
        // For as long as there is work: for each strand, it would cost more than a quick handler.
        const ScopedSignalMask of_user(state.signals);
        do {
            run_one(state, lock);
        } while (!state.stopped && !state.ready.empty());
        ++state.idle;
    }
    if (state.stopped) return;
    state.ended.splice(state.ended.end(), state.threads, self);
    state.keeper_wakeup.notify_one();
}

/// False if this thread must end. The thread no longer counts as idle afterwards.
bool HandlerPool::wait_for_work(State& state, Lock& lock) {
    poll_for_work(state, lock);
    state.work.wait(lock, [&] { return state.stopped || !state.ready.empty() || state.to_end != 0; });
    --state.idle;
    state.least_idle = std::min(state.least_idle, state.idle);
    if (state.stopped) return false;
    if (!state.ready.empty()) return true;
    --state.to_end;
    return false;
}

/// One thread at a time polls before it sleeps. It finds a strand without being woken.
void HandlerPool::poll_for_work(State& state, Lock& lock) {
    if (state.options.busy_poll.count() == 0 || state.polling != 0 || state.stopped || !state.ready.empty()) return;
    ++state.polling;
    lock.unlock();
    busy_poll(state.options.busy_poll, [&] { return state.stop_polling.load(std::memory_order_relaxed); });
    lock.lock();
    --state.polling;
}

void HandlerPool::run_one(State& state, Lock& lock) {
    auto strand = state.take();
    if (state.is_short()) state.keeper_wakeup.notify_one();
    lock.unlock();
    current_strand = strand.get();
    const bool more = strand->run_batch();
    current_strand = nullptr;
    lock.lock();
    if (more && !state.stopped) {
        state.put(std::move(strand));
    } else if (strand) {
        // This may be the last owner: the handler's captures must not be destroyed under the lock.
        lock.unlock();
        strand.reset();
        lock.lock();
    }
}

// ---- the keeper ------------------------------------------------------------------

void HandlerPool::State::put(std::shared_ptr<Strand> strand) {
    ready.push_back(std::move(strand));
    stop_polling.store(true, std::memory_order_relaxed);
}

std::shared_ptr<Strand> HandlerPool::State::take() {
    auto strand = std::move(ready.front());
    ready.pop_front();
    stop_polling.store(!ready.empty(), std::memory_order_relaxed);
    return strand;
}

bool HandlerPool::State::is_short() const {
    return idle == 0 && !ready.empty() && threads.size() < options.max_threads;
}

std::uint64_t HandlerPool::State::calls() const {
    std::uint64_t sum = 0;
    for (const auto& thread : threads) sum += thread.calls.load(std::memory_order_relaxed);
    return sum;
}

void HandlerPool::keep(const std::shared_ptr<State>& state) {
    Lock lock(state->mutex);
    auto next_shrink = Clock::now();
    while (!state->stopped) {
        const auto wanted = [&] { return state->stopped || !state->ended.empty() || state->is_short(); };
        if (state->threads.size() > state->options.threads)
            state->keeper_wakeup.wait_until(lock, next_shrink, wanted);
        else
            state->keeper_wakeup.wait(lock, wanted);
        join_ended(*state, lock);
        const bool grown = state->is_short() && grow_if_stuck(state, lock);
        if (!grown && Clock::now() < next_shrink) continue;
        if (!grown) shrink(*state);
        next_shrink = Clock::now() + state->options.linger;
    }
}

/// Starts as many threads as there are, so that even many blocked handlers soon no longer delay others.
bool HandlerPool::grow_if_stuck(const std::shared_ptr<State>& state, Lock& lock) {
    // A call that returns in this time shows that a thread is busy, not blocked; then more threads would not help.
    const std::uint64_t before = state->calls();
    state->keeper_wakeup.wait_for(lock, state->options.patience, [&] { return state->stopped; });
    if (state->stopped || !state->is_short() || state->calls() != before) return false;
    const std::size_t now = state->threads.size();
    const std::size_t more = std::min({now, state->ready.size(), state->options.max_threads - now});
    for (std::size_t i = 0; i < more && start_thread(state); ++i) continue;
    state->least_idle = 0;
    return true;
}

/// Ends threads beyond Options::threads that were idle since the previous call.
void HandlerPool::shrink(State& state) {
    const std::size_t extra = state.threads.size() - std::min(state.threads.size(), state.options.threads);
    state.to_end = std::min(state.least_idle, extra);
    state.least_idle = state.idle - state.to_end;
    if (state.to_end != 0) state.work.notify_all();
}

void HandlerPool::join_ended(State& state, Lock& lock) {
    Threads ended;
    ended.swap(state.ended);
    if (ended.empty()) return;
    lock.unlock();
    for (auto& ended_one : ended) ended_one.thread.join();
    lock.lock();
}

}  // namespace muster::node
