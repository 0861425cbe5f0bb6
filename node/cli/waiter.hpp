// Waits for a signal, for another thread, or for a time-out.
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

namespace muster::cli {

/// From its construction on, these signals end wait() instead of the process, unless they are ignored. Construct it
/// before any other thread starts, because threads inherit the blocked signals.
///
/// What should end wait() always ends the process: a thread of the Waiter ends it kLastLines later, with status 1, if
/// the Waiter still lives then. So a write that nobody reads keeps no command from ending, whatever thread it blocks.
class Waiter {
public:
    enum class Outcome { signal, done, time_out, unread };  // unread: standard output has no reader any more
    static constexpr std::chrono::seconds kLastLines{2};

    explicit Waiter(const std::vector<int>& ending = {SIGINT, SIGTERM, SIGHUP});
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Readable when a signal has arrived.
    [[nodiscard]] int signals() const { return signals_; }
    /// Makes wait() return `done`. Any thread.
    void finish() const;
    /// Makes wait() return `time_out` so many seconds from now. Without `seconds` it has no effect.
    void expire_after(std::optional<double> seconds) const;
    /// `done` wins over what happens at the same time.
    [[nodiscard]] Outcome wait() const;
    /// The exit status of a command that ends for this reason.
    static int status_of(Outcome outcome);

private:
    void bound_the_end() const;

    const int signals_;
    const int done_;
    const int timer_;
    const int over_;  // readable when the destructor runs
    std::thread bounding_;
};

}  // namespace muster::cli
