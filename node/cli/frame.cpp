#include "node/cli/frame.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace muster::cli {
namespace {

using Row = std::vector<std::string>;
using Names = std::vector<std::string>;

struct Named {
    const char* name;
    Names counters;
};

/// Rates per second of the connected node: each is the sum of some counters.
const std::array<Named, 10>& flows() {
    static const std::array<Named, 10> flows{{
        {"notify calls", {"notifications"}},
        {"matched", {"notifications_matched"}},
        {"delivered here", {"notifications_delivered"}},
        {"dropped", {"notifications_dropped", "notifications_lost_with_workers"}},
        {"lost on links", {"notifications_lost_on_links"}},
        {"resent", {"link_items_resent", "stream_items_resent"}},
        {"joins and leaves", {"deltas_committed", "deltas_applied"}},
        {"repairs", {"pulls_sent", "pulls_answered"}},
        {"frames in", {"frames_received"}},
        {"frames out", {"frames_sent"}},
    }};
    return flows;
}

template <class... Arguments>
std::string format(const char* how, Arguments... arguments) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), how, arguments...);
    return text.data();
}

std::string rate_text(double rate) {
    return rate < 10 ? format("%.1f", rate) : format("%.0f", rate);
}

std::string change_text(double rate) {
    return rate == 0 ? "" : format(std::abs(rate) < 10 ? "%+.1f" : "%+.0f", rate);
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    return format(unit == 0 ? "%.0f" : "%.1f", value) + ' ' + kUnits[unit];
}

std::string age_text(std::chrono::seconds age) {
    const long long s = std::max<long long>(0, age.count());
    if (s < 60) return format("%llds", s);
    if (s < 3600) return format("%lldm%02llds", s / 60, s % 60);
    if (s < 86400) return format("%lldh%02lldm", s / 3600, s / 60 % 60);
    return format("%lldd%02lldh", s / 86400, s / 3600 % 24);
}

/// An incarnation is the start time of the node in microseconds since 1970, by the node's clock.
std::chrono::seconds uptime_of(const NodeInfo& node) {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    const auto start = std::chrono::microseconds(node.id.incarnation.value);
    return std::chrono::duration_cast<std::chrono::seconds>(since - start);
}

std::uint64_t counter(const Status& status, const char* name) {
    const auto found = status.counters.find(name);
    return found == status.counters.end() ? 0 : found->second;
}

std::size_t count(const Sample& sample, NodeState state) {
    return static_cast<std::size_t>(
        std::count_if(sample.nodes.begin(), sample.nodes.end(), [&](const auto& node) { return node.state == state; }));
}

/// Whether the counter is a level that can go down, so that a rate of it has no meaning.
bool is_level(const std::string& counter) {
    static const Names open{"connections_control", "connections_door", "connections_gossip", "connections_peers"};
    return counter.find("_queue") != std::string::npos || counter.ends_with("_missing") ||
           counter == "channels_silent" || counter.starts_with("security_") ||
           std::find(open.begin(), open.end(), counter) != open.end();
}

Style style_of(NodeState state) {
    if (state == NodeState::down) return Style::bad;
    return state == NodeState::suspect ? Style::doubtful : Style::plain;
}

/// Nodes in trouble first.
std::vector<NodeInfo> sorted_nodes(const Sample& sample) {
    const auto rank = [](NodeState state) {
        return state == NodeState::down ? 0 : state == NodeState::suspect ? 1 : state == NodeState::alive ? 2 : 3;
    };
    auto nodes = sample.nodes;
    std::stable_sort(nodes.begin(), nodes.end(),
                     [&](const auto& a, const auto& b) { return rank(a.state) < rank(b.state); });
    return nodes;
}

/// Largest first.
std::vector<GroupInfo> sorted_groups(const Sample& sample) {
    auto groups = sample.groups;
    std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.members > b.members; });
    return groups;
}

void add_head(const View& view, std::vector<Line>& lines) {
    const Status& status = view.now->status;
    lines.push_back({"node " + status.node.id.name + " at " + status.node.address + ", scope " + status.scope + ", " +
                         (status.ready ? "ready" : "not ready") + ", " + std::string(security_of(status)),
                     Style::head});
    if (!view.trouble.empty()) {
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(Sample::Clock::now() - view.now->at);
        lines.push_back({"as of " + age_text(age) + " ago: " + view.trouble, Style::bad});
    }
    for (const auto& channel : status.silent_channels) lines.push_back({"nothing arrives " + channel, Style::doubtful});
    std::string nodes = "nodes " + std::to_string(count(*view.now, NodeState::alive)) + " alive";
    for (const auto state : {NodeState::suspect, NodeState::down, NodeState::left})
        if (const auto some = count(*view.now, state); some > 0)
            nodes += ", " + std::to_string(some) + ' ' + std::string(to_string(state));
    lines.push_back({nodes + "   groups " + std::to_string(status.groups) + "   members " +
                     std::to_string(status.members) + "   workers here " + std::to_string(status.workers)});
}

