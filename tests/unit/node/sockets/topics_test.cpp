#include "node/sockets/topics.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

TEST(Topics, NoScopeIsAPrefixOfAnother) {
    EXPECT_FALSE(gossip_topic("ab").starts_with(gossip_topic("a")));
    EXPECT_EQ(gossip_topic("a"), std::string("g:a\0", 4));
}

TEST(Topics, PresenceTopicsAreParsed) {
    const NodeId peer{"node-1.x", Incarnation{1'700'000'000'000'000}};
    for (const char* scope : {"default", "a/b", "@", "/"})
        EXPECT_EQ(parse_presence(presence_topic(scope, peer), scope), peer) << scope;
}

TEST(Topics, OtherTopicsAreNotPresence) {
    for (const char* topic : {"", "@", "@s", "@s/", "@s/a", "@s/a/", "@s/a/0", "@s/a/x", "@s/a/1x", "@s/a/-1", "@s//1",
                              "@s/a b/1", "@s/a/18446744073709551616", "g:s", "@t/a/1", "s/a/1", "@s/a/b/1"})
        EXPECT_FALSE(parse_presence(topic, "s").has_value()) << topic;
    EXPECT_TRUE(parse_presence("@s/a/18446744073709551615", "s").has_value());
}

TEST(Presence, OnlyTheLastSubscriptionIsALoss) {
    Presence presence;
    EXPECT_TRUE(presence.add("@s/a/1"));
    EXPECT_TRUE(presence.add("@s/a/1"));  // the new link overlaps the half-open old one
    EXPECT_FALSE(presence.remove("@s/a/1"));
    EXPECT_TRUE(presence.remove("@s/a/1"));
    EXPECT_FALSE(presence.remove("@s/a/1"));
    EXPECT_EQ(presence.size(), 0u);
}

TEST(Presence, IsBounded) {
    Presence presence(2);
    EXPECT_TRUE(presence.add("a"));
    EXPECT_TRUE(presence.add("b"));
    EXPECT_FALSE(presence.add("c"));
    EXPECT_TRUE(presence.add("a"));
    EXPECT_EQ(presence.size(), 2u);
}

}  // namespace
}  // namespace muster::node
