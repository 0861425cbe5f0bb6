#include "node/sockets/connection_map.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

using cluster::ConnectionId;
using cluster::Instant;
using std::chrono::seconds;

constexpr Instant at(int second) {
    return Instant(seconds(second));
}

TEST(ConnectionMap, MapsBothWays) {
    ConnectionMap routes(10, seconds(60));
    const ConnectionId a = routes.route_of("A", 3, at(1));
    const ConnectionId b = routes.route_of("B", 3, at(1));
    EXPECT_NE(a, b);
    EXPECT_EQ(routes.route_of("A", 3, at(2)), a);
    ASSERT_NE(routes.way_of(b, at(2)), nullptr);
    EXPECT_EQ(routes.way_of(b, at(2))->routing_id, "B");
    EXPECT_EQ(routes.way_of(ConnectionId{99}, at(2)), nullptr);
}

TEST(ConnectionMap, NeverUsesARouteTwice) {
    ConnectionMap routes(10, seconds(60));
    const ConnectionId first = routes.route_of("A", 3, at(1));
    routes.forget(first);
    EXPECT_EQ(routes.way_of(first, at(1)), nullptr);
    EXPECT_NE(routes.route_of("A", 3, at(1)), first);
    EXPECT_EQ(routes.way_of(first, at(1)), nullptr);
}

TEST(ConnectionMap, KnowsTheConnectionThatWasUsedLast) {
    ConnectionMap routes(10, seconds(60));
    const ConnectionId a = routes.route_of("A", 3, at(1));
    EXPECT_EQ(routes.way_of(a, at(1))->descriptor, 3);
    EXPECT_EQ(routes.route_of("A", 4, at(2)), a);
    EXPECT_EQ(routes.way_of(a, at(2))->descriptor, 4);
}

TEST(ConnectionMap, ForgetsTheLongestUnusedWhenFull) {
    ConnectionMap routes(2, seconds(60));
    const ConnectionId a = routes.route_of("A", 3, at(1));
    const ConnectionId b = routes.route_of("B", 3, at(2));
    EXPECT_NE(routes.way_of(a, at(3)), nullptr);  // sending is use
    const ConnectionId c = routes.route_of("C", 3, at(4));
    EXPECT_EQ(routes.size(), 2u);
    EXPECT_EQ(routes.take_evicted(), 1u);
    EXPECT_EQ(routes.take_evicted(), 0u);
    EXPECT_EQ(routes.way_of(b, at(5)), nullptr);
    EXPECT_NE(routes.way_of(a, at(5)), nullptr);
    EXPECT_NE(routes.way_of(c, at(5)), nullptr);
}

TEST(ConnectionMap, ForgetsWhatIsIdle) {
    ConnectionMap routes(10, seconds(60));
    const ConnectionId a = routes.route_of("A", 3, at(0));
    const ConnectionId b = routes.route_of("B", 3, at(50));
    routes.expire(at(60));
    EXPECT_EQ(routes.size(), 2u);
    routes.expire(at(61));
    EXPECT_EQ(routes.size(), 1u);
    EXPECT_EQ(routes.way_of(a, at(61)), nullptr);
    EXPECT_NE(routes.way_of(b, at(61)), nullptr);
}

TEST(ConnectionMap, TakesRoutingIdsOfAnyBytes) {
    ConnectionMap routes(10, seconds(60));
    const std::string zero("\0\0", 2);
    const ConnectionId a = routes.route_of(zero, 3, at(0));
    EXPECT_NE(routes.route_of(std::string("\0", 1), 3, at(0)), a);
    EXPECT_EQ(routes.way_of(a, at(0))->routing_id, zero);
}

}  // namespace
}  // namespace muster::node
