// Ends the loop's poll from another thread.
#pragma once

namespace muster::node {

/// An eventfd. Any thread may call notify(); the other calls belong to the thread that polls.
class Wakeup {
public:
    Wakeup();
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    /// Makes the descriptor readable.
    void notify() noexcept;
    /// Makes it unreadable until the next notify().
    void clear() noexcept;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

}  // namespace muster::node
