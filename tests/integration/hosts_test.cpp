// Splits, one-way cuts, dead cards and switches between three hosts.
#include "tests/integration/hosts.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

constexpr std::size_t a = 0;
constexpr std::size_t b = 1;
constexpr std::size_t c = 2;
constexpr std::size_t kHosts[] = {a, b, c};

// By design a silent host is down after 2.5 s, and after 4 s where most of the cluster is silent.
constexpr seconds kNoticed{20};
// Nothing may happen for so long: twice the time after which a silent host is down.
constexpr seconds kQuiet{8};

Ids operator+(Ids left, const Ids& right) {
    left.insert(right.begin(), right.end());
    return left;
}

/// Three hosts, on each a node, a worker that stays, and a watcher.
class RealHosts : public testing::Test {
protected:
    void SetUp() override {
        static const auto obstacle = Hosts::obstacle();
        if (obstacle) GTEST_SKIP() << *obstacle;
        hosts_.emplace(std::size(kHosts));
        cluster_.emplace(hosts_->places());
        for (const auto host : kHosts) workers_.push_back(join(*cluster_, host));
        for (const auto host : kHosts) watchers_.push_back(watch(*cluster_, host));
        for (const auto host : kHosts) everyone_ = everyone_ + of(host);
        for (const auto host : kHosts) ASSERT_EQ(told(watchers_[host]).table, everyone_);
    }
    void TearDown() override {
        if (!HasFailure() || !cluster_) return;
        for (const auto host : kHosts)
            std::printf("--- standard error of %s\n%s", Cluster::name(host).c_str(),
                        cluster_->node(host).errors().c_str());
    }

    /// The member of the worker that stays.
    Ids of(std::size_t host) const { return ids(workers_[host]); }
    std::string story(std::size_t watcher, const Ids& member) const {
        return told(watchers_[watcher]).story[*member.begin()];
    }

    void start_clock() { since_ = Clock::now(); }
    Clock::duration elapsed() const { return Clock::now() - since_; }
    void say(const std::string& what) const {
        std::printf("[ measured ] %s: %.2f s\n", what.c_str(), std::chrono::duration<double>(elapsed()).count());
    }

    using Tables = std::map<std::size_t, Ids>;
    /// Waits until the watchers of these hosts have been told that the tables are these.
    void await_told(Tables tables, const std::string& what) {
        const auto all_told = [&] {
            return std::erase_if(tables,
                                 [&](const auto& entry) {
                                     const bool is_told = told(watchers_[entry.first]).table == entry.second;
                                     if (is_told) say(what + " told at " + Cluster::name(entry.first));
                                     return is_told;
                                 }),
                   tables.empty();
        };
        EXPECT_TRUE(eventually(all_told, kNoticed)) << what << " was not told at all hosts";
    }
    void await_told(const Ids& table, const std::string& what) {
        await_told({{a, table}, {b, table}, {c, table}}, what);
    }
    void await_connections(std::size_t host, std::size_t other, bool wanted) {
        const pid_t pid = cluster_->node(host).pid();
        const auto done = [&] { return (connections(pid, Hosts::address(other)) > 0) == wanted; };
        const auto what = Cluster::name(host) + (wanted ? " is connected to " : " has given up its connections to ") +
                          Cluster::name(other);
        EXPECT_TRUE(eventually(done, kNoticed)) << "not so: " << what;
        say(what);
    }

    /// All watchers and all nodes come to have this table, and nobody was told what cannot be.
    void expect_settled(const Ids& table, const std::string& what) {
        await_told(table, what);
        for (const auto host : kHosts) {
            EXPECT_TRUE(cluster_->wait_alive(host, std::size(kHosts)));
            EXPECT_EQ(test::table(*cluster_, host), table) << Cluster::name(host);
            EXPECT_EQ(told(watchers_[host]).contradictions, Strings{}) << Cluster::name(host);
        }
        for (const auto host : {b, c})
            EXPECT_EQ(ask(*cluster_, a, {"diff", cluster_->address(a), cluster_->address(host)})["equal"], true);
    }
    /// Notifications from every host reach so many members.
    void expect_all_reached(const std::string& data, std::size_t members) {
        for (const auto host : kHosts) {
            const auto report = notify(*cluster_, host, data, {"--wait"});
            EXPECT_EQ(report["delivered"], members) << "from " << Cluster::name(host) << ": " << report;
        }
    }
    /// No watcher was told anything after its snapshot.
    void expect_nothing_told() {
        for (const auto host : kHosts)
            EXPECT_EQ(watchers_[host]->lines().size(), 1u) << watchers_[host]->lines().back();
    }
    void expect_nothing_told_for(seconds time) {
        EXPECT_FALSE(eventually([&] { return expect_nothing_told(), HasFailure(); }, time));
    }

