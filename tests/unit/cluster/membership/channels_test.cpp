// What is said of the channels between two nodes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

class ChannelFaults : public ThreeNodes {
protected:
    /// Drops what b says, or all of it that is no heartbeat: those go over gossip.
    void mute_b(bool heartbeats) {
        net.drop = [heartbeats](const std::string&, const proto::Message& message) {
            return message.header.origin == "b" &&
                   (heartbeats || !std::holds_alternative<proto::Heartbeat>(message.body));
        };
    }
    std::ptrdiff_t noted(const std::string& note) const { return std::count(net.notes.begin(), net.notes.end(), note); }
    std::vector<std::string> shown_of_b() { return net.core("a").views(net.now)[1].silent_channels; }
};

TEST_F(ChannelFaults, AreNotedAndShownWhileAnotherChannelCarries) {
    mute_b(false);
    net.run(milliseconds(4000));
    EXPECT_EQ(noted("a: channel silent b"), 1);
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    EXPECT_EQ(shown_of_b().size(), 1u);
    EXPECT_EQ(counter("a", "channels_silent"), 1u);
}

/// Its channels fall silent one after the other, because each has its own interval.
TEST_F(ChannelFaults, AreNotNotedOfANodeThatIsGoneAsAWhole) {
    mute_b(false);
    net.run(milliseconds(1500));
    mute_b(true);
    net.run(milliseconds(4000));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(noted("a: channel silent b"), 0);
    EXPECT_TRUE(shown_of_b().empty());
}

TEST_F(ChannelFaults, AreNotShownAnyMoreWhenTheNodeIsDown) {
    mute_b(false);
    net.run(milliseconds(4000));
    ASSERT_FALSE(shown_of_b().empty());
    mute_b(true);
    net.run(milliseconds(4000));
    ASSERT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_TRUE(shown_of_b().empty());
    EXPECT_EQ(counter("a", "channels_silent"), 0u);
    EXPECT_TRUE(net.core("a").status().silent_channels.empty());
}

}  // namespace
}  // namespace muster::cluster::test
