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
    MetricFamily family{"muster_nodes", "Nodes that this one knows, itself included", MetricType::Gauge, {}};
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
        const Labels labels = *label == '\0' ? Labels{} : Labels{{label, value}};
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
        gauge("muster_node_info", "Who this node is", 1,
              {{"name", status.node.id.name},
               {"scope", is_utf8(status.scope) ? status.scope : "?"},  // else the whole answer would not be taken
               {"security", std::string(security_of(status))},
               {"version", MUSTER_VERSION}}),
        gauge("muster_ready", "1 once the node has synced, and serves workers", status.ready ? 1 : 0),
        nodes_by_state(measured.nodes),
        gauge("muster_groups", "Groups that have members", count(status.groups)),
        gauge("muster_members", "Members of all groups in the whole cluster", count(status.members)),
        gauge("muster_workers", "Workers at this node, those in their grace included", count(status.workers)),
        gauge("muster_log_position", "Joins and leaves of this node, by batch, since its start", count(status.seq)),
        gauge("muster_loop_age_seconds", "Since the node's own thread last turned", seconds(measured.loop_age)),
    };
    add_counters(status.counters, families);
    const auto& latencies = measured.latencies;
    families.push_back(
        histogram("muster_loop_turn_seconds", "Turns of the node's own thread, without its waiting", latencies.turn));
    families.push_back(histogram("muster_loop_lateness_seconds",
                                 "How late the node's own thread came when a timer was due", latencies.lateness));
    families.push_back(histogram("muster_notify_report_seconds",
                                 "From a notify call with wait at this node to its report", latencies.report));
    families.push_back(histogram("muster_delivery_seconds",
                                 "From a notification going to a worker here to the worker having handled it",
                                 latencies.delivery));
    families.push_back(histogram("muster_repair_seconds",
                                 "From a copy of another node's table being behind to its being complete again",
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
