// The main job on real processes, through the command line tool alone.
#include "tests/integration/cluster.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/integration/listener.hpp"
#include "tests/integration/mode.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr milliseconds kGrace{1000};  // musterd's default --session-grace

TEST(Cluster, ThreeNodesOneGroupEveryMemberIsReached) {
    Cluster cluster(3);
    for (std::size_t i = 0; i < 3; ++i) {
        ASSERT_TRUE(cluster.wait_alive(i, 3));
        EXPECT_EQ(ask(cluster, i, {"nodes"})["nodes"].size(), 3u);
    }
    std::vector<Listener> workers;
    for (std::size_t i = 0; i < 3; ++i) workers.push_back(join(cluster, i));
    const auto table = members(cluster, 0);
    ASSERT_EQ(table.size(), 3u);
    for (std::size_t i = 1; i < 3; ++i) EXPECT_EQ(members(cluster, i), table);

    const std::vector<std::string> verbs{"created", "updated", "deleted"};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto report =
            ask(cluster, i, {"notify", verbs[i], "orders", "subscriptions", R"({"n":[1,"x"]})", "--wait"});
        EXPECT_EQ(report["matched"], 3);
        EXPECT_EQ(report["nodes"], 3);
        EXPECT_EQ(report["delivered"], 3);
        EXPECT_TRUE(report["missed"].empty());
        for (auto& worker : workers) {
            const auto told = worker.wait_for(verbs[i]);
            ASSERT_FALSE(told.is_null());
            EXPECT_EQ(told["store"], "orders");
            EXPECT_EQ(told["feature"], "subscriptions");
            EXPECT_EQ(told["data"], Json::parse(R"({"n":[1,"x"]})"));
            EXPECT_EQ(told["from"].get<std::string>().rfind(Cluster::name(i) + "/", 0), 0u);
            EXPECT_EQ(told["seq"], 1);
        }
    }
}

TEST(Cluster, AJoinIsKnownEverywhereWithinATenthOfASecond) {
    Cluster cluster(3);
    std::vector<Listener> watchers;
    for (std::size_t i = 0; i < 3; ++i) watchers.push_back(watch(cluster, i));
    Listener worker(cluster.stay(1, {"join", "orders", "subscriptions", "--count", "5"}));
    ASSERT_FALSE(worker.wait_for("joined").is_null());
    const auto since = Clock::now();
    for (auto& watcher : watchers) EXPECT_EQ(watcher.wait_for("join")["members"].size(), 5u);
    EXPECT_LT(Clock::now() - since, milliseconds(100));
}

TEST(Cluster, AKilledWorkerIsGoneAfterItsGrace) {
    Cluster cluster(3);
    auto worker = join(cluster, 0);
    std::vector<Listener> watchers;
    for (std::size_t i = 0; i < 3; ++i) watchers.push_back(watch(cluster, i));
    const auto since = Clock::now();
    worker->signal(SIGKILL);
    for (auto& watcher : watchers) EXPECT_EQ(watcher.wait_for("leave")["reason"], "worker_down");
    EXPECT_LT(Clock::now() - since, kGrace + milliseconds(200));
    EXPECT_GE(Clock::now() - since, kGrace);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(members(cluster, i).empty());
}

TEST(Cluster, AWorkerThatEndsInOrderLeavesAtOnce) {
    Cluster cluster(2);
    auto worker = join(cluster, 0);
    auto watcher = watch(cluster, 1);
    const auto since = Clock::now();
    worker->signal(SIGTERM);
    EXPECT_EQ(watcher.wait_for("leave")["reason"], "left");
    EXPECT_LT(Clock::now() - since, milliseconds(500));
    EXPECT_EQ(worker->wait_exit(), 0);
}

TEST(Cluster, AKilledNodeTakesItsMembersAndComesBackWithoutThem) {
    Cluster cluster(3);
    auto worker = join(cluster, 2);
    std::vector<Listener> watchers;
    for (std::size_t i = 0; i < 2; ++i) watchers.push_back(watch(cluster, i));
    const auto old = members(cluster, 0);
    ASSERT_EQ(old.size(), 1u);

    const auto since = Clock::now();
    cluster.node(2).signal(SIGKILL);
    for (auto& watcher : watchers) EXPECT_EQ(watcher.wait_for("leave")["reason"], "node_down");
    EXPECT_LT(Clock::now() - since, seconds(1));
    ASSERT_TRUE(cluster.wait_alive(0, 2));
    EXPECT_TRUE(members(cluster, 0).empty());

    ASSERT_TRUE(cluster.node(2).wait_exit());
    cluster.start(2);
    ASSERT_TRUE(cluster.wait_alive(0, 3));
    // The worker knows only this node; it is back by itself, as a new member.
    for (auto& watcher : watchers) EXPECT_NE(watcher.wait_for("join")["members"][0], old[0]["id"]);
    const auto now = members(cluster, 1);
    ASSERT_EQ(now.size(), 1u);
    EXPECT_NE(now[0]["id"], old[0]["id"]);
    EXPECT_EQ(now[0]["worker"], old[0]["worker"]);
    EXPECT_EQ(ask(cluster, 0, {"notify", "created", "orders", "subscriptions", "1", "--wait"})["delivered"], 1);
    EXPECT_EQ(worker.wait_for("created")["data"], 1);
}