    std::optional<Hosts> hosts_;
    std::optional<Cluster> cluster_;
    std::vector<Listener> workers_;
    std::vector<Listener> watchers_;
    Ids everyone_;
    Clock::time_point since_ = Clock::now();
};

TEST_F(RealHosts, ASplitIsNoticedOnBothSidesAndHealsByWhatChanged) {
    auto goes = join(*cluster_, b);
    await_told(everyone_ + ids(goes), "a join");
    expect_all_reached("\"before\"", 4);

    start_clock();
    hosts_->split({a});
    const Ids other_side = of(b) + of(c) + ids(goes);
    await_told({{a, of(a)}, {b, other_side}, {c, other_side}}, "the split");

    const auto new_a = join(*cluster_, a);
    const auto new_b = join(*cluster_, b);
    goes->signal(SIGTERM);
    ASSERT_EQ(goes->wait_exit(), 0);
    await_told({{a, of(a) + ids(new_a)}, {c, of(b) + of(c) + ids(new_b)}}, "joins and leaves of its side");
    EXPECT_EQ(notify(*cluster_, a, "\"during\"", {"--wait"})["delivered"], 2);
    EXPECT_EQ(notify(*cluster_, b, "\"during\"", {"--wait"})["delivered"], 3);

    start_clock();
    hosts_->heal({a});
    expect_settled(everyone_ + ids(new_a) + ids(new_b), "the heal");
    EXPECT_EQ(story(a, of(a)), "there");
    EXPECT_EQ(story(a, of(b)), "there, node_down, join");
    EXPECT_EQ(story(a, of(c)), "there, node_down, join");
    EXPECT_EQ(story(a, ids(goes)), "join, node_down");
    EXPECT_EQ(story(a, ids(new_a)), "join");
    EXPECT_EQ(story(a, ids(new_b)), "join");
    for (const auto host : {b, c}) {
        EXPECT_EQ(story(host, of(a)), "there, node_down, join");
        EXPECT_EQ(story(host, of(b)), "there");
        EXPECT_EQ(story(host, of(c)), "there");
        EXPECT_EQ(story(host, ids(goes)), "join, left");
        EXPECT_EQ(story(host, ids(new_a)), "join");
        EXPECT_EQ(story(host, ids(new_b)), "join");
    }

    expect_all_reached("\"after\"", 5);
    const Strings before{"n1#1 \"before\"", "n2#1 \"before\"", "n3#1 \"before\""};
    const Strings after{"n1#3 \"after\"", "n2#3 \"after\"", "n3#2 \"after\""};
    const auto all = [&](const std::string& during) {
        Strings list = before;
        list.push_back(during);
        list.insert(list.end(), after.begin(), after.end());
        return list;
    };
    EXPECT_EQ(received(workers_[a]), all("n1#2 \"during\""));
    EXPECT_EQ(received(workers_[b]), all("n2#2 \"during\""));
    EXPECT_EQ(received(workers_[c]), all("n2#2 \"during\""));
}

TEST_F(RealHosts, ALongSplitThatBrokeTheConnectionsHealsAndLosesNothing) {
    start_clock();
    hosts_->split({b});
    // Taken before the split is noticed: for b's worker they wait at a until b is back.
    EXPECT_EQ(notify(*cluster_, a, "1", {"--count", "3"})["matched"], 9);
    await_told({{a, of(a) + of(c)}, {b, of(b)}, {c, of(a) + of(c)}}, "the split");
    for (const auto host : {a, c}) {
        await_connections(host, b, false);
        await_connections(b, host, false);
    }
    EXPECT_EQ(received(workers_[b]), Strings{});

    start_clock();
    hosts_->heal({b});
    expect_settled(everyone_, "the heal");
    for (const auto host : {a, c}) EXPECT_EQ(story(host, of(b)), "there, node_down, join");
    for (const auto host : {a, c}) EXPECT_EQ(story(b, of(host)), "there, node_down, join");
    EXPECT_EQ(story(a, of(c)), "there");
    expect_all_reached("2", 3);
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker), (Strings{"n1#1 1", "n1#2 1", "n1#3 1", "n1#4 2", "n2#1 2", "n3#1 2"}));
}

