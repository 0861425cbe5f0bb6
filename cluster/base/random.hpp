// The core's only source of randomness: seeded, part of its state, and equal on every machine, so that a run of the
// simulator can be repeated.
#pragma once

#include <cstdint>

#include "cluster/time.hpp"

namespace muster::cluster {

/// One step of SplitMix64: every bit of `x` affects every bit of the result. Also a hash of numbers; the digests of
/// PROTOCOL.md, "Snapshots", use it as `mix`.
constexpr std::uint64_t mix64(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/// SplitMix64. Not for secrets: one number tells all later ones (see Options::secret).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        return mix64(state_);
    }
    /// A number from 0 to n - 1. n must be from 1 to 2^32.
    std::uint64_t below(std::uint64_t n) {
        return (next() >> 32) * n >> 32;  // biased by less than n / 2^32
    }
    /// Between 3/4 and 5/4 of `d`, so that nodes that started together do not act together for ever.
    Duration jitter(Duration d) {
        const auto quarter = static_cast<std::uint64_t>(d.count() / 4);
        return d - Duration(quarter) + Duration(below(2 * quarter + 1));
    }

private:
    std::uint64_t state_;
};

}  // namespace muster::cluster
