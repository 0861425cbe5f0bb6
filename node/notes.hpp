// The core's notes as lines of a log.
#pragma once

#include <muster/log_line.hpp>

#include "cluster/action.hpp"

namespace muster::node {

/// "node b is down: …" and the like.
LogLine to_line(const cluster::Note& note);

}  // namespace muster::node
