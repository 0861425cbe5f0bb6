// Workers that go to other nodes because an operator wants it.
#include <gtest/gtest.h>

#include <map>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Strings = std::vector<std::string>;
using Counts = std::map<std::string, std::uint64_t>;

/// Three nodes and six workers, all at the first one, and a watcher at the third.
struct Drain : testing::Test {
    void SetUp() override {
        for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster.wait_alive(i, 3));
        for (int i = 0; i < 6; ++i) workers.push_back(join(cluster, 0));
    }
    /// How many workers each node has, without the one that asks: the second node's.
    Counts counts() {
        Counts counts;
        const Json answer = ask(cluster, 1, {"nodes"});
        for (const auto& node : answer["nodes"])
            counts[node["name"]] = node["workers"].get<std::uint64_t>() - (node["name"] == "n2" ? 1 : 0);
        return counts;
    }
    bool come_to(const Counts& wanted) {
        return eventually([&] { return counts() == wanted; });
    }
    void all_are_delivered(const std::string& data) {
        const auto report = notify(cluster, 2, data, {"--wait"});
        EXPECT_EQ(report["matched"], 6);
        EXPECT_EQ(report["delivered"], 6);
        for (const auto& worker : workers) EXPECT_EQ(worker.wait_for("created")["data"].dump(), data);
    }

    Cluster cluster{3};
    std::vector<Listener> workers;
};

TEST_F(Drain, WorkersAreSpreadEvenlyAndANodeIsEmptiedAndFilledAgain) {
    const auto watcher = watch(cluster, 2);
    ASSERT_TRUE(come_to({{"n1", 6}, {"n2", 0}, {"n3", 1}})) << Json(counts()).dump();
    ASSERT_EQ(cluster.muster(1, {"rebalance"}).status, 0);
    ASSERT_TRUE(come_to({{"n1", 3}, {"n2", 2}, {"n3", 2}})) << Json(counts()).dump();
    all_are_delivered("1");

    const auto drained = cluster.muster(1, {"drain", "n1"});
    ASSERT_EQ(drained.status, 0) << drained.errors;
    EXPECT_EQ(last_line(drained), (Json{{"node", "n1"}, {"draining", true}, {"workers", 0}}));
    EXPECT_TRUE(eventually([&] { return counts()["n1"] == 0; }));
    all_are_delivered("2");
    for (const auto& [member, story] : told(watcher).story) {
        EXPECT_EQ(story.find("worker_down"), std::string::npos) << member << ": " << story;
        EXPECT_EQ(story.find("left"), std::string::npos) << member << ": " << story;
    }
    ASSERT_EQ(cluster.muster(1, {"rebalance"}).status, 0);
    EXPECT_EQ(counts()["n1"], 0u) << "it drains";

    ASSERT_EQ(cluster.muster(1, {"undrain", "n1"}).status, 0);
    ASSERT_TRUE(eventually([&] { return !ask(cluster, 1, {"nodes"})["nodes"][0]["draining"]; }));
    ASSERT_TRUE(eventually([&] { return counts()["n1"] == 0; })) << "the session that ended it is gone";
    const auto filled = cluster.muster(1, {"rebalance"});
    EXPECT_EQ(last_line(filled)["moves"].size(), 2u) << filled.lines.back();
    ASSERT_TRUE(eventually([&] { return counts()["n1"] == 2; })) << Json(counts()).dump();
    all_are_delivered("3");
    const auto again = cluster.muster(1, {"rebalance"});
    EXPECT_EQ(last_line(again), (Json{{"moves", Json::array()}}));
}

TEST_F(Drain, WorkersThatKnowNoOtherNodeAreServedAndNamed) {
    const auto stays = join(cluster, 1, {"--listed-only"});
    const auto drained = cluster.muster(0, {"drain", "n2", "--timeout", "1"});
    EXPECT_EQ(drained.status, 124);
    EXPECT_NE(drained.errors.find("1 worker of n2 did not go"), std::string::npos) << drained.errors;
    notify(cluster, 0, "4", {"--wait"});
    EXPECT_EQ(stays.wait_for("created")["data"], 4);
    EXPECT_EQ(cluster.muster(0, {"drain", "nobody"}).status, 2);
    EXPECT_EQ(cluster.muster(0, {"drain", "not a name"}).status, 2);
}

}  // namespace
}  // namespace muster::test
