// Waits for a signal, for another thread, or for a time-out.
#pragma once

#include <optional>

namespace muster::cli {

/// From its construction on, SIGINT, SIGTERM and SIGHUP end wait() instead of the process. Construct it before any
/// thread starts, because threads inherit the blocked signals.
class Waiter {
public:
    enum class Outcome { signal, done, time_out, unread };  // unread: standard output has no reader any more

    Waiter();
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Readable when a signal has arrived.
    [[nodiscard]] int signals() const { return signals_; }
    /// Makes wait() return `done`. Any thread.
    void finish() const;
    /// Without `seconds` it waits for ever. `done` wins over what happens at the same time.
    Outcome wait(std::optional<double> seconds);
    /// The exit status of a command that ends for this reason.
    static int status_of(Outcome outcome);

private:
    int signals_ = -1;
    int done_ = -1;
};

}  // namespace muster::cli
