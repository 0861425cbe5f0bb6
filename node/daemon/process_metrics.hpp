// The standard process metrics of Prometheus.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace muster::daemon {

/// Adds CPU time, memory, file descriptors and start time. Omits those that /proc does not have.
void add_process_metrics(std::vector<prometheus::MetricFamily>& families);

}  // namespace muster::daemon
