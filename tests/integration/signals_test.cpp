// Nodes and workers that are stopped, and go on again later.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;
using Strings = std::vector<std::string>;

// By design: a silent node is down after 2.5 s; a silent worker is lost after 2 s and gone 1 s later.
constexpr milliseconds kShorterThanDetection{800};
constexpr milliseconds kDetection{2500};

/// Three nodes, with a worker at the last and watchers at all.
struct Signals : testing::Test {
    Signals() : worker(join(cluster, 2)) {
        for (std::size_t i = 0; i < 3; ++i) watchers.push_back(watch(cluster, i));
        id = *ids(worker).begin();
    }
    ~Signals() override {
        if (!HasFailure()) return;
        for (std::size_t i = 0; i < 3; ++i)
            std::printf("--- standard error of %s\n%s", Cluster::name(i).c_str(), cluster.node(i).errors().c_str());
        std::printf("--- standard error of the worker\n%s", worker->errors().c_str());
    }

    bool knows(std::size_t i, const Ids& table) {
        return eventually([&] { return told(watchers[i]).table == table; });
    }
    void expect_equal_tables(const Ids& table) {
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_TRUE(cluster.wait_alive(i, 3)) << Cluster::name(i);
            EXPECT_TRUE(knows(i, table)) << Cluster::name(i);
            EXPECT_EQ(test::table(cluster, i), table) << Cluster::name(i);
            EXPECT_EQ(told(watchers[i]).contradictions, Strings{}) << Cluster::name(i);
        }
    }
    void say(const char* what) const {
        std::printf("[ measured ] %s: %.2f s\n", what, std::chrono::duration<double>(Clock::now() - since).count());
    }

    Cluster cluster{3};
    Listener worker;
    std::vector<Listener> watchers;
    std::string id;
    Clock::time_point since = Clock::now();
};

TEST_F(Signals, ANodeStoppedForLongIsDownAndThenBackWithTheSameMembers) {
    since = Clock::now();
    cluster.node(2).signal(SIGSTOP);
    for (const std::size_t i : {0, 1}) EXPECT_TRUE(knows(i, {}));
    say("down");
    EXPECT_GE(Clock::now() - since, kDetection / 2);
    for (const std::size_t i : {0, 1}) EXPECT_EQ(told(watchers[i]).story[id], "there, node_down");

    since = Clock::now();
    cluster.node(2).signal(SIGCONT);
    expect_equal_tables({id});
    say("back");
    for (const std::size_t i : {0, 1}) EXPECT_EQ(told(watchers[i]).story[id], "there, node_down, join");
    EXPECT_EQ(told(watchers[2]).story[id], "there");
    EXPECT_EQ(notify(cluster, 0, "1", {"--wait"})["delivered"], 1);
    EXPECT_EQ(notify(cluster, 2, "2", {"--wait"})["delivered"], 1);
    EXPECT_EQ(received(worker), (Strings{"n1#1 1", "n3#1 2"}));
}

TEST_F(Signals, ANodeStoppedForAMomentIsNotDownAndMissesNothing) {
    since = Clock::now();
    cluster.node(2).signal(SIGSTOP);
    EXPECT_EQ(notify(cluster, 0, "1", {"--count", "200"})["matched"], 200);
    std::this_thread::sleep_until(since + kShorterThanDetection);  // the length of the pause is the point
    cluster.node(2).signal(SIGCONT);
    EXPECT_TRUE(eventually([&] { return received(worker).size() >= 200; }));
    std::this_thread::sleep_for(kDetection);  // nothing shall happen meanwhile
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(watchers[i]->lines().size(), 1u) << watchers[i]->lines().back();
    Strings expected;
    for (int i = 1; i <= 200; ++i) expected.push_back("n1#" + std::to_string(i) + " 1");
    EXPECT_EQ(received(worker), expected);
}

TEST_F(Signals, AWorkerStoppedForLongIsLetGoAndJoinsAgainByItself) {
    since = Clock::now();
    worker->signal(SIGSTOP);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(knows(i, {}));
    say("let go");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(told(watchers[i]).story[id], "there, worker_down");
    EXPECT_EQ(notify(cluster, 0, "1", {"--wait"})["matched"], 0);

    since = Clock::now();
    worker->signal(SIGCONT);
    EXPECT_TRUE(eventually([&] { return table(cluster, 0).size() == 1; }));
    say("joined again");
    const auto now = table(cluster, 0);
    EXPECT_NE(now, Ids{id});
    expect_equal_tables(now);
    EXPECT_EQ(notify(cluster, 0, "2", {"--wait"})["delivered"], 1);
    // What was sent while it was let go, too: it joined again within the handover window.
    EXPECT_EQ(received(worker), (Strings{"n1#1 1", "n1#2 2"}));
}

TEST_F(Signals, AWorkerStoppedForAMomentKeepsItsMembersAndGetsWhatItMissed) {
    since = Clock::now();
    worker->signal(SIGSTOP);
    EXPECT_EQ(notify(cluster, 0, "1", {"--count", "200"})["matched"], 200);
    std::this_thread::sleep_until(since + kShorterThanDetection);  // the length of the pause is the point
    worker->signal(SIGCONT);
    EXPECT_TRUE(eventually([&] { return received(worker).size() >= 200; }));
    Strings expected;
    for (int i = 1; i <= 200; ++i) expected.push_back("n1#" + std::to_string(i) + " 1");
    EXPECT_EQ(received(worker), expected);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(watchers[i]->lines().size(), 1u) << watchers[i]->lines().back();
}

TEST_F(Signals, AKilledWorkerIsGoneEverywhereAndOnlyIt) {
    const auto stays = join(cluster, 2);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(knows(i, {id, *ids(stays).begin()}));
    since = Clock::now();
    worker->signal(SIGKILL);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(knows(i, ids(stays)));
    say("gone");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(told(watchers[i]).story[id], "there, worker_down");
    expect_equal_tables(ids(stays));
    EXPECT_EQ(notify(cluster, 0, "1", {"--wait"})["delivered"], 1);
}

TEST_F(Signals, WorkersThatEndInOrderWhileTheirNodeIsStoppedHaveLeft) {
    std::vector<Listener> leavers;
    Ids all{id};
    for (int i = 0; i < 8; ++i) {
        leavers.push_back(join(cluster, 2));
        all = all + ids(leavers.back());
    }
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(knows(i, all));
    cluster.node(2).signal(SIGSTOP);
    notify(cluster, 0, "1", {"--count", "200"});  // there is something to send when it goes on
    for (const auto& leaver : leavers) leaver->signal(SIGTERM);
    for (const auto& leaver : leavers) EXPECT_EQ(leaver->wait_exit(), 0);
    cluster.node(2).signal(SIGCONT);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(knows(i, {id}));
        const auto story = told(watchers[i]).story;
        for (const auto& leaver : leavers) EXPECT_EQ(story.at(*ids(leaver).begin()), "join, left") << Cluster::name(i);
    }
}

}  // namespace
}  // namespace muster::test
