#include "node/io/log_queue.hpp"

#include <string>
#include <system_error>
#include <utility>

namespace muster::node {
namespace {

LogLine dropped_line(std::uint64_t count, std::chrono::system_clock::time_point time) {
    const auto number = std::to_string(count);
    return {2,
            "log_lines_dropped",
            number + " lines of the log were dropped here: they are not read as fast as they are written",
            {{"dropped", number}},
            time};
}

}  // namespace

LogQueue::LogQueue(Write write, std::shared_ptr<LogCounts> counts) {
    state_->write = std::move(write);
    state_->counts = std::move(counts);
}

LogQueue::~LogQueue() {
    close();
}

void LogQueue::push(LogLine line) {
    const std::lock_guard lock(state_->mutex);
    if (!state_->write || state_->closed) return;
    auto taken = state_->limiter.take(std::move(line), std::chrono::steady_clock::now());
    if (!taken) {
        ++state_->counts->held_back;
        return;
    }
    if (taken->time == std::chrono::system_clock::time_point{}) taken->time = std::chrono::system_clock::now();
    if (state_->entries.size() >= kMost) return drop(*state_, std::move(*taken));
    state_->entries.push_back({std::move(*taken)});
    start_thread();
    state_->changed.notify_all();
}

void LogQueue::drop(State& state, LogLine&& line) {
    ++state.counts->dropped;
    if (state.entries.empty() || state.entries.back().dropped == 0) state.entries.push_back({std::move(line)});
    ++state.entries.back().dropped;
}

/// If the system refuses a thread, the lines wait for the next attempt.
void LogQueue::start_thread() {
    if (thread_.joinable()) return;
    const SignalsBlocked blocked;
    try {
        thread_ = std::thread([state = state_] { run(*state); });
    } catch (const std::system_error&) {
        return;
    }
}

void LogQueue::close() {
    std::unique_lock lock(state_->mutex);
    if (!std::exchange(state_->closed, true) && !state_->entries.empty()) start_thread();
    state_->changed.notify_all();
    if (!thread_.joinable()) return;
    const bool is_own = thread_.get_id() == std::this_thread::get_id();
    const bool ended = !is_own && state_->changed.wait_for(lock, kPatience, [&] { return state_->ended; });
    if (!thread_.joinable()) return;  // another thread closed it meanwhile
    auto thread = std::exchange(thread_, {});
    lock.unlock();
    if (ended)
        thread.join();
    else
        thread.detach();
}

void LogQueue::run(State& state) {
    std::unique_lock lock(state.mutex);
    for (;;) {
        state.changed.wait(lock, [&] { return state.closed || !state.entries.empty(); });
        if (state.entries.empty()) break;
        Entry next = std::move(state.entries.front());
        state.entries.pop_front();
        lock.unlock();
        if (next.dropped != 0) next.line = dropped_line(next.dropped, next.line.time);
        try {
            const ScopedSignalMask of_user(state.signals);
            state.write(next.line);
        } catch (...) {
            ++state.counts->threw;
        }
        lock.lock();
    }
    state.ended = true;
    state.changed.notify_all();
}

}  // namespace muster::node