TEST_F(RealHosts, WhereOnlyOneWayIsCutNobodyIsDownAndBothWaysDeliver) {
    hosts_->cut(a, b);  // a hears b, b does not hear a
    start_clock();
    expect_all_reached("1", 3);
    say("reached while the cut is fresh");
    expect_nothing_told_for(kQuiet);
    start_clock();
    expect_all_reached("2", 3);
    say("reached when the cut is old");
    const auto late_a = join(*cluster_, a);
    const auto late_b = join(*cluster_, b);
    const Ids all = everyone_ + ids(late_a) + ids(late_b);
    await_told(all, "joins");

    start_clock();
    hosts_->mend(a, b);
    await_connections(a, b, true);
    await_connections(b, a, true);
    expect_settled(all, "the heal");
    expect_all_reached("3", 5);
    for (const auto host : kHosts)
        for (const auto other : kHosts) EXPECT_EQ(story(host, of(other)), "there");
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker),
                  (Strings{"n1#1 1", "n2#1 1", "n3#1 1", "n1#2 2", "n2#2 2", "n3#2 2", "n1#3 3", "n2#3 3", "n3#3 3"}));
}

TEST_F(RealHosts, TwoHostsThatReachEachOtherOnlyThroughTheThirdMissNobody) {
    hosts_->cut(a, b);
    hosts_->cut(b, a);
    start_clock();
    expect_all_reached("1", 3);
    say("reached while the cut is fresh");
    expect_nothing_told_for(kQuiet);
    await_connections(a, b, false);
    await_connections(b, a, false);
    start_clock();
    expect_all_reached("2", 3);
    say("reached when the cut is old");

    start_clock();
    hosts_->mend(a, b);
    hosts_->mend(b, a);
    await_connections(a, b, true);
    await_connections(b, a, true);
    expect_all_reached("3", 3);
    expect_settled(everyone_, "the heal");
    expect_nothing_told();
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker),
                  (Strings{"n1#1 1", "n2#1 1", "n3#1 1", "n1#2 2", "n2#2 2", "n3#2 2", "n1#3 3", "n2#3 3", "n3#3 3"}));
}

TEST_F(RealHosts, AHostThatNobodyHearsIsDownUntilItIsHeard) {
    hosts_->cut(a, b);
    hosts_->cut(a, c);
    start_clock();
    await_told({{a, of(a)}, {b, of(b) + of(c)}, {c, of(b) + of(c)}}, "the silence");
    start_clock();
    hosts_->mend(a, b);
    hosts_->mend(a, c);
    expect_settled(everyone_, "the heal");
    for (const auto host : {b, c}) {
        EXPECT_EQ(story(host, of(a)), "there, node_down, join");
        EXPECT_EQ(story(a, of(host)), "there, node_down, join");
    }
    expect_all_reached("1", 3);
}

TEST_F(RealHosts, WhatIsSentDuringAShortCutArrivesOnceAndInOrder) {
    constexpr int kCount = 200;
    Strings expected;
    for (const milliseconds length : {milliseconds(50), milliseconds(300), milliseconds(900)}) {
        start_clock();
        hosts_->split({b});
        const auto report = notify(*cluster_, a, "1", {"--count", std::to_string(kCount)});
        EXPECT_EQ(report["matched"], 3 * kCount);
        const auto waits = cluster_->stay(a, {"notify", "created", "orders", "subscriptions", "1", "--wait"});
        std::this_thread::sleep_for(length);  // the length of the cut is the point
        hosts_->heal({b});
        say("the cut was over");
        EXPECT_EQ(Json::parse(waits->wait_for_line("delivered").value_or("{}"))["delivered"], 3);
        say("everything was delivered");
        for (int i = 0; i <= kCount; ++i) expected.push_back("n1#" + std::to_string(expected.size() + 1) + " 1");
    }
    for (const auto& worker : workers_) EXPECT_EQ(received(worker), expected);
    expect_nothing_told();
}

