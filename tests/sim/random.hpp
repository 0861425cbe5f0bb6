// A small seeded generator: the same draws on every machine and standard library.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/time.hpp"

namespace muster::sim {

using cluster::Duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// One step of splitmix64; also serves as a hash of a number.
constexpr std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(mix(seed)) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        return mix(state_);
    }
    /// 0 … bound - 1; `bound` is not 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    /// first … last, both included.
    std::uint64_t between(std::uint64_t first, std::uint64_t last) { return first + below(last - first + 1); }
    bool permille(std::uint64_t of_thousand) { return below(1000) < of_thousand; }
    Duration within(Duration first, Duration last) {
        return Duration(static_cast<Duration::rep>(
            between(static_cast<std::uint64_t>(first.count()), static_cast<std::uint64_t>(last.count()))));
    }
    template <class T>
    T& pick(std::vector<T>& from) {
        return from[below(from.size())];
    }
    template <class T>
    const T& pick(const std::vector<T>& from) {
        return from[below(from.size())];
    }
    /// A generator of its own, so that draws of one part do not shift those of another.
    Random fork() { return Random(next()); }

private:
    std::uint64_t state_;
};

}  // namespace muster::sim
