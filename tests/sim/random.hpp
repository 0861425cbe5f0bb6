// The draws of the simulator, from the generator of the core: the same on every machine and standard library.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/base/random.hpp"

namespace muster::sim {

using cluster::Duration;
using cluster::mix64;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Random {
public:
    explicit Random(std::uint64_t seed) : generator_(mix64(seed)) {}

    std::uint64_t next() { return generator_.next(); }
    /// 0 … bound - 1; `bound` is not 0. Unlike that of the core, it takes bounds beyond 2^32.
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
    cluster::Random generator_;
};

}  // namespace muster::sim
