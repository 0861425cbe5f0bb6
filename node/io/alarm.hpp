// Ends the loop's poll after less than a millisecond.
#pragma once

#include <chrono>

namespace muster::node {

/// A timerfd. zmq_poll() takes its timeout in milliseconds, which is too coarse for the core's shortest timers. Used by
/// the loop's thread only.
class Alarm {
public:
    Alarm();
    ~Alarm();
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    /// Makes the descriptor readable once, after `delay`, which must be positive.
    void set(std::chrono::nanoseconds delay) noexcept;
    /// Stops the timer. The descriptor is not readable until it is set again.
    void clear() noexcept;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace muster::node
