// What is asked of the allocator while a Counting lives. One thread.
#pragma once

#include <cstddef>

namespace muster::proto::test {

/// Counts from its construction on; the counts of nested ones include each other.
class Counting {
public:
    Counting();
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;
    ~Counting();
    /// Bytes asked for so far, those freed since included.
    [[nodiscard]] std::size_t bytes() const;

private:
    std::size_t before_;
};

}  // namespace muster::proto::test
