// Memory shared by the processes of a benchmark, so that no bookkeeping crosses muster's own sockets.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace muster::bench {

/// A count with one writer, on a cache line of its own.
struct alignas(64) Slot {
    std::atomic<std::uint64_t> count = 0;

    /// By the only writer: no locked instruction, so that counting costs next to nothing.
    void add_one() { count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
};

class Page {
public:
    static constexpr std::size_t kSlots = 1024;

    /// A fresh page, all counts 0. Its descriptor is inherited by children.
    Page();
    /// The page behind an inherited descriptor.
    explicit Page(int fd);
    ~Page();
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    Slot& slot(std::size_t i) { return slots_[i]; }

    void clear();
    /// Over the first `slots` slots.
    [[nodiscard]] std::uint64_t least(std::size_t slots) const;
    [[nodiscard]] std::uint64_t most(std::size_t slots) const;
    [[nodiscard]] std::uint64_t sum(std::size_t slots) const;

private:
    int fd_;
    Slot* slots_;
};

}  // namespace muster::bench
