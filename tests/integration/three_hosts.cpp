#include "tests/integration/three_hosts.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace muster::test {
namespace {

// By design 2.5 s, and 4 s where most of the cluster is silent.
constexpr seconds kNoticed{20};

}  // namespace

void ThreeHosts::SetUp() {
    static const auto obstacle = Hosts::obstacle();
    if (obstacle) GTEST_SKIP() << *obstacle;
    hosts_.emplace(std::size(kHosts));
    cluster_.emplace(hosts_->places());
    for (const auto host : kHosts) workers_.push_back(join(*cluster_, host));
    for (const auto host : kHosts) watchers_.push_back(watch(*cluster_, host));
    for (const auto host : kHosts) everyone_ = everyone_ + of(host);
    for (const auto host : kHosts) ASSERT_EQ(told(watchers_[host]).table, everyone_);
}

void ThreeHosts::TearDown() {
    if (!HasFailure() || !cluster_) return;
    for (const auto host : kHosts)
        std::printf("--- standard error of %s\n%s", Cluster::name(host).c_str(), cluster_->node(host).errors().c_str());
}

std::string ThreeHosts::story(std::size_t watcher, const Ids& member) const {
    return told(watchers_[watcher]).story[*member.begin()];
}

milliseconds ThreeHosts::elapsed() const {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - since_);
}

void ThreeHosts::say(const std::string& what) const {
    std::printf("[ measured ] %s: %.2f s\n", what.c_str(), std::chrono::duration<double>(elapsed()).count());
}

void ThreeHosts::await_told(std::map<std::size_t, Ids> tables, const std::string& what) {
    const auto is_told = [&](const auto& entry) {
        const auto& [host, table] = entry;
        if (told(watchers_[host]).table != table) return false;
        say(what + " told at " + Cluster::name(host));
        return true;
    };
    const auto all_told = [&] { return std::erase_if(tables, is_told), tables.empty(); };
    EXPECT_TRUE(eventually(all_told, kNoticed)) << what << " was not told at all hosts";
}

void ThreeHosts::await_told(const Ids& table, const std::string& what) {
    await_told({{a, table}, {b, table}, {c, table}}, what);
}

void ThreeHosts::await_connections(std::size_t host, std::size_t other, bool wanted) {
    const pid_t pid = cluster_->node(host).pid();
    const auto done = [&] { return (connections(pid, Hosts::address(other)) > 0) == wanted; };
    const auto what = Cluster::name(host) + (wanted ? " is connected to " : " has given up its connections to ") +
                      Cluster::name(other);
    EXPECT_TRUE(eventually(done, kNoticed)) << "not so: " << what;
    say(what);
}

void ThreeHosts::expect_settled(const Ids& table, const std::string& what) {
    await_told(table, what);
    for (const auto host : kHosts) {
        EXPECT_TRUE(cluster_->wait_alive(host, std::size(kHosts)));
        EXPECT_EQ(test::table(*cluster_, host), table) << Cluster::name(host);
        EXPECT_EQ(told(watchers_[host]).contradictions, Strings{}) << Cluster::name(host);
    }
    for (const auto host : {b, c})
        EXPECT_EQ(ask(*cluster_, a, {"diff", cluster_->address(a), cluster_->address(host)})["equal"], true);
}

void ThreeHosts::expect_all_reached(const std::string& data, std::size_t members) {
    for (const auto host : kHosts) {
        const auto report = notify(*cluster_, host, data, {"--wait"});
        EXPECT_EQ(report["delivered"], members) << "from " << Cluster::name(host) << ": " << report;
    }
}

void ThreeHosts::expect_quiet(seconds time) {
    std::size_t before[std::size(kHosts)];
    for (const auto host : kHosts) before[host] = watchers_[host]->lines().size();
    const auto any_told = [&] {
        return std::any_of(std::begin(kHosts), std::end(kHosts),
                           [&](std::size_t host) { return watchers_[host]->lines().size() > before[host]; });
    };
    EXPECT_FALSE(eventually(any_told, time));
    for (const auto host : kHosts)
        EXPECT_EQ(watchers_[host]->lines().size(), before[host]) << watchers_[host]->lines().back();
}

bool ThreeHosts::is_anything_told() const {
    return std::any_of(watchers_.begin(), watchers_.end(), [](const Listener& w) { return w->lines().size() > 1; });
}

void ThreeHosts::expect_nothing_told() {
    for (const auto host : kHosts) EXPECT_EQ(watchers_[host]->lines().size(), 1u) << watchers_[host]->lines().back();
}

}  // namespace muster::test
