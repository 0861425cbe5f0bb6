// What every program tells Prometheus of itself, under the names that others use.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace muster::daemon {

/// Processor time, memory, descriptors, start. What /proc does not tell is left out.
void add_process_metrics(std::vector<prometheus::MetricFamily>& families);

}  // namespace muster::daemon
