// Waiting for a signal, for a thing done on another thread, or for time.
#pragma once

#include <optional>

namespace muster::cli {

/// From its making on, SIGINT and SIGTERM do not end the process but `wait`.
/// To be made before any thread is.
class Waiter {
public:
    enum class Outcome { signal, done, time_out };

    Waiter();
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    /// From any thread: what is waited for is done.
    void finish();
    /// Without `seconds`, for ever.
    Outcome wait(std::optional<double> seconds);

private:
    int signals_ = -1;
    int done_ = -1;
};

}  // namespace muster::cli
