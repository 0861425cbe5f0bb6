// Nodes help each other where a direct way fails.
#include <gtest/gtest.h>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

class Relays : public ThreeNodes {};

TEST_F(Relays, APeerIsAliveWhileAnotherNodeHearsIt) {
    // a and b do not reach each other; both reach c.
    net.join("b", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        const auto& from = message.header.origin;
        return (from == "a" && to == "b") || (from == "b" && to == "a");
    };
    net.run(std::chrono::seconds(8));
    for (const auto* name : {"a", "b", "c"})
        for (const auto& node : net.core(name).nodes())
            EXPECT_EQ(node.state, NodeState::alive) << name << " of " << node.id.name;
    net.join("b", kMe, kOrders);
    net.run(milliseconds(500));
    EXPECT_EQ(net.members("a", kOrders).size(), 2u);
    const auto report = std::get<NotifyReport>(net.notify("a", kOrders, "1", true));
    EXPECT_EQ(report.delivered, 2u);
    EXPECT_GE(counter("c", "relayed_passed_on"), 1u);
}

TEST_F(Relays, NotificationsDoNotWaitWhileASilentLinkIsReopened) {
    net.join("a", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        return (to == "a" && message.header.origin == "b") || (to == "b" && message.header.origin == "a");
    };
    net.run(milliseconds(2000));
    const auto reconnects = counter("a", "reconnects") + counter("b", "reconnects");
    for (int i = 0; i < 100; ++i) {
        const Instant since = net.now;
        EXPECT_EQ(std::get<NotifyReport>(net.notify("b", kOrders, "1", true)).delivered, 1u);
        EXPECT_LE(net.now - since, milliseconds(100)) << "notification " << i;
        net.run(milliseconds(100));
    }
    EXPECT_GE(counter("a", "reconnects") + counter("b", "reconnects"), reconnects + 2);
}

TEST_F(Relays, ItemsThatArriveByADetourAreAcknowledgedByADetour) {
    // b's words do not reach a, a's reach b; b has nothing to say but acknowledgements.
    net.join("b", kMe, kOrders);
    net.drop = [](const std::string& to, const proto::Message& message) {
        return to == "a" && message.header.origin == "b";
    };
    net.notify("a", kOrders, "1");
    net.run(std::chrono::seconds(6));
    EXPECT_EQ(net.delivered.size(), 1u);
    EXPECT_EQ(counter("a", "link_queue"), 0u);
}

}  // namespace
}  // namespace muster::cluster::test
