// Waits for a signal, for another thread, or for a time-out.
#pragma once

#include <optional>

namespace muster::cli {

/// From its construction on, SIGINT and SIGTERM end wait() instead of the process. Construct it before any thread
/// starts, because threads inherit the blocked signals.
class Waiter {
public:
    enum class Outcome { signal, done, time_out };

    Waiter();
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// Makes wait() return `done`. Any thread.
    void finish();
    /// Without `seconds` it waits for ever. `done` wins over a signal that arrived at the same time.
    Outcome wait(std::optional<double> seconds);

private:
    int signals_ = -1;
    int done_ = -1;
};

}  // namespace muster::cli
