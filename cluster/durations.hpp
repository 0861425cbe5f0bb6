// Durations that a core measures, from the times of its events.
#pragma once

#include <muster/histogram.hpp>

namespace muster::cluster {

struct Durations {
    Histogram report;    // from a notify call that waits to its report
    Histogram delivery;  // from when a notification enters a worker's stream until the worker has handled it
    Histogram repair;    // from when a table falls behind until it has everything that is known of
};

}  // namespace muster::cluster
