// What nodes that are gone may cost.
#include <gtest/gtest.h>

#include <set>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using namespace std::chrono_literals;

class DeadNames : public testing::Test {
protected:
    DeadNames() {
        net.start("a");
        net.start("b", "a");
        net.run(1s);
        net.on_step = [this](const std::string& node, const Core&, const Actions& actions) {
            for (const auto& action : actions)
                if (node == "a") see(action);
        };
    }
    void see(const Action& action) {
        if (const auto* connect = std::get_if<ConnectPeer>(&action)) connected.insert(connect->peer.name);
        if (const auto* disconnect = std::get_if<DisconnectPeer>(&action)) connected.erase(disconnect->peer);
        if (const auto* hang_up = std::get_if<HangUp>(&action)) dialed.erase(hang_up->address);
        if (const auto* dial = std::get_if<Dial>(&action)) {
            dialed.insert(dial->address);
            ever_dialed.insert(dial->address);
        }
    }
    /// Nodes say hello to a, and are never heard again.
    void say_hello(std::size_t nodes) {
        for (std::size_t i = 0; i < nodes; ++i) {
            const std::string name = "x" + std::to_string(i);
            const proto::PeerRecord self{
                {name, Incarnation{1}}, 0, NodeState::alive, name + ":1", name + ":2", name + ":3", {}, {}};
            net.call("a",
                     MessageArrived{
                         Channel::door, ConnectionId{100 + i}, {}, {{"default", name, 1, 0}, proto::Hello{self, {}}}});
        }
    }

    Net net;
    std::set<std::string> connected;
    std::set<std::string> dialed;
    std::set<std::string> ever_dialed;
};

TEST_F(DeadNames, CostFewConnectionsAndAfterAMinuteNearlyNone) {
    constexpr std::size_t kGone = 100;
    say_hello(kGone);
    EXPECT_GE(connected.size(), kGone);
    net.run(10s);
    EXPECT_LE(connected.size(), 40u) << "all are down: only those that went down last are kept";
    EXPECT_LE(dialed.size(), 40u);
    net.run(65s);
    EXPECT_LE(connected.size(), 1u) << "b alone may have been connected again";
    EXPECT_LE(dialed.size(), 8u);
    ever_dialed.clear();
    net.run(60s);
    EXPECT_GE(ever_dialed.size(), kGone) << "each has its turn";
}

TEST_F(DeadNames, AreForgottenWhereAnOperatorSaysSo) {
    say_hello(1);
    const NodeId b = net.core("b").self();
    const auto b_says_forget = [&] {
        net.call("a",
                 MessageArrived{Channel::control,
                                {},
                                {},
                                {{"default", b.name, b.incarnation.value, 0}, proto::Forget{{"x0", Incarnation{1}}}}});
    };
    b_says_forget();
    EXPECT_EQ(net.core("a").nodes().size(), 3u) << "it is believed alive";
    net.run(10s);
    b_says_forget();
    EXPECT_EQ(net.core("a").nodes().size(), 2u);
    EXPECT_EQ(net.counter("a", "nodes_forgotten"), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
