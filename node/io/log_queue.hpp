// The queue between the threads that log and the one that writes.
#pragma once

#include <muster/log_line.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "node/io/line_limiter.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::node {

struct LogCounts {
    std::atomic<std::uint64_t> held_back = 0;  // lines beyond the rate of LineLimiter
    std::atomic<std::uint64_t> dropped = 0;    // lines beyond LogQueue::kMost, because `write` is slow
    std::atomic<std::uint64_t> threw = 0;      // exceptions of `write`
};

/// Passes lines to `write` on a thread of its own, which starts with the first line. A `write` that blocks (nobody
/// reads standard error, a terminal is stopped) blocks only this thread. When kMost lines wait, further ones are
/// dropped and counted, and a line in their place says how many. Thread-safe.
class LogQueue {
public:
    using Write = std::function<void(const LogLine&)>;
    static constexpr std::size_t kMost = 1024;
    static constexpr std::chrono::milliseconds kPatience{500};

    /// `write`: empty discards all lines. It runs with the signal mask of the thread that constructs this object.
    LogQueue(Write write, std::shared_ptr<LogCounts> counts);
    /// Same as close().
    ~LogQueue();
    LogQueue(const LogQueue&) = delete;
    LogQueue& operator=(const LogQueue&) = delete;

    /// Never waits for `write`. Sets the line's time if it has none.
    void push(LogLine line);
    /// Waits until all lines are written, but no longer than kPatience, and not at all if `write` calls it. The thread
    /// may then still be in `write`, which it owns; it ends when `write` returns. Further lines are discarded.
    void close();

private:
    struct Entry {
        LogLine line;
        std::uint64_t dropped = 0;  // if not 0, the entry stands for so many dropped lines
    };
    struct State {
        Write write;
        std::shared_ptr<LogCounts> counts;
        SignalMask signals = SignalMask::of_this_thread();
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<Entry> entries;
        LineLimiter limiter;
        bool closed = false;
        bool ended = false;
    };
    void start_thread();
    static void drop(State& state, LogLine&& line);
    static void run(State& state);

    const std::shared_ptr<State> state_ = std::make_shared<State>();
    std::thread thread_;  // under the lock
};

}  // namespace muster::node
