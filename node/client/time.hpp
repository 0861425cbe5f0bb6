// Time in the client. Classes that are called pure get it as an argument and never ask a clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace muster::client {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

/// How long a node may wait for a call that has so much time, in ms. The rest (a tenth, at most 200 ms) is for the way
/// of its answer.
inline std::uint64_t time_for_node(Duration time) {
    const auto all = std::chrono::duration_cast<std::chrono::milliseconds>(time);
    return static_cast<std::uint64_t>((all - std::min(all / 10, std::chrono::milliseconds(200))).count());
}

}  // namespace muster::client
