// Lives that a node only hears of: how many, and how often it connects to whatever is at their addresses.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

using namespace std::chrono_literals;

class ToldLives : public ThreeNodes {
protected:
    void SetUp() override {
        ThreeNodes::SetUp();
        net.on_step = [this](const std::string& node, const Core& core, const Actions& actions) {
            EXPECT_EQ(core.over_bounds(), std::nullopt);
            for (const auto& action : actions) {
                if (node != "a") continue;
                if (const auto* connect = std::get_if<ConnectPeer>(&action)) connects.push_back(connect->peer);
                if (const auto* dial = std::get_if<Dial>(&action)) dials.push_back(dial->address);
            }
        };
    }
    static proto::PeerRecord life(const std::string& name, std::uint64_t incarnation, const std::string& host) {
        return {{name, Incarnation{incarnation}},
                0,
                NodeState::alive,
                host + ":door",
                host + ":control",
                host + ":gossip",
                {},
                {}};
    }
    void tells_a(const std::string& reporter, std::vector<proto::PeerRecord> records) {
        const NodeId from = net.core(reporter).self();
        net.call("a", MessageArrived{
                          Channel::control,
                          {},
                          {},
                          {{"default", from.name, from.incarnation.value, 0}, proto::PeerNews{std::move(records)}}});
    }
    /// `count` nodes that do not exist, at addresses of their own.
    static std::vector<proto::PeerRecord> phantoms(const std::string& name, int count) {
        std::vector<proto::PeerRecord> records;
        for (int i = 0; i < count; ++i) {
            const std::string one = name + std::to_string(i);
            records.push_back(life(one, 5, one));
        }
        return records;
    }
    std::size_t known_to_a() { return net.core("a").nodes().size(); }
    [[nodiscard]] std::ptrdiff_t connects_to(const std::string& name) const {
        return std::count_if(connects.begin(), connects.end(), [&](const NodeId& id) { return id.name == name; });
    }

    std::vector<NodeId> connects;    // of a
    std::vector<std::string> dials;  // of a
};

TEST_F(ToldLives, OneNodeMayTellOfSoManyThatAreNeverMet) {
    tells_a("b", phantoms("x", 200));
    EXPECT_EQ(known_to_a(), 3 + 64u) << "at once";
    EXPECT_EQ(connects.size(), 64u);
    EXPECT_EQ(counter("a", "peers_refused_unmet"), 136u);
    net.run(12s);
    tells_a("b", phantoms("y", 100));
    EXPECT_EQ(known_to_a(), 3 + 64u) << "those that are down count as well";
    EXPECT_LE(connects.size(), 2 * 64u);
    EXPECT_LE(dials.size(), 64u * 8) << "they are live for 2.5 s, and then sleep";
    tells_a("c", phantoms("z", 10));
    EXPECT_EQ(known_to_a(), 3 + 64u + 10);
    net.start("d", "a");
    EXPECT_EQ(known_to_a(), 3 + 64u + 11) << "it said hello itself";
}

TEST_F(ToldLives, DoNotDelayTheDeathOfANode) {
    tells_a("c", phantoms("x", 60));
    net.run(1200ms);
    net.drop = [](const std::string&, const proto::Message& message) { return message.header.origin == "b"; };
    net.run(2600ms);
    EXPECT_EQ(net.core("a").nodes()[1].state, NodeState::down) << "60 silent phantoms do not mean that a is cut off";
}

TEST_F(ToldLives, AreAccusedByNobody) {
    int accusations = 0;
    net.drop = [&](const std::string&, const proto::Message& message) {
        const auto* news = std::get_if<proto::PeerNews>(&message.body);
        for (const auto& record : news ? news->peers : std::vector<proto::PeerRecord>())
            accusations += record.id.name == "x0" && record.state == NodeState::suspect;
        return false;
    };
    tells_a("c", phantoms("x", 1));
    net.run(2s);
    EXPECT_EQ(accusations, 0) << "who never met it cannot tell that it has fallen silent";
}

TEST_F(ToldLives, ThoseThatAreMetDoNotCount) {
    net.adjust = [](Options& options) { options.bounds.unmet_peers = 1; };
    for (const char* name : {"d", "e", "f", "g", "h"}) net.start(name, "a");
    net.run(5s);
    for (const char* name : {"a", "b", "d", "h"}) EXPECT_EQ(net.core(name).nodes().size(), 8u) << name;
}

TEST_F(ToldLives, ManyNamesAtOneAddressWaitForEachOther) {
    for (int i = 0; i < 60; ++i) {
        tells_a("b", {life("x" + std::to_string(i), 5, "victim")});
        net.run(200ms);
    }
    EXPECT_LE(connects.size(), 10u);
    EXPECT_LE(dials.size(), 20u);
    EXPECT_GT(counter("a", "connects_delayed"), 40u);
}

TEST_F(ToldLives, ManyLivesOfOneNameWaitWhereverTheyAre) {
    for (int i = 0; i < 36; ++i) {
        proto::PeerRecord next = life("x", 5 + static_cast<std::uint64_t>(i), "victim" + std::to_string(i));
        next.address = "x:door";
        const proto::Header from{"default", "x", next.id.incarnation.value, 0};
        net.call("a", MessageArrived{Channel::door, kConnection, {}, {from, proto::Hello{next, {}}}});
        net.run(1100ms);  // sooner, the one before counts as heard
    }
    EXPECT_GE(counter("a", "connects_delayed"), 20u);
    EXPECT_LE(connects_to("x"), 20);
}

TEST_F(ToldLives, ARestartAtTheSameAddressesWaitsForNothing) {
    for (int i = 0; i < 10; ++i) {
        net.kill("c");
        net.start("c", "b");
        ASSERT_EQ(connects.back(), net.core("c").self());
    }
    EXPECT_EQ(counter("a", "connects_delayed"), 0u);
}

TEST_F(ToldLives, ANodeWhoseAddressSomebodyClaimedIsConnectedSoon) {
    tells_a("b", {life("x", 5, "d")});
    net.start("d", "b");
    EXPECT_EQ(connects_to("d"), 0);
    net.run(300ms);
    EXPECT_EQ(connects_to("d"), 1);
}

}  // namespace
}  // namespace muster::cluster::test
