// What musterd tells Prometheus.
#pragma once

#include <muster/node.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace muster::daemon {

/// What a node was asked for one answer.
struct Measured {
    Status status;
    std::vector<NodeInfo> nodes;
    Node::Latencies latencies;
    std::chrono::milliseconds loop_age{};
};
/// Errors: closed.
Result<Measured> measure(Node& node);

/// In Prometheus' text format, version 0.0.4. Every counter that a node can have is there, also those never hit.
/// Labels: states, reasons and the node's own name and scope; nothing that others choose.
std::string to_prometheus(const Measured& measured);
inline constexpr const char* kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

/// Names of Status::counters that to_prometheus() knows.
std::vector<std::string> exported_counters();

}  // namespace muster::daemon
