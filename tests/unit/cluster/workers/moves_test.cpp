// Workers that a node asks to go to other nodes, because an operator wants it.
#include <gtest/gtest.h>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kLife = 77;

class WorkerMoves : public ThreeNodes {
protected:
    struct AtNode {
        ConnectionId connection;
        SessionToken token;
    };
    AtNode attach(const std::string& node, std::uint64_t life = kLife) {
        const ConnectionId connection{++last_};
        net.from_worker(node, connection, "w", {}, 0, proto::WorkerHello{{}, 0, life});
        const auto token = std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
        attached_.push_back({node, {connection, token}});
        return {connection, token};
    }
    /// Time passes, in which the workers live.
    void run(Duration duration) {
        for (; duration > Duration(0); duration -= milliseconds(500)) {
            net.run(std::min<Duration>(duration, milliseconds(500)));
            for (const auto& [node, worker] : attached_)
                net.from_worker(node, worker.connection, "w", worker.token, 0, proto::WorkerHeartbeat{});
        }
    }
    /// The reply to a request of this worker.
    proto::Body ask(const std::string& node, const AtNode& worker, proto::Body request) {
        net.take_sent(worker.connection);
        net.from_worker(node, worker.connection, "w", worker.token, ++requests_, std::move(request));
        for (auto& message : net.take_sent(worker.connection))
            if (message.header.seq == requests_) return message.body;
        return {};
    }
    /// Where the worker was asked to go since the last call; nothing if it was not.
    std::optional<std::string> asked(const AtNode& worker) {
        std::optional<std::string> to;
        for (const auto& message : net.take_sent(worker.connection))
            if (const auto* move = std::get_if<proto::Move>(&message.body)) to = move->to;
        return to;
    }
    NodeInfo seen(const std::string& from, const std::string& node) {
        for (const auto& info : net.core(from).nodes())
            if (info.id.name == node) return info;
        return {};
    }

private:
    std::vector<std::pair<std::string, AtNode>> attached_;
    std::uint64_t last_ = 100;
    std::uint64_t requests_ = 0;
};

TEST_F(WorkerMoves, ADrainedNodeSendsWorkersWhereTheyAreFewestUntilItIsToldNotTo) {
    const auto one = attach("a"), old = attach("a", 0), at_b = attach("b");
    run(milliseconds(600));
    EXPECT_EQ(seen("c", "a").workers, 2u);
    EXPECT_EQ(seen("c", "b").workers, 1u);
    ASSERT_TRUE(std::holds_alternative<proto::DoneReply>(ask("a", one, proto::DrainRequest{true})));
    run(milliseconds(600));
    EXPECT_EQ(asked(one), "c@" + seen("a", "c").address);
    EXPECT_EQ(asked(old), std::nullopt) << "an older worker does not know how";
    EXPECT_EQ(asked(at_b), std::nullopt);
    EXPECT_TRUE(seen("a", "a").draining);
    EXPECT_TRUE(seen("c", "a").draining);
    run(seconds(2));
    EXPECT_TRUE(asked(one)) << "it stays, and is asked again";
    const auto late = attach("a");
    run(milliseconds(600));
    EXPECT_TRUE(asked(late));
    ASSERT_TRUE(std::holds_alternative<proto::DoneReply>(ask("a", one, proto::DrainRequest{false})));
    run(seconds(2));
    EXPECT_EQ(asked(one), std::nullopt);
    EXPECT_EQ(asked(late), std::nullopt);
    EXPECT_FALSE(seen("c", "a").draining);
}

TEST_F(WorkerMoves, WorkersDoNotGoRoundWhenAllNodesDrain) {
    const auto at_a = attach("a"), at_b = attach("b"), at_c = attach("c");
    ask("b", at_b, proto::DrainRequest{true});
    run(milliseconds(600));
    ask("a", at_a, proto::DrainRequest{true});
    run(milliseconds(600));
    EXPECT_EQ(asked(at_a), "c@" + seen("a", "c").address);
    ask("c", at_c, proto::DrainRequest{true});
    run(seconds(1));
    for (const auto& worker : {at_a, at_b, at_c}) asked(worker);
    run(seconds(3));
    for (const auto& worker : {at_a, at_b, at_c}) EXPECT_EQ(asked(worker), std::nullopt);
}

TEST_F(WorkerMoves, ANodeThatStopsTakesNoWorkersAgain) {
    const auto worker = attach("a");
    net.call("a", Drain{});
    const auto reply = ask("a", worker, proto::DrainRequest{false});
    ASSERT_TRUE(std::holds_alternative<proto::ErrorReply>(reply));
    EXPECT_EQ(std::get<proto::ErrorReply>(reply).code, ErrorCode::bad_request);
}

