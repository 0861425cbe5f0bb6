// A histogram of durations.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace muster {

/// Counts durations by length. A plain value; not thread-safe.
class Histogram {
public:
    using Duration = std::chrono::microseconds;

    /// Inclusive upper bounds of the buckets. The last bucket has no bound.
    static constexpr std::array kBounds{
        Duration(10),        Duration(25),        Duration(50),        Duration(100),        Duration(250),
        Duration(500),       Duration(1'000),     Duration(2'500),     Duration(5'000),      Duration(10'000),
        Duration(25'000),    Duration(50'000),    Duration(100'000),   Duration(250'000),    Duration(500'000),
        Duration(1'000'000), Duration(2'500'000), Duration(5'000'000), Duration(10'000'000), Duration(30'000'000),
        Duration(60'000'000)};
    static constexpr std::size_t kBuckets = kBounds.size() + 1;

    void add(Duration took) {
        const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), took) - kBounds.begin();
        ++counts_[static_cast<std::size_t>(bucket)];
        sum_ += took;
    }

    /// The count of each bucket, not cumulative.
    [[nodiscard]] const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }
    /// The sum of all durations.
    [[nodiscard]] Duration sum() const { return sum_; }

    bool operator==(const Histogram&) const = default;

private:
    std::array<std::uint64_t, kBuckets> counts_{};
    Duration sum_{};
};

}  // namespace muster
