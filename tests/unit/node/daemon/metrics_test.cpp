// What Prometheus is told: all that a node counts, in the form that Prometheus takes.
#include "node/daemon/metrics.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "node/daemon/counter_metrics.hpp"
#include "node/io/node_counters.hpp"

namespace muster::daemon {
namespace {

using Names = std::set<std::string>;

/// {"name{labels}": value} of all samples.
std::map<std::string, double> samples_of(const std::string& text) {
    std::map<std::string, double> samples;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("#")) continue;
        const auto end = line.find_last_of(' ');
        EXPECT_TRUE(samples.emplace(line.substr(0, end), std::stod(line.substr(end + 1))).second) << line;
    }
    return samples;
}

/// As the sources have them: those that a core counts, and the levels that it adds.
Names counters_of_the_core() {
    Names names;
    const std::regex counted(R"re(\bcount\("([a-z_]+)"|\bcounters\["([a-z_]+)"\] =)re");
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(MUSTER_SOURCE_DIR) / "cluster")) {
        if (!file.is_regular_file()) continue;
        std::stringstream text;
        text << std::ifstream(file.path()).rdbuf();
        const std::string source = text.str();
        for (std::sregex_iterator it(source.begin(), source.end(), counted), end; it != end; ++it)
            names.insert((*it)[1].matched ? (*it)[1] : (*it)[2]);
    }
    return names;
}

TEST(Metrics, KnowEveryCounterOnce) {
    Names all = counters_of_the_core();
    EXPECT_GT(all.size(), 70u);
    std::map<std::string, std::uint64_t> of_sockets;
    node::NodeCounters().add_to(of_sockets);
    for (const auto& [name, count] : of_sockets) all.insert(name);
    all.insert({"http_connections", "http_connections_displaced", "http_requests_refused"});
    all.insert({"page_viewers", "page_viewers_refused", "page_viewers_fallen_behind", "page_requests_refused"});

    const auto exported = exported_counters();
    const Names known(exported.begin(), exported.end());
    EXPECT_EQ(known.size(), exported.size());
    EXPECT_EQ(known, all);
}

TEST(Metrics, AreNamedAsPrometheusWants) {
    const std::regex name("muster_[a-z]+(_[a-z]+)*");
    std::string last;
    Names finished;
    for (const auto& metric : counter_metrics()) {
        const std::string now = metric.metric;
        EXPECT_TRUE(std::regex_match(now, name)) << now;
        if (now != last) {
            EXPECT_TRUE(finished.insert(now).second) << now << " is in two places";
            EXPECT_STRNE(metric.help, "") << now;
        } else {
            EXPECT_STREQ(metric.help, "") << now;
            EXPECT_STRNE(metric.label, "") << now;
        }
        EXPECT_EQ(*metric.label == '\0', *metric.value == '\0') << now;
        last = now;
    }
}

Measured some() {
    Measured some;
    some.status.node.id = {"a", {}};
    some.status.scope = "one \"and\\only";
    some.status.ready = true;
    some.status.members = 7;
    some.status.counters = {{"notifications", 5}, {"link_queue", 3}, {"refused_handshakes_no_key", 2}};
    some.nodes = {
        {{"a", {}}, NodeState::alive, ""}, {{"b", {}}, NodeState::down, ""}, {{"c", {}}, NodeState::alive, ""}};
    some.latencies.repair.add(std::chrono::milliseconds(1));
    some.latencies.repair.add(std::chrono::milliseconds(2));
    some.latencies.repair.add(std::chrono::hours(1));
    some.loop_age = std::chrono::milliseconds(250);
    return some;
}

TEST(Metrics, TellWhatWasMeasured) {
    const auto text = to_prometheus(some());
    const auto samples = samples_of(text);
    EXPECT_EQ(samples.at("muster_ready"), 1);
    EXPECT_EQ(samples.at("muster_members"), 7);
    EXPECT_EQ(samples.at("muster_nodes{state=\"alive\"}"), 2);
    EXPECT_EQ(samples.at("muster_nodes{state=\"suspect\"}"), 0);
    EXPECT_EQ(samples.at("muster_nodes{state=\"down\"}"), 1);
    EXPECT_EQ(samples.at("muster_notifications_total"), 5);
    EXPECT_EQ(samples.at("muster_notifications_matched_total"), 0);
    EXPECT_EQ(samples.at("muster_link_queue_items"), 3);
    EXPECT_EQ(samples.at("muster_refused_handshakes_total{reason=\"no_key\"}"), 2);
    EXPECT_EQ(samples.at("muster_refused_handshakes_total{reason=\"broken\"}"), 0);
    EXPECT_DOUBLE_EQ(samples.at("muster_loop_age_seconds"), 0.25);
    EXPECT_GT(samples.at("process_resident_memory_bytes"), 1e6);
    EXPECT_NE(text.find("muster_node_info{name=\"a\",scope=\"one \\\"and\\\\only\",security=\"loopback\""),
              std::string::npos);
    EXPECT_NE(text.find("# TYPE muster_notifications_total counter\n"), std::string::npos);
    EXPECT_NE(text.find("# TYPE muster_link_queue_items gauge\n"), std::string::npos);
}

