// Status::counters as metrics: the only list of their names and help texts.
#pragma once

#include <span>

namespace muster::daemon {

/// One sample of a metric. The samples of one metric follow each other; the first one has the help text.
struct CounterMetric {
    const char* counter;  // the name in Status::counters
    const char* metric;   // ends in _total if it only increases
    const char* label;    // empty: no label
    const char* value;    // of the label
    const char* help;
};

std::span<const CounterMetric> counter_metrics();

}  // namespace muster::daemon
