// Losses on purpose, one at a time: each repaired, none by a restart.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "proto/codec.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

bool is_deltas(const proto::Message& message) {
    return std::holds_alternative<proto::Deltas>(message.body);
}

class Repair : public ::testing::Test {
protected:
    void SetUp() override {
        net.start("a");
        net.start("b", "a");
        net.start("c", "a");
        net.run(milliseconds(600));
    }
    std::uint64_t counter(const std::string& node, const std::string& name) {
        const auto counters = net.core(node).status().counters;
        const auto it = counters.find(name);
        return it == counters.end() ? 0 : it->second;
    }
    Net net;
};

TEST_F(Repair, AGapIsSeenByTheNextDeltaAndPulled) {
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

TEST_F(Repair, TheLastLostDeltaIsFoundByAHeartbeat) {
    bool lose = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return lose && to == "b" && is_deltas(message);
    };
    net.join("a", kMe, kOrders, 3);
    lose = false;
    net.run(milliseconds(300));
    EXPECT_EQ(net.members("b", kOrders).size(), 3u);
}

TEST_F(Repair, WhoIsTooFarBehindTakesASnapshotAndTellsOnlyTheDifference) {
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
    for (std::size_t i = 1; i < small.told.size(); ++i)
        (small.told[i].event.kind == WatchEvent::Kind::join ? joined : left) +=
            small.told[i].event.groups[0].members.size();
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

TEST_F(Repair, ASnapshotArrivesOverALinkOnWhichAChunkTakesLongerThanAPullWaits) {
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

TEST_F(Repair, AGroupThatVanishedAndIsWatchedSinceIsNobodysGoal) {
    net.join("b", kMe, kOrders);
    EXPECT_EQ(std::get<NotifyReport>(net.notify("a", kOrders, "1")).matched, 1u);
    net.stop_gracefully("b");
    net.run(milliseconds(100));
    net.call("a", LocalWatch{WatchId{1}, kOrders});
    EXPECT_EQ(std::get<NotifyReport>(net.notify("a", kOrders, "2")).matched, 0u);
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

TEST_F(Repair, ASilentNodeIsNotDeadWhileAnotherHearsIt) {
    // a and b do not reach each other; both reach c.
    net.join("b", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        const auto& from = message.header.origin;
        return (from == "a" && to == "b") || (from == "b" && to == "a");
    };
    net.run(std::chrono::seconds(8));
    for (const auto* name : {"a", "b", "c"})
        for (const auto& node : net.core(name).nodes())
            EXPECT_EQ(node.state, NodeState::alive) << name << " of " << node.id.name;
    net.join("b", kMe, kOrders);
    net.run(milliseconds(500));
    EXPECT_EQ(net.members("a", kOrders).size(), 2u);
    const auto report = std::get<NotifyReport>(net.notify("a", kOrders, "1", true));
    EXPECT_EQ(report.delivered, 2u);
    EXPECT_GE(counter("c", "relayed_passed_on"), 1u);
}

TEST_F(Repair, NothingWaitsForALinkThatIsOpenedAnewWhileAnotherHearsThePeer) {
    net.join("a", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        return (to == "a" && message.header.origin == "b") || (to == "b" && message.header.origin == "a");
    };
    net.run(milliseconds(2000));
    const auto reconnects = counter("a", "reconnects") + counter("b", "reconnects");
    for (int i = 0; i < 100; ++i) {
        const Instant since = net.now;
        EXPECT_EQ(std::get<NotifyReport>(net.notify("b", kOrders, "1", true)).delivered, 1u);
        EXPECT_LE(net.now - since, milliseconds(100)) << "notification " << i;
        net.run(milliseconds(100));
    }
    EXPECT_GE(counter("a", "reconnects") + counter("b", "reconnects"), reconnects + 2);
}

TEST_F(Repair, WhatArrivesByADetourIsAcknowledgedByADetour) {
    // b's words do not reach a, a's reach b; b has nothing to say but acknowledgements.
    net.join("b", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        return to == "a" && message.header.origin == "b";
    };
    net.notify("a", kOrders, "1");
    net.run(std::chrono::seconds(6));
    EXPECT_EQ(net.delivered.size(), 1u);
    EXPECT_EQ(counter("a", "link_queue"), 0u);
}

TEST_F(Repair, AfterASplitWhatLeftDoesNotReturnAndTheHealIsByDelta) {
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
    ASSERT_EQ(net.told.size(), 3u);  // snapshot, all down, one back
    EXPECT_EQ(net.told[1].event.reason, Reason::node_down);
    EXPECT_EQ(net.told[1].event.groups[0].members.size(), 3u);
    EXPECT_EQ(net.told[2].event.groups[0].members.size(), 1u);
}

TEST_F(Repair, ASuspectedNodeRefutesByBeingHeard) {
    bool mute = true;
    net.drop = [&](const std::string&, const proto::Message& message) { return mute && message.header.origin == "b"; };
    net.run(milliseconds(1400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::suspect);
    mute = false;
    net.run(milliseconds(400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::alive);
}

TEST_F(Repair, WhoWasCutOffDeclaresNobodyDownWhomItHasYetToHear) {
    bool cut = true;
    bool only_heartbeats_of_c = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        if (cut) return (to == "a") != (message.header.origin == "a");
        const bool beat_of_c = message.header.origin == "c" && std::holds_alternative<proto::Heartbeat>(message.body);
        return only_heartbeats_of_c && to == "a" && !beat_of_c;
    };
    net.run(milliseconds(3000));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::suspect);
    net.notes.clear();
    cut = false;
    net.run(milliseconds(400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::suspect);
    EXPECT_EQ(net.core("a").nodes()[2].state, NodeState::alive);
    only_heartbeats_of_c = false;
    net.run(milliseconds(400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    EXPECT_EQ(std::ranges::count(net.notes, "a: node down b"), 0);
}

TEST_F(Repair, AKilledProcessWhosePortClosesAfterItsLinksIsFoundAllTheSame) {
    net.checks_in_vain = 4;  // two at each of the others
    net.kill("b");
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    net.run(milliseconds(250));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::down);
}

TEST_F(Repair, APortThatClosesALittleLaterIsFoundClosedWithinMilliseconds) {
    net.checks_in_vain = 4;  // two at each of the others
    net.kill("b");
    net.run(milliseconds(20));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::down);
}

TEST_F(Repair, AWorkerWithMoreMembersThanFitAFrameIsToldInPartsAndCanDie) {
    const ConnectionId connection{9};
    net.tell("b", connection, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.heard(connection).at(0).body).token;
    std::uint64_t request = 0;
    for (int i = 0; i < 3; ++i)
        net.tell("b", connection, "w", token, ++request, proto::JoinRequest{kOrders, 40000, {}, false, 0});
    std::vector<MemberNumber> odd;  // leaves 60,000 runs behind
    for (std::uint64_t n = 1; n <= 120000; n += 2) odd.emplace_back(n);
    net.tell("b", connection, "w", token, ++request, proto::LeaveRequest{kOrders, odd, 0});
    ASSERT_EQ(net.members("a", kOrders).size(), 60000u);
    net.heard(connection);
    net.notify("a", kOrders, "1");
    std::size_t members = 0;
    for (const auto& message : net.heard(connection)) {
        if (const auto* deliveries = std::get_if<proto::Deliveries>(&message.body)) {
            for (const auto& delivery : deliveries->items) members += delivery.members->size();
            EXPECT_TRUE(proto::decode(proto::encode(message)).ok());
        }
    }
    EXPECT_EQ(members, 60000u);
    net.published.clear();
    net.tell("b", connection, "w", token, 0, proto::WorkerGoodbye{});
    EXPECT_TRUE(net.members("a", kOrders).empty());
    for (const auto& message : net.published["b"]) EXPECT_TRUE(proto::decode(proto::encode(message)).ok());
}

TEST_F(Repair, AGoodbyeCountsOverWhicheverConnectionItComes) {
    const ConnectionId connection{9}, other{10};
    net.tell("b", connection, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.heard(connection).at(0).body).token;
    net.tell("b", connection, "w", token, 1, proto::JoinRequest{kOrders, 2, {}, false, 0});
    net.tell("b", other, "x", token, 0, proto::WorkerGoodbye{});  // not its own
    net.tell("b", other, "w", SessionToken{token.value + 1}, 0, proto::WorkerGoodbye{});
    EXPECT_EQ(net.members("a", kOrders).size(), 2u);
    const auto refused = net.heard(other);
    ASSERT_EQ(refused.size(), 2u);
    for (const auto& message : refused)
        EXPECT_EQ(std::get<proto::Refuse>(message.body).code, ErrorCode::unknown_session);
    net.tell("b", other, "w", token, 0, proto::WorkerGoodbye{});
    EXPECT_TRUE(net.members("a", kOrders).empty());
    EXPECT_TRUE(net.heard(other).empty());
}

TEST_F(Repair, ANameTakenByALiveNodeElsewhereIsRefusedAndDisturbsNothing) {
    net.join("b", kMe, kOrders);
    Options twin;
    twin.self = {"b", Incarnation{999999}};
    twin.address = "elsewhere:door";
    proto::Message hello{{"default", "b", 999999, 0},
                         proto::Hello{{twin.self, 0, NodeState::alive, "elsewhere:door", "e:c", "e:g", {}}}};
    net.call("a", MessageArrived{Channel::door, ConnectionId{5}, {}, hello});
    const auto answers = net.heard(ConnectionId{5});
    ASSERT_EQ(answers.size(), 1u);
    const auto& refusal = std::get<proto::Refuse>(answers[0].body);
    EXPECT_EQ(refusal.code, ErrorCode::name_taken);
    EXPECT_NE(refusal.text.find("'b' is taken by a live node at b:door"), std::string::npos) << refusal.text;
    net.run(std::chrono::seconds(2));
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    EXPECT_EQ(net.core("a").nodes().size(), 3u);
}

TEST_F(Repair, AnEarlierClockTakesAHigherIncarnation) {
    net.kill("b");
    net.run(milliseconds(200));
    net.adjust = [](Options& options) { options.self.incarnation = Incarnation{1}; };  // its clock went back
    net.start("b", "a");
    net.run(milliseconds(1500));
    EXPECT_TRUE(net.core("b").is_ready());
    EXPECT_GT(net.core("b").self().incarnation, Incarnation{1001});
    net.join("b", kMe, kOrders);
    EXPECT_EQ(net.members("c", kOrders).size(), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
