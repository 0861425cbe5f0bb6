// Workers that are killed and started again with the state that they left.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

/// Two nodes, the second of which has the worker and keeps it for `grace` milliseconds; watchers at both.
struct Restart {
    explicit Restart(const std::string& grace) : cluster(2, {"--session-grace", grace}) {
        for (std::size_t i = 0; i < 2; ++i) watchers.push_back(watch(cluster, i));
    }
    ~Restart() {
        fs::remove(state);
        if (!testing::Test::HasFailure()) return;
        for (std::size_t i = 0; i < 2; ++i)
            std::printf("--- standard error of %s\n%s", Cluster::name(i).c_str(), cluster.node(i).errors().c_str());
    }
    Listener start() const { return join(cluster, 1, {"--state", state}); }
    Finished start_in_vain(Strings more = {}) const {
        Strings arguments{"join", "orders", "subscriptions", "--state", state};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return cluster.muster(1, arguments);
    }
    static void kill(const Listener& worker) {
        worker->signal(SIGKILL);
        EXPECT_EQ(worker->wait_exit(), 128 + SIGKILL);
    }
    bool all_know(const Ids& table) const {
        return std::all_of(watchers.begin(), watchers.end(), [&](const Listener& watcher) {
            return eventually([&] { return told(watcher).table == table; });
        });
    }

    const std::string state = fs::temp_directory_path() / ("muster-restart-" + std::to_string(::getpid()) + ".state");
    Cluster cluster;
    std::vector<Listener> watchers;
};

