// What a core measures: how long things took, by the times of its events.
#pragma once

#include <muster/histogram.hpp>

namespace muster::cluster {

struct Durations {
    Histogram report;    // from a notify call that waits to its report
    Histogram delivery;  // from a worker's stream taking a notification to the worker having handled it
    Histogram repair;    // from a table being behind to its having all that is known of
};

}  // namespace muster::cluster
