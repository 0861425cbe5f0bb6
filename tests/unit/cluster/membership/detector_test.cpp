// When a peer is suspect, and when it is down.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

class DetectorRules : public ThreeNodes {};

TEST_F(DetectorRules, ASilentPeerIsSuspectAfterOneSecondAndDownAfterTwoAndAHalf) {
    const auto state_of_b = [&] { return net.core("a").nodes()[1].state; };
    net.drop = [](const std::string&, const proto::Message& message) { return message.header.origin == "b"; };
    net.run(milliseconds(700));  // b was heard at most a heartbeat before it fell silent
    EXPECT_EQ(state_of_b(), NodeState::alive);
    net.run(milliseconds(400));
    EXPECT_EQ(state_of_b(), NodeState::suspect);
    net.run(milliseconds(1100));
    EXPECT_EQ(state_of_b(), NodeState::suspect);
    net.run(milliseconds(400));
    EXPECT_EQ(state_of_b(), NodeState::down);
}

TEST_F(DetectorRules, ASuspectIsAliveAgainWhenItIsHeard) {
    bool mute = true;
    net.drop = [&](const std::string&, const proto::Message& message) { return mute && message.header.origin == "b"; };
    net.run(milliseconds(1400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::suspect);
    mute = false;
    net.run(milliseconds(400));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::alive);
}

TEST_F(DetectorRules, ANodeThatWasCutOffGivesUnheardPeersTheFullTimeAgain) {
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
    EXPECT_EQ(std::count(net.notes.begin(), net.notes.end(), "a: node down b"), 0);
}

/// Node x can be met at front doors, and nothing else of it arrives.
TEST_F(DetectorRules, ANodeThatReturnedInVainElsewhereIsNotBelievedAtTheFrontDoor) {
    proto::PeerRecord x{{"x", Incarnation{5}}, 0, NodeState::alive, "x:door", "x:control", "x:gossip", Seq{}, {}};
    const auto arrives = [&](Channel channel, const NodeId& from, proto::Body body) {
        const proto::Header header{"default", from.name, from.incarnation.value, 0};
        net.call("a", MessageArrived{channel, ConnectionId{7}, {}, {header, std::move(body)}});
    };
    const auto state_of_x = [&] { return net.core("a").nodes().back().state; };
    arrives(Channel::door, x.id, proto::Hello{x, {}});
    arrives(Channel::gossip, x.id, proto::Heartbeat{});
    net.run(milliseconds(3500));
    ASSERT_EQ(state_of_x(), NodeState::down);

    x.refutation = 1;
    x.state = NodeState::down;
    arrives(Channel::control, net.core("b").self(), proto::PeerNews{{x}});
    x.refutation = 2;
    x.state = NodeState::alive;
    arrives(Channel::door, x.id, proto::Hello{x, {}});
    EXPECT_EQ(state_of_x(), NodeState::down);
    proto::Heartbeat beat;
    beat.refutation = 2;
    arrives(Channel::gossip, x.id, beat);
    EXPECT_EQ(state_of_x(), NodeState::alive);
}

TEST_F(DetectorRules, AKilledProcessIsFoundThoughItsPortClosesAfterItsLinks) {
    net.failing_checks = 4;  // two at each of the others
    net.kill("b");
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::alive);
    net.run(milliseconds(250));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::down);
}

TEST_F(DetectorRules, APortThatClosesLateIsFoundClosedWithinMilliseconds) {
    net.failing_checks = 4;  // two at each of the others
    net.kill("b");
    net.run(milliseconds(20));
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(net.core("c").nodes()[1].state, NodeState::down);
}

}  // namespace
}  // namespace muster::cluster::test