TEST_F(RealHosts, AStreamOverAFlappingNetworkArrivesOnceAndInOrder) {
    constexpr std::size_t kCount = 15000;
    const auto stream =
        cluster_->stay(a, {"notify", "created", "orders", "subscriptions", "1", "--count", std::to_string(kCount)});
    int cuts = 0;
    do {
        hosts_->split({b});
        stream->wait_exit(milliseconds(300));
        hosts_->heal({b});
        ++cuts;
    } while (!stream->wait_exit(milliseconds(300)));
    say("the stream was sent");
    std::printf("[ measured ] cuts during the stream: %d\n", cuts);
    EXPECT_GT(cuts, 1);
    EXPECT_TRUE(eventually([&] { return workers_[b]->lines().size() > kCount; }));
    Strings expected;
    for (std::size_t i = 1; i <= kCount; ++i) expected.push_back("n1#" + std::to_string(i) + " 1");
    for (const auto& worker : workers_) EXPECT_EQ(received(worker), expected);
    expect_nothing_told();
}

TEST_F(RealHosts, AKilledNodeOfAnotherHostIsNoticedAtOnce) {
    start_clock();
    cluster_->node(c).signal(SIGKILL);
    const Ids rest = of(a) + of(b);
    await_told({{a, rest}, {b, rest}}, "the kill");
    EXPECT_LT(elapsed(), milliseconds(1500));  // less than silence takes
    for (const auto host : {a, b}) EXPECT_EQ(story(host, of(c)), "there, node_down");
}

TEST_F(RealHosts, AHostThatLostItsPowerComesBackAsANewLife) {
    hosts_->split({c});
    for (Process* process : {&cluster_->node(c), workers_[c].operator->(), watchers_[c].operator->()}) {
        process->signal(SIGKILL);
        ASSERT_TRUE(process->wait_exit());
    }
    start_clock();
    const Ids rest = of(a) + of(b);
    await_told({{a, rest}, {b, rest}}, "the loss");

    hosts_->heal({c});
    cluster_->start(c);
    cluster_->wait_ready(c);
    const auto worker = join(*cluster_, c);
    watchers_[c] = watch(*cluster_, c);
    expect_settled(rest + ids(worker), "the new life");
    for (const auto host : {a, b}) EXPECT_EQ(story(host, of(c)), "there, node_down");
    for (const auto host : {a, b}) EXPECT_EQ(story(host, ids(worker)), "join");
    expect_all_reached("1", 3);
}

TEST_F(RealHosts, AHostWhoseCardWasDownIsBackWithItsMembers) {
    start_clock();
    hosts_->card_down(b);
    const Ids rest = of(a) + of(c);
    await_told({{a, rest}, {b, of(b)}, {c, rest}}, "the dead card");
    EXPECT_EQ(notify(*cluster_, b, "1", {"--wait"})["delivered"], 1);

    start_clock();
    hosts_->card_up(b);
    expect_settled(everyone_, "the heal");
    for (const auto host : {a, c}) {
        EXPECT_EQ(story(host, of(b)), "there, node_down, join");
        EXPECT_EQ(story(b, of(host)), "there, node_down, join");
    }
    EXPECT_EQ(story(a, of(c)), "there");
    expect_all_reached("2", 3);
}

TEST_F(RealHosts, WhenTheSwitchDiesEveryHostIsAloneAndThenAllAreBack) {
    start_clock();
    hosts_->switch_off();
    await_told({{a, of(a)}, {b, of(b)}, {c, of(c)}}, "the dead switch");
    for (const auto host : kHosts) EXPECT_EQ(notify(*cluster_, host, "1", {"--wait"})["delivered"], 1);

    start_clock();
    hosts_->switch_on();
    expect_settled(everyone_, "the heal");
    for (const auto host : kHosts)
        for (const auto other : kHosts)
            EXPECT_EQ(story(host, of(other)), host == other ? "there" : "there, node_down, join");
    expect_all_reached("2", 3);
    for (const auto host : kHosts)
        EXPECT_EQ(received(workers_[host]), (Strings{Cluster::name(host) + "#1 1", "n1#2 2", "n2#2 2", "n3#2 2"}));
}

}  // namespace
}  // namespace muster::test
