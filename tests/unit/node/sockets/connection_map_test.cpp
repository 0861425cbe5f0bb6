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
    ConnectionMap connections(10, seconds(60));
    const ConnectionId a = connections.id_of({"A", 0, 3}, at(1));
    const ConnectionId b = connections.id_of({"B", 0, 3}, at(1));
    EXPECT_NE(a, b);
    EXPECT_EQ(connections.id_of({"A", 0, 3}, at(2)), a);
    ASSERT_NE(connections.find(b, at(2)), nullptr);
    EXPECT_EQ(connections.find(b, at(2))->routing_id, "B");
    EXPECT_EQ(connections.find(ConnectionId{99}, at(2)), nullptr);
}

TEST(ConnectionMap, NeverUsesAnIdTwice) {
    ConnectionMap connections(10, seconds(60));
    const ConnectionId first = connections.id_of({"A", 0, 3}, at(1));
    connections.forget(first);
    EXPECT_EQ(connections.find(first, at(1)), nullptr);
    EXPECT_NE(connections.id_of({"A", 0, 3}, at(1)), first);
    EXPECT_EQ(connections.find(first, at(1)), nullptr);
}

TEST(ConnectionMap, KnowsTheDescriptorThatWasUsedLast) {
    ConnectionMap connections(10, seconds(60));
    const ConnectionId a = connections.id_of({"A", 0, 3}, at(1));
    EXPECT_EQ(connections.find(a, at(1))->descriptor, 3);
    EXPECT_EQ(connections.id_of({"A", 0, 4}, at(2)), a);
    EXPECT_EQ(connections.find(a, at(2))->descriptor, 4);
}

TEST(ConnectionMap, ForgetsTheLongestUnusedWhenFull) {
    ConnectionMap connections(2, seconds(60));
    const ConnectionId a = connections.id_of({"A", 0, 3}, at(1));
    const ConnectionId b = connections.id_of({"B", 0, 3}, at(2));
    EXPECT_NE(connections.find(a, at(3)), nullptr);  // sending is use
    const ConnectionId c = connections.id_of({"C", 0, 3}, at(4));
    EXPECT_EQ(connections.size(), 2u);
    EXPECT_EQ(connections.take_evicted(), 1u);
    EXPECT_EQ(connections.take_evicted(), 0u);
    EXPECT_EQ(connections.find(b, at(5)), nullptr);
    EXPECT_NE(connections.find(a, at(5)), nullptr);
    EXPECT_NE(connections.find(c, at(5)), nullptr);
}

TEST(ConnectionMap, LinesOfOneConnectionDifferAndPushOutNoSession) {
    ConnectionMap connections(4, seconds(60));
    const ConnectionId worker = connections.id_of({"A", 0, 3}, at(1));
    connections.has_session(worker);
    const ConnectionId line = connections.id_of({"A", 1, 3, true}, at(2));
    EXPECT_NE(line, worker);
    EXPECT_TRUE(connections.find(line, at(2))->in_bundles);
    EXPECT_EQ(connections.find(line, at(2))->line, 1u);
    for (std::uint64_t i = 0; i < 100; ++i) connections.id_of({"B", i, 4, true}, at(3));
    EXPECT_EQ(connections.size(), 4u);
    EXPECT_EQ(connections.find(line, at(4)), nullptr);
    EXPECT_NE(connections.find(worker, at(4)), nullptr);
    connections.expire(at(70));
    EXPECT_EQ(connections.size(), 0u);
}

TEST(ConnectionMap, ForgetsWhatIsIdle) {
    ConnectionMap connections(10, seconds(60));
    const ConnectionId a = connections.id_of({"A", 0, 3}, at(0));
    const ConnectionId b = connections.id_of({"B", 0, 3}, at(50));
    connections.expire(at(60));
    EXPECT_EQ(connections.size(), 2u);
    connections.expire(at(61));
    EXPECT_EQ(connections.size(), 1u);
    EXPECT_EQ(connections.find(a, at(61)), nullptr);
    EXPECT_NE(connections.find(b, at(61)), nullptr);
}

TEST(ConnectionMap, AcceptsRoutingIdsOfAnyBytes) {
    ConnectionMap connections(10, seconds(60));
    const std::string zero("\0\0", 2);
    const ConnectionId a = connections.id_of({zero, 0, 3}, at(0));
    EXPECT_NE(connections.id_of({std::string("\0", 1), 0, 3}, at(0)), a);
    EXPECT_EQ(connections.find(a, at(0))->routing_id, zero);
}

}  // namespace
}  // namespace muster::node
