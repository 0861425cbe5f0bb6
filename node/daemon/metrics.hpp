// The metrics of musterd for Prometheus.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace muster::daemon {

/// The state of a node for one scrape.
struct Measured {
    Status status;
    std::vector<NodeInfo> nodes;
    Node::Latencies latencies;
    std::chrono::milliseconds loop_age{};
};
/// Errors: closed.
Result<Measured> measure(Node& node);

/// Prometheus' text format, version 0.0.4. It has every counter that a node can have, including those that are still 0.
/// Labels have states, reasons, and the node's own name and scope. Nothing that other hosts choose becomes a label, so
/// they cannot make the number of series grow.
std::string to_prometheus(const Measured& measured);
inline constexpr const char* kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

/// The names of Status::counters that to_prometheus() exports.
std::vector<std::string> exported_counters();

}  // namespace muster::daemon
