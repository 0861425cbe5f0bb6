// Ends the loop's poll within less than the millisecond that poll counts in.
#pragma once

#include <chrono>

namespace muster::node {

/// A timerfd. The loop's alone.
class Alarm {
public:
    Alarm();
    ~Alarm();
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    /// The descriptor becomes readable once, after `delay`, which is more than nothing.
    void set(std::chrono::nanoseconds delay) noexcept;
    /// It is not readable any more, and will not be.
    void clear() noexcept;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace muster::node
