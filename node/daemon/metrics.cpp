#include "node/daemon/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <map>

#include "node/daemon/counter_metrics.hpp"
#include "node/daemon/process_metrics.hpp"
#include "proto/utf8.hpp"

namespace muster::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array kStates{NodeState::alive, NodeState::suspect, NodeState::down, NodeState::left};

ClientMetric sample(MetricType type, double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    return metric;
}

MetricFamily gauge(std::string name, std::string help, double value, Labels labels = {}) {
    return {std::move(name), std::move(help), MetricType::Gauge, {sample(MetricType::Gauge, value, std::move(labels))}};
}

template <class Duration>
double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

MetricFamily histogram(std::string name, std::string help, const Histogram& times) {
    ClientMetric metric;
    auto& to = metric.histogram;
    to.sample_sum = seconds(times.sum());
    for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
        to.sample_count += times.counts()[i];
        to.bucket.push_back({to.sample_count, seconds(Histogram::kBounds[i])});
    }
    to.sample_count += times.counts().back();
    return {std::move(name), std::move(help), MetricType::Histogram, {std::move(metric)}};
}

MetricFamily nodes_by_state(const std::vector<NodeInfo>& nodes) {
    MetricFamily family{"muster_nodes", "Nodes that this node knows, itself included", MetricType::Gauge, {}};
    for (const auto state : kStates) {
        const auto count =
            std::count_if(nodes.begin(), nodes.end(), [&](const NodeInfo& node) { return node.state == state; });
        family.metric.push_back(
            sample(MetricType::Gauge, static_cast<double>(count), {{"state", std::string(to_string(state))}}));
    }
    return family;
}

void add_counters(const std::map<std::string, std::uint64_t>& counters, std::vector<MetricFamily>& families) {
    for (const auto& [counter, name, label, value, help] : counter_metrics()) {
        const bool only_grows = std::string_view(name).ends_with("_total");
        const auto type = only_grows ? MetricType::Counter : MetricType::Gauge;
        if (families.back().name != name) families.push_back({name, help, type, {}});
        const auto found = counters.find(counter);
        const auto count = found == counters.end() ? 0 : found->second;
        Labels labels;
        if (*label != '\0') labels.push_back({label, value});
        families.back().metric.push_back(sample(type, static_cast<double>(count), labels));
    }
}

}  // namespace

Result<Measured> measure(Node& node) {
    auto status = node.status();
    if (!status) return status.error();
    auto nodes = node.nodes();
    if (!nodes) return nodes.error();
    auto latencies = node.latencies();
    if (!latencies) return latencies.error();
    return Measured{*std::move(status), *std::move(nodes), *std::move(latencies), node.loop_age()};
}

std::string to_prometheus(const Measured& measured) {
    const Status& status = measured.status;
    const auto count = [](std::uint64_t n) { return static_cast<double>(n); };
    std::vector<MetricFamily> families{
        gauge("muster_node_info", "Name, scope, security mode and version of this node", 1,
              {{"name", status.node.id.name},
               {"scope", is_utf8(status.scope) ? status.scope : "?"},  // Prometheus refuses a response with other text
               {"security", std::string(security_of(status))},
               {"version", MUSTER_VERSION}}),
        gauge("muster_ready", "1 if the node has synced and serves workers", status.ready ? 1 : 0),
        nodes_by_state(measured.nodes),
        gauge("muster_groups", "Groups that have members", count(status.groups)),
        gauge("muster_members", "Members of all groups in the whole cluster", count(status.members)),
        gauge("muster_workers", "Workers of this node, including those in their grace period", count(status.workers)),
        gauge("muster_log_position", "Number of the last delta that this node committed", count(status.seq)),
        gauge("muster_loop_age_seconds", "Time since the last turn of the node's thread", seconds(measured.loop_age)),
    };
    add_counters(status.counters, families);
    const auto& latencies = measured.latencies;
    families.push_back(histogram("muster_loop_turn_seconds", "Time of one turn of the node's thread, without waiting",
                                 latencies.turn));
    families.push_back(histogram("muster_loop_work_seconds",
                                 "Processor time of the node's thread in one turn, without waiting", latencies.work));
    families.push_back(histogram("muster_loop_lateness_seconds", "Delay of the node's thread after a timer was due",
                                 latencies.lateness));
    families.push_back(histogram("muster_notify_report_seconds",
                                 "Time from a notify call with wait at this node to its report", latencies.report));
    families.push_back(histogram("muster_delivery_seconds",
                                 "Time from a notification entering a worker's stream until the worker has handled it",
                                 latencies.delivery));
    families.push_back(histogram("muster_repair_seconds",
                                 "Time for which the copy of another node's table was behind, for each repair",
                                 latencies.repair));
    add_process_metrics(families);
    return prometheus::TextSerializer().Serialize(families);
}

std::vector<std::string> exported_counters() {
    std::vector<std::string> names;
    for (const auto& metric : counter_metrics()) names.emplace_back(metric.counter);
    return names;
}

}  // namespace muster::daemon
