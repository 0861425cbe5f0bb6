// Status::counters as metrics: the one list of names and help texts.
#pragma once

#include <span>

namespace muster::daemon {

/// Those of one metric stand side by side; the first one has its help.
struct CounterMetric {
    const char* counter;  // its name in Status::counters
    const char* metric;   // ends in _total when it only grows
    const char* label;    // empty: none
    const char* value;
    const char* help;
};

std::span<const CounterMetric> counter_metrics();

}  // namespace muster::daemon
