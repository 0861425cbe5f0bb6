// Time in the client. Classes that are called pure get it as an argument and never ask a clock.
#pragma once

#include <chrono>

namespace muster::client {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

}  // namespace muster::client
