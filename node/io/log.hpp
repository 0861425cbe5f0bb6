// How parts of a node write to its log.
#pragma once

#include <muster/log_line.hpp>

#include <functional>

namespace muster::node {

using Log = std::function<void(LogLine)>;

}  // namespace muster::node
