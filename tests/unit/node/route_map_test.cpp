#include "node/route_map.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

using cluster::Instant;
using cluster::Route;
using std::chrono::seconds;

constexpr Instant at(int second) {
    return Instant(seconds(second));
}

TEST(RouteMap, MapsBothWays) {
    RouteMap routes(10, seconds(60));
    const Route a = routes.route_of("A", at(1));
    const Route b = routes.route_of("B", at(1));
    EXPECT_NE(a, b);
    EXPECT_EQ(routes.route_of("A", at(2)), a);
    ASSERT_NE(routes.id_of(b, at(2)), nullptr);
    EXPECT_EQ(*routes.id_of(b, at(2)), "B");
    EXPECT_EQ(routes.id_of(Route{99}, at(2)), nullptr);
}

TEST(RouteMap, NeverUsesARouteTwice) {
    RouteMap routes(10, seconds(60));
    const Route first = routes.route_of("A", at(1));
    routes.forget(first);
    EXPECT_EQ(routes.id_of(first, at(1)), nullptr);
    EXPECT_NE(routes.route_of("A", at(1)), first);
    EXPECT_EQ(routes.id_of(first, at(1)), nullptr);
}

TEST(RouteMap, ForgetsTheLongestUnusedWhenFull) {
    RouteMap routes(2, seconds(60));
    const Route a = routes.route_of("A", at(1));
    const Route b = routes.route_of("B", at(2));
    EXPECT_NE(routes.id_of(a, at(3)), nullptr);  // sending is use
    const Route c = routes.route_of("C", at(4));
    EXPECT_EQ(routes.size(), 2u);
    EXPECT_EQ(routes.id_of(b, at(5)), nullptr);
    EXPECT_NE(routes.id_of(a, at(5)), nullptr);
    EXPECT_NE(routes.id_of(c, at(5)), nullptr);
}

TEST(RouteMap, ForgetsWhatIsIdle) {
    RouteMap routes(10, seconds(60));
    const Route a = routes.route_of("A", at(0));
    const Route b = routes.route_of("B", at(50));
    routes.expire(at(60));
    EXPECT_EQ(routes.size(), 2u);
    routes.expire(at(61));
    EXPECT_EQ(routes.size(), 1u);
    EXPECT_EQ(routes.id_of(a, at(61)), nullptr);
    EXPECT_NE(routes.id_of(b, at(61)), nullptr);
}

TEST(RouteMap, TakesRoutingIdsOfAnyBytes) {
    RouteMap routes(10, seconds(60));
    const std::string zero("\0\0", 2);
    const Route a = routes.route_of(zero, at(0));
    EXPECT_NE(routes.route_of(std::string("\0", 1), at(0)), a);
    EXPECT_EQ(*routes.id_of(a, at(0)), zero);
}

}  // namespace
}  // namespace muster::node