TEST(Restart, WithinTheGraceNothingIsMissedAndNobodyIsTold) {
    constexpr int kKills = 8;
    constexpr int kARound = 2'000;            // notifications, one round a kill
    constexpr std::size_t kBeforeKill = 500;  // of them, handled
    Restart test("20000");
    std::vector<Listener> lives;
    lives.push_back(test.start());
    const auto joined = ids(lives[0]);
    ASSERT_TRUE(test.all_know(joined));
    const auto since = std::chrono::steady_clock::now();
    for (int kill = 0; kill < kKills; ++kill) {
        const auto before = lives.back()->lines().size();
        const auto notifier = test.cluster.stay(
            0, {"notify", "created", "orders", "subscriptions", "1", "--count", std::to_string(kARound)});
        ASSERT_TRUE(eventually([&] { return lives.back()->lines().size() >= before + kBeforeKill; }));
        Restart::kill(lives.back());
        lives.push_back(test.start());
        EXPECT_EQ(ids(lives.back()), joined);
        ASSERT_EQ(notifier->wait_exit(), 0) << notifier->errors();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
    std::printf("[ measured ] %.0f notifications a second\n", kKills * kARound / took.count());
    EXPECT_EQ(notify(test.cluster, 0, "\"the end\"", {"--wait"})["delivered"], 1);
    EXPECT_TRUE(lives.back()->wait_for_line("the end"));

    Strings all;
    std::size_t again = 0;
    for (const auto& life : lives) {
        auto lines = received(life);
        const bool repeats = !all.empty() && !lines.empty() && lines.front() == all.back();
        if (repeats) lines.erase(lines.begin());  // its handler was running at the kill
        again += repeats ? 1 : 0;
        all.insert(all.end(), lines.begin(), lines.end());
    }
    std::printf("[ measured ] %zu kills, %zu notifications handled again\n", lives.size() - 1, again);
    Strings expected;
    for (int i = 1; i <= kKills * kARound; ++i) expected.push_back("n1#" + std::to_string(i) + " 1");
    expected.push_back("n1#" + std::to_string(kKills * kARound + 1) + " \"the end\"");
    EXPECT_EQ(all, expected);
    for (const auto& watcher : test.watchers)
        EXPECT_EQ(told(watcher).story, (std::map<std::string, std::string>{{*joined.begin(), "join"}}));
}

TEST(Restart, WhatWasSentWhileNobodyRanIsThere) {
    Restart test("20000");
    auto first = test.start();
    const auto id = ids(first);
    notify(test.cluster, 0, "1", {"--wait"});
    Restart::kill(first);
    EXPECT_EQ(notify(test.cluster, 0, "2", {"--count", "3"})["matched"], 3);
    const auto next = test.start();
    EXPECT_EQ(ids(next), id);
    EXPECT_EQ(notify(test.cluster, 0, "3", {"--wait"})["delivered"], 1);
    EXPECT_TRUE(eventually([&] { return received(next).size() >= 4; }));
    EXPECT_EQ(received(next), (Strings{"n1#2 2", "n1#3 2", "n1#4 2", "n1#5 3"}));
}

TEST(Restart, AfterTheGraceItIsANewMember) {
    Restart test("300");
    const auto first = test.start();
    const auto id = ids(first);
    ASSERT_TRUE(test.all_know(id));
    Restart::kill(first);
    ASSERT_TRUE(test.all_know({}));
    for (const auto& watcher : test.watchers) EXPECT_EQ(told(watcher).story[*id.begin()], "join, worker_down");
    EXPECT_EQ(notify(test.cluster, 0, "1")["matched"], 0);

    for (int life = 0; life < 3; ++life) {
        const auto next = test.start();
        EXPECT_NE(ids(next), id);
        EXPECT_TRUE(test.all_know(ids(next)));
        EXPECT_EQ(notify(test.cluster, 0, "2", {"--wait"})["delivered"], 1);
        EXPECT_TRUE(eventually([&] { return received(next).size() == 1; }));
        Restart::kill(next);
        ASSERT_TRUE(test.all_know({}));
    }
    for (const auto& watcher : test.watchers) EXPECT_EQ(told(watcher).contradictions, Strings{});
}

TEST(Restart, AnEndOnPurposeIsAnEnd) {
    Restart test("20000");
    const auto first = test.start();
    const auto id = ids(first);
    ASSERT_TRUE(test.all_know(id));
    first->signal(SIGTERM);
    EXPECT_EQ(first->wait_exit(), 0);
    ASSERT_TRUE(test.all_know({}));
    const auto next = test.start();
    EXPECT_NE(ids(next), id);
    EXPECT_TRUE(test.all_know(ids(next)));
}

TEST(Restart, MembersThatAreNotJoinedAgainLeave) {
    Restart test("20000");
    const auto first = test.start();
    const auto id = ids(first);
    ASSERT_TRUE(test.all_know(id));
    Restart::kill(first);
    const auto next = join(test.cluster, 1, {"--state", test.state, "--count", "2"});
    EXPECT_EQ(ids(next).size(), 2u);
    EXPECT_TRUE(test.all_know(ids(next)));
    for (const auto& watcher : test.watchers) EXPECT_EQ(told(watcher).story[*id.begin()], "join, left");
    EXPECT_EQ(notify(test.cluster, 0, "1", {"--wait"})["delivered"], 2);
}

TEST(Restart, AFileInUseOrOfSomethingElseIsToldInOneLineAndLeftAlone) {
    Restart test("20000");
    const auto worker = test.start();
    const auto second = test.start_in_vain();
    EXPECT_EQ(second.status, 1);
    EXPECT_EQ(std::count(second.errors.begin(), second.errors.end(), '\n'), 1) << second.errors;
    EXPECT_NE(second.errors.find(test.state + " is in use by another live process"), std::string::npos);
    EXPECT_EQ(notify(test.cluster, 0, "1", {"--wait"})["delivered"], 1);
    Restart::kill(worker);

    const auto scope = test.start_in_vain({"--scope", "other"});
    EXPECT_EQ(scope.status, 2);
    EXPECT_NE(scope.errors.find("give each worker a file of its own"), std::string::npos) << scope.errors;

    std::ofstream(test.state) << "something else\n";
    const auto foreign = test.start_in_vain();
    EXPECT_EQ(foreign.status, 2);
    EXPECT_EQ(std::count(foreign.errors.begin(), foreign.errors.end(), '\n'), 1) << foreign.errors;
    EXPECT_NE(foreign.errors.find("move it away"), std::string::npos) << foreign.errors;
    EXPECT_EQ(fs::file_size(test.state), 15u);
}

TEST(Restart, AnUnreachableNodeDoesNotEndTheSession) {
    Restart test("20000");
    const auto first = test.start();
    const auto id = ids(first);
    Restart::kill(first);
    // Stopped for less than it takes to declare it down.
    test.cluster.node(1).signal(SIGSTOP);
    const auto state = test.state;
    Process vain({MUSTER_PATH, "--node", test.cluster.address(1), "--json", "join", "orders", "subscriptions",
                  "--state", state});
    EXPECT_FALSE(vain.wait_exit(milliseconds(1000)));
    vain.signal(SIGKILL);
    EXPECT_TRUE(vain.wait_exit());
    test.cluster.node(1).signal(SIGCONT);
    const auto next = test.start();
    EXPECT_EQ(ids(next), id);
}

}  // namespace
}  // namespace muster::test