void add_flows(const View& view, std::vector<Line>& lines) {
    const Rates rates(view.before, *view.now);
    // In two lines, because one is too long for most terminals.
    const std::size_t half = flows().size() / 2;
    for (const std::size_t first : {std::size_t{0}, half}) {
        std::string line = first == 0 ? "per second" : "          ";
        for (std::size_t i = first; i < first + half; ++i) {
            const auto& [name, counters] = flows()[i];
            line += (i == first ? "  " : "   ") + std::string(name) + ' ' +
                    (rates.are_known() ? rate_text(rates.of(counters)) : "-");
        }
        lines.push_back({line});
    }
    const Status& status = view.now->status;
    lines.push_back({"waiting     for nodes " + std::to_string(counter(status, "link_queue")) + " (" +
                     bytes_text(counter(status, "link_queue_bytes")) + ")   for workers " +
                     std::to_string(counter(status, "backlog_queue")) + " (" +
                     bytes_text(counter(status, "backlog_queue_bytes")) + ")"});
}

/// Adds a table of at most `rows` lines, including its header. If it does not fit, the last line has the number of the
/// other rows.
void add_table(std::vector<Row> table, const std::vector<Style>& styles, std::size_t rows, const std::string& noun,
               std::vector<Line>& lines) {
    if (rows < 2) return;
    const std::size_t all = table.size() - 1;
    std::size_t shown = all;
    if (all + 1 > rows) shown = rows - 2;
    table.resize(shown + 1);
    const auto texts = table_lines(table);
    for (std::size_t i = 0; i < texts.size(); ++i) lines.push_back({texts[i], i == 0 ? Style::head : styles[i - 1]});
    if (shown < all) lines.push_back({"and " + counted(all - shown, noun) + " more"});
}

void add_nodes(const View& view, std::size_t rows, std::vector<Line>& lines) {
    std::vector<Row> table{{"NODE", "STATE", "FOR", "UP", "WORKERS", "ADDRESS"}};
    std::vector<Style> styles;
    for (const auto& node : sorted_nodes(*view.now)) {
        const auto age = view.ages->of(node, view.now->at);
        const bool lives = node.state == NodeState::alive || node.state == NodeState::suspect;
        table.push_back({node.id.name, state_of(node), (age.at_least ? ">" : "") + age_text(age.age),
                         lives ? age_text(uptime_of(node)) : "", lives ? std::to_string(node.workers) : "",
                         node.address});
        styles.push_back(style_of(node.state));
    }
    add_table(std::move(table), styles, rows, "node", lines);
}

void add_groups(const View& view, std::size_t rows, std::vector<Line>& lines) {
    const Rates rates(view.before, *view.now);
    std::vector<Row> table{{"STORE", "FEATURE", "MEMBERS", "CHANGE/S"}};
    auto groups = sorted_groups(*view.now);
    // There may be thousands of groups: format only those that can be shown.
    for (std::size_t i = 0; i < groups.size(); ++i)
        table.push_back(i < rows ? Row{groups[i].group.store, groups[i].group.feature,
                                       std::to_string(groups[i].members), change_text(rates.of(groups[i]))}
                                 : Row{});
    add_table(std::move(table), std::vector<Style>(groups.size()), rows, "group", lines);
}

}  // namespace

std::vector<Line> frame_of(const View& view, std::size_t rows) {
    std::vector<Line> lines;
    if (view.now == nullptr) return {{view.trouble.empty() ? "waiting for the node" : view.trouble, Style::bad}};
    add_head(view, lines);
    add_flows(view, lines);
    lines.push_back({});
    const std::size_t left = rows > lines.size() ? rows - lines.size() : 0;
    // Groups get the lines that the nodes do not need, and at least half.
    const std::size_t wanted = view.now->groups.size() + 2;
    const std::size_t for_nodes = left > wanted + left / 2 ? left - wanted : left / 2;
    add_nodes(view, for_nodes, lines);
    lines.push_back({});
    add_groups(view, rows > lines.size() ? rows - lines.size() : 0, lines);
    if (lines.size() > rows) lines.resize(rows);
    return lines;
}

Json json_of(const View& view) {
    const Sample& now = *view.now;
    const Rates rates(view.before, now);
    Json object{{"node", json_of(now.status.node)},
                {"scope", now.status.scope},
                {"ready", now.status.ready},
                {"workers", now.status.workers},
                {"silent_channels", now.status.silent_channels}};
    object["nodes"] = Json::array();
    for (const auto& node : sorted_nodes(now)) object["nodes"].push_back(json_of(node));
    object["groups"] = Json::array();
    for (const auto& group : sorted_groups(now)) {
        Json one = json_of(group.group);
        one["members"] = group.members;
        one["change_per_second"] = rates.of(group);
        object["groups"].push_back(std::move(one));
    }
    object["per_second"] = Json::object();
    for (const auto& [name, value] : now.status.counters) {
        if (!is_level(name)) object["per_second"][name] = rates.of(Names{name});
    }
    return object;
}

}  // namespace muster::cli