TEST_F(WorkerMoves, SomeWorkersAreAskedOnceToGoToOneNode) {
    const auto operates = attach("a");
    std::vector<AtNode> workers;
    for (int i = 0; i < 5; ++i) workers.push_back(attach("a"));
    const auto old = attach("a", 0);
    ASSERT_TRUE(std::holds_alternative<proto::DoneReply>(ask("a", operates, proto::MoveRequest{3, "b@there:1"})));
    ASSERT_TRUE(std::holds_alternative<proto::DoneReply>(ask("a", operates, proto::MoveRequest{1, "c@there:2"})));
    run(seconds(3));
    std::map<std::string, int> to;
    for (const auto& worker : workers)
        if (const auto where = asked(worker)) ++to[*where];
    EXPECT_EQ(to, (std::map<std::string, int>{{"b@there:1", 3}, {"c@there:2", 1}}));
    EXPECT_EQ(asked(operates), std::nullopt);
    EXPECT_EQ(asked(old), std::nullopt);
    EXPECT_EQ(net.counter("a", "workers_asked_to_move"), 4u);
}

TEST_F(WorkerMoves, WatchersAreToldThatMembersMoved) {
    net.call("c", LocalWatch{WatchId{1}, kOrders});
    const auto before = attach("a");
    ask("a", before, proto::JoinRequest{kOrders, 2, {}, false, 0});
    const auto after = attach("b");
    proto::RejoinRequest again{kOrders, {}, {{2, {}, 500}}, net.core("a").self(), 0};
    ASSERT_TRUE(std::holds_alternative<proto::JoinReply>(ask("b", after, again)));
    net.from_worker("a", before.connection, "w", before.token, 0, proto::WorkerGoodbye{true});
    run(milliseconds(100));
    std::vector<std::pair<WatchEvent::Kind, Reason>> told;
    for (const auto& event : net.watch_events) told.emplace_back(event.event.kind, event.event.reason);
    using Kind = WatchEvent::Kind;
    EXPECT_EQ(told, (std::vector<std::pair<Kind, Reason>>{{Kind::snapshot, Reason::left},
                                                          {Kind::join, Reason::left},
                                                          {Kind::join, Reason::moved},
                                                          {Kind::leave, Reason::moved}}));
}

/// The third node may see the leave before the join, and the worker asks it for what it has sent between.
TEST_F(WorkerMoves, WhatIsSentWhileAMovedMemberIsNowhereToBeSeenIsRemembered) {
    const auto before = attach("a");
    ask("a", before, proto::JoinRequest{kOrders, 1, {}, false, 0});
    net.join("c", kMe, kOrders);
    net.notify("c", kOrders, "1");
    net.from_worker("a", before.connection, "w", before.token, 0, proto::WorkerGoodbye{true});
    run(milliseconds(100));
    net.notify("c", kOrders, "2");
    const auto after = attach("b");
    proto::RejoinRequest again{kOrders, {{net.core("c").self(), 0}}, {{1, {}, 500}}, net.core("a").self(), 0};
    ask("b", after, again);
    run(seconds(1));
    EXPECT_EQ(net.counter("c", "notices_replayed"), 2u);
}

/// A node that has just begun has seen no life end. It is told of no loss by one that had ended long before.
TEST_F(WorkerMoves, AtANewNodeOnlyLivesThatEndedLatelyMayHaveLostSomething) {
    const auto restart = [&](const std::vector<std::string>& nodes) {
        std::vector<NodeId> before;
        for (const auto& node : nodes) {
            before.push_back(net.core(node).self());
            net.kill(node);
            net.start(node, "a");
        }
        run(milliseconds(500));
        return before;
    };
    const auto loses = [&](const NodeId& origin, const NodeId& last) {
        const auto worker = attach("c");
        const proto::RejoinRequest again{kOrders, {{origin, 5}}, {{1, {}, 9000}}, last, 1};
        net.from_worker("c", worker.connection, "w", worker.token, 1, again);
        run(milliseconds(200));
        const auto sent = net.take_sent(worker.connection);
        return std::any_of(sent.begin(), sent.end(), [](const auto& message) {
            const auto* gap = std::get_if<proto::Gap>(&message.body);
            return gap && gap->at_least;
        });
    };
    const auto before = restart({"b", "c"});
    EXPECT_TRUE(loses(before[0], before[1])) << "both may have died together";
    run(seconds(2));
    const auto c = restart({"c"});
    EXPECT_FALSE(loses(before[0], c[0])) << "the next life of b is two seconds old";
}

}  // namespace
}  // namespace muster::cluster::test
