// The time of the core. Every event contains it; the core never asks a clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace muster::cluster {

struct CoreClock {
    using duration = std::chrono::microseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<CoreClock>;
    static constexpr bool is_steady = true;
};

/// A point on the node's own steady clock, in microseconds. Instants of different nodes are never compared.
using Instant = CoreClock::time_point;
using Duration = CoreClock::duration;

/// The longest timeout of a call; a longer one is shortened to this.
inline constexpr Duration kLongestWait = std::chrono::hours(24);

/// Rounded down; 0 if negative.
constexpr std::uint64_t milliseconds_of(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

/// A time that a message names: at most kLongestWait.
constexpr Duration duration_of(std::uint64_t ms) {
    return std::chrono::milliseconds(std::min(ms, milliseconds_of(kLongestWait)));
}

inline constexpr Instant kNever = Instant::max();
/// Before everything that can have happened. Differences to it do not overflow.
inline constexpr Instant kLongAgo = Instant{} - std::chrono::hours(24 * 365);

}  // namespace muster::cluster
