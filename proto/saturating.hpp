// Arithmetic with numbers that others tell: what does not fit is the largest number, and never a small one.
#pragma once

#include <cstdint>

namespace muster::proto {

constexpr std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

constexpr std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

}  // namespace muster::proto
