// The clocks, in the core's type of time.
#pragma once

#include <chrono>
#include <ctime>

#include "cluster/time.hpp"

namespace muster::node {

inline cluster::Instant now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return cluster::Instant(std::chrono::duration_cast<cluster::Duration>(since));
}

/// The time for which a processor has run the calling thread.
inline std::chrono::nanoseconds cpu_time() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace muster::node
