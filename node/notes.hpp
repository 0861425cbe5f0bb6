// The core's notes as lines of the log.
#pragma once

#include <muster/log_line.hpp>

#include "cluster/action.hpp"

namespace muster::node {

/// For example "node b is down: restarted", with event "node_down" and the fields node and detail.
LogLine to_line(const cluster::Note& note);

}  // namespace muster::node
