// Peers that advertise addresses of other nodes: by mistake, or to cut those off.
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using namespace std::chrono_literals;

class Addresses : public ThreeNodes {
protected:
    void SetUp() override {
        ThreeNodes::SetUp();
        net.join("c", kMe, kOrders);
        net.on_step = [this](const std::string& node, const Core&, const Actions& actions) {
            for (const auto& action : actions)
                if (const auto* connect = std::get_if<ConnectPeer>(&action); connect && node == "a") see(*connect);
        };
    }
    /// As in the shell: a SUB has one connection to an address.
    void see(const ConnectPeer& connect) {
        if (!connect.gossip.empty()) at_gossip[connect.gossip] = connect.peer.name;
        if (!connect.control.empty()) at_control[connect.control] = connect.peer.name;
    }
    /// Node x, which says that it has these addresses.
    static proto::PeerRecord x(const std::string& address, const std::string& control, const std::string& gossip,
                               std::uint64_t incarnation = 5) {
        return {{"x", Incarnation{incarnation}}, 0, NodeState::alive, address, control, gossip, Seq{}, {}};
    }
    static proto::PeerRecord x_at_gossip(const std::string& gossip) { return x("x:door", "x:control", gossip); }
    void b_tells_a_of(const proto::PeerRecord& record) {
        const NodeId b = net.core("b").self();
        net.call(
            "a",
            MessageArrived{
                Channel::control, {}, {}, {{"default", b.name, b.incarnation.value, 0}, proto::PeerNews{{record}}}});
    }
    NodeState state(const std::string& of) {
        for (const auto& node : net.core("a").nodes())
            if (node.id.name == of) return node.state;
        return NodeState::left;
    }

    std::map<std::string, std::string> at_gossip;   // address -> the peer that a connected there last
    std::map<std::string, std::string> at_control;  // the same
};

TEST_F(Addresses, TheGossipAddressAtWhichAPeerIsHeardIsNotTakenOver) {
    b_tells_a_of(x_at_gossip("c:gossip"));
    EXPECT_EQ(state("x"), NodeState::alive);
    net.run(30s);
    EXPECT_FALSE(at_gossip.contains("c:gossip"));
    EXPECT_EQ(at_control["x:control"], "x");
    EXPECT_GT(counter("a", "addresses_in_use"), 0u);
    EXPECT_EQ(state("c"), NodeState::alive);
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
}

TEST_F(Addresses, AGossipAddressIsFreeWhenItsNodeIsGone) {
    net.kill("c");
    b_tells_a_of(x_at_gossip("c:gossip"));
    EXPECT_EQ(at_gossip["c:gossip"], "x");
}

TEST_F(Addresses, AGossipAddressIsFreeAsSoonAsItsLinkIsLost) {
    net.failing_checks = 1000;
    net.kill("c");
    ASSERT_NE(state("c"), NodeState::down);
    net.run(600ms);  // nothing came of the new connection to c
    b_tells_a_of(x_at_gossip("c:gossip"));
    EXPECT_EQ(at_gossip["c:gossip"], "x");
}

TEST_F(Addresses, ANodeGetsItsAddressBackFromALiarThatWasKnownFirst) {
    b_tells_a_of(x_at_gossip("d:gossip"));
    EXPECT_EQ(at_gossip["d:gossip"], "x");
    net.run(1s);
    net.start("d", "a");
    EXPECT_EQ(at_gossip["d:gossip"], "d");
    for (int i = 0; i < 60; ++i) {  // x is heard all the time, but not there
        net.call("a", MessageArrived{Channel::control, {}, {}, {{"default", "x", 5, 0}, proto::Ping{}}});
        net.run(500ms);
    }
    EXPECT_EQ(state("x"), NodeState::alive);
    EXPECT_EQ(at_gossip["d:gossip"], "d");
}

TEST_F(Addresses, ANodeDoesNotConnectToItself) {
    b_tells_a_of(x("a:door", "a:control", "a:gossip"));
    EXPECT_EQ(state("x"), NodeState::alive);
    net.run(30s);
    EXPECT_FALSE(at_gossip.contains("a:gossip"));
    EXPECT_FALSE(at_control.contains("a:control"));
}

TEST_F(Addresses, AddressesOfALifeDoNotChange) {
    auto elsewhere = x("b:door", "b:control", "b:gossip");
    elsewhere.id = net.core("c").self();
    elsewhere.refutation = 1;
    b_tells_a_of(elsewhere);
    for (const auto& node : net.core("a").nodes()) EXPECT_TRUE(node.id.name != "c" || node.address == "c:door");
}

/// Hellos to a front door that two nodes claim go to both names, whatever they are.
TEST_F(Addresses, AClaimOfAFrontDoorDoesNotKeepItsNodeFromBeingMet) {
    net.drop = [](const std::string& to, const proto::Message& message) {  // d itself meets nobody
        const auto* hello = std::get_if<proto::Hello>(&message.body);
        return hello && to == "a" && message.header.origin == "d";
    };
    net.start("d", "a");
    auto d = x("d:door", "d:control", "d:gossip");
    d.id = net.core("d").self();
    b_tells_a_of(d);
    std::uint64_t incarnation = 5;
    bool met = false;
    net.on_step = [&](const std::string& node, const Core&, const Actions& actions) {
        for (const auto& action : actions)
            if (const auto* welcome = std::get_if<SendDoor>(&action))
                met |= node == "d" && std::holds_alternative<proto::Welcome>(welcome->message.body);
    };
    for (int i = 0; i < 100 && !met; ++i) {  // in ever new lives
        b_tells_a_of(x("d:door", "x:control", "x:gossip", ++incarnation));
        net.run(100ms);
    }
    EXPECT_TRUE(met);
}

}  // namespace
}  // namespace muster::cluster::test
