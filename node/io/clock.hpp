// The steady clock, in the core's type of time.
#pragma once

#include <chrono>

#include "cluster/time.hpp"

namespace muster::node {

inline cluster::Instant now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return cluster::Instant(std::chrono::duration_cast<cluster::Duration>(since));
}

}  // namespace muster::node
