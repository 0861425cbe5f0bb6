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

/// b refuses a, say: its heartbeats arrive at a, and no report that it hears a.
TEST_F(DetectorRules, APeerThatIsHeardAndNeverReportsIsDownUntilItDoes) {
    const auto state_of_b = [&](const std::string& at) { return net.core(at).nodes()[1].state; };
    net.drop = [](const std::string& to, const proto::Message& message) {
        return to == "a" && message.header.origin == "b" && std::holds_alternative<proto::Pong>(message.body);
    };
    net.run(milliseconds(3900));  // its latest report was a second ago, at most
    EXPECT_EQ(state_of_b("a"), NodeState::alive);
    net.run(milliseconds(1200));
    EXPECT_EQ(state_of_b("a"), NodeState::suspect);
    net.run(milliseconds(1500));
    EXPECT_EQ(state_of_b("a"), NodeState::down);
    net.notes.clear();
    net.run(milliseconds(20000));
    EXPECT_EQ(state_of_b("a"), NodeState::down);
    EXPECT_EQ(state_of_b("b"), NodeState::alive);
    EXPECT_EQ(state_of_b("c"), NodeState::alive);
    EXPECT_EQ(std::count(net.notes.begin(), net.notes.end(), "a: node up b"), 0);
    EXPECT_EQ(std::count(net.notes.begin(), net.notes.end(), "c: node down b"), 0);
    EXPECT_EQ(counter("a", "peers_unreached"), 1u);
    net.drop = {};
    net.run(milliseconds(1500));
    EXPECT_EQ(state_of_b("a"), NodeState::alive);
}

/// Node x publishes and does nothing else. `channels` in its heartbeats says whether its version reports.
TEST_F(DetectorRules, APeerOfAnOlderMinorNeedNotReport) {
    const proto::PeerRecord x{{"x", Incarnation{5}}, 0, NodeState::alive, "x:door", "x:control", "x:gossip", Seq{}, {}};
    const auto arrives = [&](Channel channel, proto::Body body) {
        const proto::Header header{"default", x.id.name, x.id.incarnation.value, 0};
        net.call("a", MessageArrived{channel, ConnectionId{7}, {}, {header, std::move(body)}});
    };
    const auto publishes = [&](std::uint64_t channels) {
        for (int i = 0; i < 40; ++i) {
            arrives(Channel::gossip, proto::Heartbeat{0, 0, 0, channels});
            net.run(milliseconds(250));
        }
    };
    const auto state_of_x = [&] { return net.core("a").nodes().back().state; };
    arrives(Channel::door, proto::Hello{x, {}});
    publishes(0);
    EXPECT_EQ(state_of_x(), NodeState::alive);
    publishes(proto::channel_report::kTold);
    EXPECT_EQ(state_of_x(), NodeState::down);
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
