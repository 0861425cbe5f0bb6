// How nodes find each other, and whose name counts.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;

class Names : public ThreeNodes {};

bool all_know_each_other(Net& net, const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(), [&](const auto& name) {
        const auto nodes = net.core(name).nodes();
        const auto is_alive = [](const NodeInfo& node) { return node.state == NodeState::alive; };
        return std::count_if(nodes.begin(), nodes.end(), is_alive) == static_cast<std::ptrdiff_t>(names.size());
    });
}

// "all" is a seed name that stands for several hosts, not always for the same ones.
TEST(Discovery, NodesThatFirstReachOnlyThemselvesUnderASharedSeedNameMeetLater) {
    Net net;
    net.hosts["all"] = {"a"};
    net.start("a", "all");
    net.run(milliseconds(300));
    net.hosts["all"] = {"b"};
    net.start("b", "all");
    net.run(milliseconds(300));
    ASSERT_TRUE(net.core("a").is_ready());
    ASSERT_TRUE(net.core("b").is_ready());
    ASSERT_FALSE(all_know_each_other(net, {"a", "b"}));

    net.hosts["all"] = {"a", "b"};
    net.run(milliseconds(6000));
    EXPECT_TRUE(all_know_each_other(net, {"a", "b"}));
}

TEST(Discovery, TwoClustersWithASharedSeedNameMerge) {
    Net net;
    net.start("a");
    net.hosts["all"] = {"a"};
    net.start("b", "all");
    net.run(milliseconds(300));
    net.start("c");
    net.hosts["all"] = {"c"};
    net.start("d", "all");
    net.run(milliseconds(300));
    ASSERT_TRUE(all_know_each_other(net, {"a", "b"}));
    ASSERT_TRUE(all_know_each_other(net, {"c", "d"}));

    net.hosts["all"] = {"a", "b", "c", "d"};
    net.run(std::chrono::seconds(65));
    EXPECT_TRUE(all_know_each_other(net, {"a", "b", "c", "d"}));
}

TEST_F(Names, AHelloWithTheNameOfALiveNodeElsewhereIsRefused) {
    net.join("b", kMe, kOrders);
    Options twin;
    twin.self = {"b", Incarnation{999999}};
    twin.address = "elsewhere:door";
    proto::Message hello{{"default", "b", 999999, 0},
                         proto::Hello{{twin.self, 0, NodeState::alive, "elsewhere:door", "e:c", "e:g", {}}}};
    net.call("a", MessageArrived{Channel::door, ConnectionId{5}, {}, hello});
    const auto answers = net.take_sent(ConnectionId{5});
    ASSERT_EQ(answers.size(), 1u);
    const auto& refusal = std::get<proto::Refuse>(answers[0].body);
    EXPECT_EQ(refusal.code, ErrorCode::name_taken);
    EXPECT_NE(refusal.text.find("'b' is taken by a live node at b:door"), std::string::npos) << refusal.text;
    net.run(std::chrono::seconds(2));
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    EXPECT_EQ(net.core("a").nodes().size(), 3u);
}

TEST_F(Names, ANodeThatServesDoesNotEndWhenItsNameIsRefused) {
    net.kill("a");
    const proto::Message refusal{{"default", "x", 7, 0}, proto::Refuse{ErrorCode::name_taken, "taken"}};
    for (int i = 0; i < 20; ++i) {
        net.call("b", MessageArrived{Channel::dial, {}, "a:door", refusal});
        net.run(milliseconds(500));
    }
    const auto begin_with = [&](const std::string& words) {
        return std::count_if(net.notes.begin(), net.notes.end(),
                             [&](const auto& note) { return note.starts_with(words); });
    };
    EXPECT_GT(begin_with("b: name taken"), 0);
    EXPECT_EQ(begin_with("b: stop"), 0);
}

TEST_F(Names, ANodeWhoseClockWentBackTakesAHigherIncarnation) {
    net.kill("b");
    net.run(milliseconds(200));
    net.adjust = [](Options& options) { options.self.incarnation = Incarnation{1}; };  // its clock went back
    net.start("b", "a");
    net.run(milliseconds(1500));
    EXPECT_TRUE(net.core("b").is_ready());
    EXPECT_GT(net.core("b").self().incarnation, Incarnation{1001});
    net.join("b", kMe, kOrders);
    EXPECT_EQ(net.members("c", kOrders).size(), 1u);
}

TEST_F(Names, ANodeWhoseClockWentBackLearnsOfItEvenIfItReachesNoFrontDoor) {
    net.kill("b");
    net.run(milliseconds(3000));
    net.adjust = [](Options& options) { options.self.incarnation = Incarnation{1}; };
    net.drop = [](const std::string&, const proto::Message& message) {
        return message.header.origin == "b" && std::holds_alternative<proto::Hello>(message.body);
    };
    net.start("b", "a");
    net.run(milliseconds(6000));
    EXPECT_GT(net.core("b").self().incarnation, Incarnation{1001});
    net.join("b", kMe, kOrders);
    EXPECT_EQ(net.members("c", kOrders).size(), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
