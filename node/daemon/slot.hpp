// Bounds how many run at the same time.
#pragma once

#include <atomic>
#include <cstddef>

namespace muster::daemon {

/// Holds one of `most` slots for the scope, if one is free.
class Slot {
public:
    Slot(std::atomic<std::size_t>& used, std::size_t most) : used_(used), has_(++used <= most) {}
    ~Slot() { --used_; }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    explicit operator bool() const { return has_; }

private:
    std::atomic<std::size_t>& used_;
    const bool has_;
};

}  // namespace muster::daemon