TEST(Cluster, AStoppedNodeIsKnownToHaveLeftAtOnce) {
    Cluster cluster(3);
    auto worker = join(cluster, 2);
    auto watcher = watch(cluster, 0);
    const auto since = Clock::now();
    cluster.node(2).signal(SIGTERM);
    // The node asks its worker to move: the member is there at another node, and leaves this one.
    EXPECT_EQ(watcher.wait_for("leave")["reason"], "moved");
    EXPECT_LT(Clock::now() - since, milliseconds(500));
    EXPECT_EQ(table(cluster, 0).size(), 1u);
    EXPECT_EQ(cluster.node(2).wait_exit(), 0);
    const Json nodes = ask(cluster, 0, {"nodes"})["nodes"];
    EXPECT_EQ(nodes.size(), 3u);
    for (const auto& node : nodes) EXPECT_EQ(node["state"], node["name"] == Cluster::name(2) ? "left" : "alive");
}

TEST(Cluster, AWorkerFailsOverToTheNextNodeOfItsList) {
    Cluster cluster(2);
    Listener worker(std::make_unique<Process>(
        std::vector<std::string>{MUSTER_PATH, "--node", cluster.address(1) + "," + cluster.address(0), "--in-order",
                                 "--json", "join", "orders", "subscriptions"}));
    ASSERT_FALSE(worker.wait_for("joined").is_null());
    auto watcher = watch(cluster, 0);
    cluster.node(1).signal(SIGKILL);
    EXPECT_FALSE(watcher.wait_for("leave").is_null());
    EXPECT_FALSE(watcher.wait_for("join").is_null());
    EXPECT_EQ(members(cluster, 0)[0]["node"], Cluster::name(0));
    EXPECT_EQ(ask(cluster, 0, {"notify", "updated", "orders", "subscriptions", "2", "--wait"})["delivered"], 1);
    EXPECT_EQ(worker.wait_for("updated")["data"], 2);
}

TEST(Cluster, AStoppedProcessThatWakesUpIsBackWithItsMembers) {
    Cluster cluster(3);
    auto worker = join(cluster, 2);
    const auto table = members(cluster, 0);
    auto watcher = watch(cluster, 0);
    cluster.node(2).signal(SIGSTOP);
    EXPECT_EQ(watcher.wait_for("leave")["reason"], "node_down");
    cluster.node(2).signal(SIGCONT);
    ASSERT_TRUE(cluster.wait_alive(0, 3));
    EXPECT_FALSE(watcher.wait_for("join").is_null());
    ASSERT_TRUE(cluster.wait_alive(2, 3));
}

TEST(Cluster, AFreshNodeIsReadyOnlyWithEveryMember) {
    const auto keys = key_flags("late");  // known to the others before they start
    Cluster cluster(2);
    std::vector<Listener> workers;
    for (int i = 0; i < 4; ++i) workers.push_back(join(cluster, static_cast<std::size_t>(i % 2), {"--count", "500"}));
    const auto late = "127.0.0.1:" + std::to_string(free_port());
    std::vector<std::string> command = {MUSTERD_PATH, "--name", "late", "--listen", late, "--seed", cluster.address(1)};
    command.insert(command.end(), keys.begin(), keys.end());
    Process node(command);
    // A node that is not ready refuses workers, so whoever is let in sees everything.
    const auto end = Clock::now() + kPatience;
    Finished seen;
    do {
        seen = run({MUSTER_PATH, "--node", late, "--json", "members", "orders", "subscriptions"});
    } while (seen.status != 0 && Clock::now() < end);
    EXPECT_EQ(last_line(seen)["members"].size(), 2000u);
}

TEST(Cluster, NJoinsNeedNLeavesAndDiffFindsNothing) {
    Cluster cluster(2);
    auto three = join(cluster, 0, {"--count", "3", "--meta", "role=reader"});
    auto one = join(cluster, 1);
    EXPECT_EQ(members(cluster, 1).size(), 4u);
    EXPECT_EQ(members(cluster, 1)[0]["meta"]["role"], "reader");
    EXPECT_EQ(ask(cluster, 1, {"members", "orders", "subscriptions", "--local"})["members"].size(), 1u);
    const auto groups = ask(cluster, 0, {"groups"})["groups"];
    ASSERT_EQ(groups.size(), 1u);
    EXPECT_EQ(groups[0]["members"], 4);
    EXPECT_EQ(groups[0]["key"], ask(cluster, 0, {"key", "orders", "subscriptions"})["key"]);
    EXPECT_EQ(ask(cluster, 0, {"diff", cluster.address(0), cluster.address(1)})["equal"], true);
    EXPECT_EQ(ask(cluster, 0, {"notify", "created", "orders", "subscriptions", "null", "--wait"})["delivered"], 4);
}

TEST(Cluster, ManyNotificationsArriveOnceAndInOrder) {
    Cluster cluster(3);
    constexpr int kCount = 5000;
    std::vector<Listener> workers;
    for (std::size_t i = 0; i < 3; ++i) workers.push_back(join(cluster, i, {"--for", std::to_string(kCount)}));
    const auto report =
        ask(cluster, 0, {"notify", "created", "orders", "subscriptions", "{}", "--count", std::to_string(kCount)});
    EXPECT_EQ(report["matched"], 3 * kCount);
    for (auto& worker : workers) {
        ASSERT_EQ(worker->wait_exit(), 0);
        std::uint64_t expected = 0;
        for (const auto& line : worker->lines())
            if (is_event(line, "created")) {
                ASSERT_EQ(Json::parse(line)["seq"], ++expected);
            }
        EXPECT_EQ(expected, kCount);
    }
}

}  // namespace
}  // namespace muster::test
