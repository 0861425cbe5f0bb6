// Deltas and chunks are lost on purpose, one at a time. Each loss is repaired, without a restart.
#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

bool is_deltas(const proto::Message& message) {
    return std::holds_alternative<proto::Deltas>(message.body);
}

class Repair : public ThreeNodes {};

TEST_F(Repair, TheNextDeltaRevealsAGapWhichIsPulled) {
    bool lose = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return lose && to == "b" && is_deltas(message);
    };
    net.join("a", kMe, kOrders);
    lose = false;
    EXPECT_TRUE(net.members("b", kOrders).empty());
    net.join("a", kMe, kOrders);
    EXPECT_EQ(net.members("b", kOrders).size(), 2u);
    EXPECT_GE(counter("b", "gaps"), 1u);
    EXPECT_EQ(counter("b", "snapshots_taken"), 0u);
}

TEST_F(Repair, AHeartbeatRevealsTheLossOfTheLastDelta) {
    bool lose = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return lose && to == "b" && is_deltas(message);
    };
    net.join("a", kMe, kOrders, 3);
    lose = false;
    net.run(milliseconds(300));
    EXPECT_EQ(net.members("b", kOrders).size(), 3u);
}

TEST_F(Repair, ANodeTooFarBehindTakesASnapshotAndReportsOnlyTheDifference) {
    Net small([](Options& options) { options.bounds.log_deltas = 4; });
    small.start("a");
    small.start("b", "a");
    small.run(milliseconds(600));
    small.join("a", kMe, kOrders, 50);
    small.call("b", LocalWatch{WatchId{1}, {}});
    bool lose = true;
    small.drop = [&](const std::string&, const proto::Message& message) { return lose && is_deltas(message); };
    for (int i = 0; i < 10; ++i) small.join("a", kMe, {"store", std::to_string(i)});
    small.leave("a", kMe, kOrders, 1);
    lose = false;
    small.run(milliseconds(600));
    EXPECT_EQ(small.members("b", kOrders), small.members("a", kOrders));
    EXPECT_EQ(small.core("b").groups(), small.core("a").groups());
    EXPECT_EQ(small.core("b").status().counters.at("snapshots_taken"), 1u);
    std::size_t joined = 0;
    std::size_t left = 0;
    for (std::size_t i = 1; i < small.watch_events.size(); ++i)
        (small.watch_events[i].event.kind == WatchEvent::Kind::join ? joined : left) +=
            small.watch_events[i].event.groups[0].members.size();
    EXPECT_EQ(joined, 10u);
    EXPECT_EQ(left, 1u);
}

TEST_F(Repair, ALargeSnapshotComesInChunks) {
    Net large([](Options& options) { options.bounds.log_deltas = 1; });
    large.start("a");
    for (int i = 0; i < 1000; ++i)
        large.join("a", kMe, {"store", std::to_string(i)}, 2, {{"key", std::string(200, 'x')}});
    large.start("b", "a");
    large.run(milliseconds(800));
    EXPECT_TRUE(large.core("b").is_ready());
    EXPECT_EQ(large.core("b").groups(), large.core("a").groups());
    EXPECT_EQ(large.core("b").groups().size(), 1000u);
}

TEST_F(Repair, ASnapshotArrivesThoughEachChunkTakesLongerThanThePullTimeout) {
    Net slow([](Options& options) {
        options.bounds.log_deltas = 1;
        options.bounds.chunk_bytes = 2048;
    });
    slow.start("a");
    for (int i = 0; i < 60; ++i) slow.join("a", kMe, {"store", std::to_string(i)}, 2, {{"key", std::string(200, 'x')}});
    std::deque<proto::Message> on_the_way;
    slow.drop = [&](const std::string& to, const proto::Message& message) {
        if (to != "b" || !std::holds_alternative<proto::SnapshotChunk>(message.body)) return false;
        on_the_way.push_back(message);
        return true;
    };
    slow.start("b", "a");
    for (int chunks = 0; chunks < 60 && slow.core("b").groups() != slow.core("a").groups(); ++chunks) {
        slow.run(milliseconds(400));
        if (on_the_way.empty()) continue;
        auto next = std::move(on_the_way.front());
        on_the_way.pop_front();
        slow.call("b", MessageArrived{Channel::control, {}, {}, std::move(next)});
    }
    EXPECT_EQ(slow.core("b").groups(), slow.core("a").groups());
    EXPECT_LT(on_the_way.size(), 20u);
}

/// As over two relays, of which one is slower.
TEST_F(Repair, ChunksOfASnapshotMayOvertakeEachOther) {
    Net small([](Options& options) {
        options.bounds.log_deltas = 1;
        options.bounds.chunk_bytes = 64;
    });
    small.start("a");
    for (int i = 0; i < 12; ++i) small.join("a", kMe, {"g", std::to_string(i)});
    std::vector<proto::Message> held;
    small.drop = [&](const std::string& to, const proto::Message& message) {
        const auto* chunk = std::get_if<proto::SnapshotChunk>(&message.body);
        const bool is_held = to == "b" && chunk && chunk->index % 2 == 0;
        if (is_held) held.push_back(message);
        return is_held;
    };
    small.start("b", "a");
    for (int i = 0; i < 200; ++i) {
        small.run(milliseconds(1));
        for (auto& message : std::exchange(held, {}))
            small.call("b", MessageArrived{Channel::control, {}, {}, std::move(message)});
    }
    EXPECT_EQ(small.counter("b", "snapshots_taken"), 1u);
    EXPECT_EQ(small.counter("a", "snapshots_sent"), 1u);
    EXPECT_EQ(small.members("b", {"g", "11"}).size(), 1u);
}

TEST_F(Repair, ALateNodeIsReadyOnlyWithAllMembers) {
    for (int i = 0; i < 100; ++i) net.join("a", kMe, {"store", std::to_string(i)});
    net.join("b", kMe, kOrders, 5);
    bool lose = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return lose && to == "d" && (is_deltas(message) || std::holds_alternative<proto::SnapshotChunk>(message.body));
    };
    net.start("d", "c");
    net.run(milliseconds(1500));
    EXPECT_FALSE(net.core("d").is_ready());
    lose = false;
    net.run(milliseconds(1500));
    EXPECT_TRUE(net.core("d").is_ready());
    EXPECT_EQ(net.core("d").groups(), net.core("a").groups());
}

TEST_F(Repair, AfterASplitMembersThatLeftStayGoneAndDeltasAreEnough) {
    net.join("c", kMe, kOrders, 3);
    net.call("a", LocalWatch{WatchId{1}, {}});
    bool split = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return split && (to == "c") != (message.header.origin == "c");
    };
    net.run(std::chrono::seconds(8));
    EXPECT_TRUE(net.members("a", kOrders).empty());
    net.leave("c", kMe, kOrders, 2);
    split = false;
    net.run(std::chrono::seconds(8));
    EXPECT_EQ(net.members("a", kOrders), net.members("c", kOrders));
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    EXPECT_EQ(counter("a", "snapshots_taken"), 0u);
    ASSERT_EQ(net.watch_events.size(), 3u);  // snapshot, all down, one back
    EXPECT_EQ(net.watch_events[1].event.reason, Reason::node_down);
    EXPECT_EQ(net.watch_events[1].event.groups[0].members.size(), 3u);
    EXPECT_EQ(net.watch_events[2].event.groups[0].members.size(), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
