// Interrupts the loop's poll from another thread.
#pragma once

namespace muster::node {

/// An eventfd. `notify` may be called from any thread, the rest from the loop.
class Wakeup {
public:
    Wakeup();
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    void notify() noexcept;
    /// Until the next notify, the descriptor is not readable any more.
    void clear() noexcept;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace muster::node