TEST(Metrics, HaveEveryMetricOnceWithHelpAndType) {
    const auto text = to_prometheus(some());
    const std::regex head("# (HELP|TYPE) ([a-z_]+) .+");
    std::map<std::string, int> heads;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (!line.starts_with("#")) continue;
        ASSERT_TRUE(std::regex_match(line, match, head)) << line;
        ++heads[match[2]];
    }
    for (const auto& [name, count] : heads) EXPECT_EQ(count, 2) << name;
    for (const auto& metric : counter_metrics()) EXPECT_TRUE(heads.contains(metric.metric)) << metric.metric;
}

TEST(Metrics, HistogramsCountUpwards) {
    const auto samples = samples_of(to_prometheus(some()));
    EXPECT_EQ(samples.at("muster_repair_seconds_bucket{le=\"0.0005\"}"), 0);
    EXPECT_EQ(samples.at("muster_repair_seconds_bucket{le=\"0.001\"}"), 1) << "bounds are included";
    EXPECT_EQ(samples.at("muster_repair_seconds_bucket{le=\"0.0025\"}"), 2);
    EXPECT_EQ(samples.at("muster_repair_seconds_bucket{le=\"60\"}"), 2);
    EXPECT_EQ(samples.at("muster_repair_seconds_bucket{le=\"+Inf\"}"), 3);
    EXPECT_EQ(samples.at("muster_repair_seconds_count"), 3);
    EXPECT_DOUBLE_EQ(samples.at("muster_repair_seconds_sum"), 3600.003);
}

TEST(Metrics, AScopeThatIsNoTextDoesNotSpoilThem) {
    auto odd = some();
    odd.status.scope = "\xff\xfe";
    EXPECT_NE(to_prometheus(odd).find("scope=\"?\""), std::string::npos);
}

TEST(Metrics, ANodeMeasuresItself) {
    const auto started = Node::start({.name = "a", .listen = "127.0.0.1:0"});
    ASSERT_TRUE(started.ok()) << started.error().text;
    Node& node = **started;
    ASSERT_TRUE(node.wait_ready(std::chrono::seconds(30)));
    const Group group{"orders", "subscriptions"};
    ASSERT_TRUE(node.join(group, [](const Notification&) {}).ok());
    ASSERT_TRUE(node.notify_created(group, Data{}, {.wait = true, .timeout = std::chrono::seconds(30)}).ok());
    const auto now = [&] { return samples_of(to_prometheus(*measure(node))); };
    // Its timers come every 50 ms; when it sleeps until the next is the machine's affair.
    auto samples = now();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (samples.at("muster_loop_lateness_seconds_count") < 2 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        samples = now();
    }
    EXPECT_EQ(samples.at("muster_notifications_matched_total"), 1);
    EXPECT_EQ(samples.at("muster_notify_report_seconds_count"), 1);
    EXPECT_EQ(samples.at("muster_loop_work_seconds_count"), samples.at("muster_loop_turn_seconds_count"));
    EXPECT_GT(samples.at("muster_loop_work_seconds_sum"), 0);
    // Each is cut to a microsecond.
    EXPECT_LE(samples.at("muster_loop_work_seconds_sum"),
              samples.at("muster_loop_turn_seconds_sum") + 2e-6 * samples.at("muster_loop_turn_seconds_count"));
    EXPECT_GT(samples.at("muster_loop_turn_seconds_count"), 1);
    EXPECT_GT(samples.at("muster_loop_lateness_seconds_count"), 1);
    EXPECT_EQ(samples.at("muster_groups"), 1);
    node.close();
    EXPECT_EQ(measure(node).error().code, ErrorCode::closed);
}

}  // namespace
}  // namespace muster::daemon
