// How sockets pass events to the core.
#pragma once

#include <functional>

#include "cluster/event.hpp"

namespace muster::node {

/// Steps the core with one event. Called on the loop's thread.
using Emit = std::function<void(cluster::EventBody)>;

}  // namespace muster::node
