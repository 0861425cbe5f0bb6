// A session from its hello to its end.
#include <gtest/gtest.h>

#include "proto/codec.hpp"
#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

class WorkerSessions : public ThreeNodes {};

TEST_F(WorkerSessions, AWorkerWithMoreMembersThanAFrameHoldsIsNotifiedInPartsAndCanEnd) {
    const ConnectionId connection{9};
    net.from_worker("b", connection, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
    std::uint64_t request = 0;
    for (int i = 0; i < 3; ++i)
        net.from_worker("b", connection, "w", token, ++request, proto::JoinRequest{kOrders, 40000, {}, false, 0});
    std::vector<MemberNumber> odd;  // leaves 60,000 runs behind
    for (std::uint64_t n = 1; n <= 120000; n += 2) odd.emplace_back(n);
    net.from_worker("b", connection, "w", token, ++request, proto::LeaveRequest{kOrders, odd, 0});
    ASSERT_EQ(net.members("a", kOrders).size(), 60000u);
    net.take_sent(connection);
    net.notify("a", kOrders, "1");
    std::size_t members = 0;
    for (const auto& message : net.take_sent(connection)) {
        if (const auto* deliveries = std::get_if<proto::Deliveries>(&message.body)) {
            for (const auto& delivery : deliveries->items) members += delivery.members->size();
            EXPECT_TRUE(proto::decode(proto::encode(message)).ok());
        }
    }
    EXPECT_EQ(members, 60000u);
    net.published.clear();
    net.from_worker("b", connection, "w", token, 0, proto::WorkerGoodbye{});
    EXPECT_TRUE(net.members("a", kOrders).empty());
    for (const auto& message : net.published["b"]) EXPECT_TRUE(proto::decode(proto::encode(message)).ok());
}

TEST_F(WorkerSessions, AGoodbyeCountsOverAnyConnection) {
    const ConnectionId connection{9}, other{10};
    net.from_worker("b", connection, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
    net.from_worker("b", connection, "w", token, 1, proto::JoinRequest{kOrders, 2, {}, false, 0});
    net.from_worker("b", other, "x", token, 0, proto::WorkerGoodbye{});  // not its own
    net.from_worker("b", other, "w", SessionToken{token.value + 1}, 0, proto::WorkerGoodbye{});
    EXPECT_EQ(net.members("a", kOrders).size(), 2u);
    const auto refused = net.take_sent(other);
    ASSERT_EQ(refused.size(), 2u);
    for (const auto& message : refused)
        EXPECT_EQ(std::get<proto::Refuse>(message.body).code, ErrorCode::unknown_session);
    net.from_worker("b", other, "w", token, 0, proto::WorkerGoodbye{});
    EXPECT_TRUE(net.members("a", kOrders).empty());
    EXPECT_TRUE(net.take_sent(other).empty());
}

/// On an overloaded machine a node may not run for longer than a grace period, and cannot hear that the worker is back.
TEST_F(WorkerSessions, TheGracePeriodOfAWorkerStandsStillWhileTheNodeDoesNotRun) {
    const ConnectionId connection{9}, other{10};
    net.from_worker("b", connection, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
    net.from_worker("b", connection, "w", token, 1, proto::JoinRequest{kOrders, 2, {}, false, 0});
    net.call("b", ConnectionLost{connection});
    net.run(milliseconds(400));
    net.now += std::chrono::seconds(12);
    net.call("b", Tick{});
    net.run(milliseconds(500));
    EXPECT_EQ(net.members("b", kOrders).size(), 2u);
    net.from_worker("b", other, "w", token, 0, proto::WorkerHello{token, 0});
    EXPECT_TRUE(std::get<proto::WorkerWelcome>(net.take_sent(other).at(0).body).resumed);

    net.call("b", ConnectionLost{other});
    net.run(milliseconds(400));
    net.now += std::chrono::seconds(12);
    net.call("b", Tick{});
    net.run(milliseconds(700));
    EXPECT_TRUE(net.members("b", kOrders).empty());
}

}  // namespace
}  // namespace muster::cluster::test
