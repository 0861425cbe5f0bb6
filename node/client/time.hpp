// Time as the client's pure parts see it: handed in, never asked for.
#pragma once

#include <chrono>

namespace muster::client {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

}  // namespace muster::client
