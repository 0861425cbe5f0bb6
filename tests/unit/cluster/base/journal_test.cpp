// What a core shows to people: what changed and why, every node, all groups.
#include "cluster/base/journal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Change::Kind;

constexpr Instant kStart = Instant{} + minutes(100);

std::vector<Kind> kinds(const std::vector<Change>& changes) {
    std::vector<Kind> kinds;
    for (const auto& change : changes) kinds.push_back(change.kind);
    return kinds;
}

void joined(Journal& journal, Instant now, const std::string& node, const Group& group, std::uint64_t members = 1) {
    journal.members(now, Kind::joined, node, Reason::left, group, members);
}

TEST(Journal, KeepsNothingByDefault) {
    Journal journal(0);
    journal.node(kStart, Kind::node_up, "a", "");
    joined(journal, kStart, "a", kOrders);
    journal.worker(kStart, Kind::worker_up, "w", "");
    EXPECT_TRUE(journal.since(0, kStart).empty());
}

TEST(Journal, SumsUpMembersOfOneKindAndNodeForAWhile) {
    Journal journal(16);
    for (int i = 0; i < 1000; ++i) joined(journal, kStart, "a", {"orders", std::to_string(i)}, 2);
    joined(journal, kStart, "b", kOrders);
    joined(journal, kStart + milliseconds(500), "a", {"orders", "0"});
    const auto changes = journal.since(0, kStart + seconds(1));
    ASSERT_EQ(changes.size(), 2u);
    EXPECT_EQ(changes[0].members, 2001u);
    EXPECT_EQ(changes[0].groups, (std::vector<Group>{{"orders", "0"}, {"orders", "1"}, {"orders", "2"}}));
    EXPECT_TRUE(changes[0].more_groups);
    EXPECT_EQ(changes[0].age, seconds(1));
    EXPECT_EQ(changes[0].last_age, milliseconds(500));
    EXPECT_EQ(changes[1].node, "b");
    EXPECT_FALSE(changes[1].more_groups);

    joined(journal, kStart + seconds(3), "a", kOrders);
    EXPECT_EQ(journal.since(0, kStart).size(), 3u) << "the first entry is too old to be extended";
}

TEST(Journal, ReturnsEntriesAfterAVersion) {
    Journal journal(16);
    joined(journal, kStart, "a", kOrders);
    journal.node(kStart, Kind::node_down, "b", "why");
    const auto version = journal.since(0, kStart).back().version;
    EXPECT_TRUE(journal.since(version, kStart).empty());
    joined(journal, kStart, "a", kOrders);
    const auto extended = journal.since(version, kStart);
    ASSERT_EQ(extended.size(), 1u);
    EXPECT_EQ(extended[0].id, 1u) << "the same entry, changed";
    EXPECT_EQ(extended[0].members, 2u);
}

TEST(Journal, AStormOfMembersKeepsNodeEntriesAndCoversMoreTime) {
    constexpr std::size_t kCapacity = 8;
    Journal journal(kCapacity);
    journal.node(kStart, Kind::node_down, "b", "why");
    for (int second = 0; second < 600; ++second)
        for (const char* node : {"a", "c", "d", "e"}) joined(journal, kStart + seconds(second), node, kOrders);
    const auto changes = journal.since(0, kStart + minutes(10));
    ASSERT_EQ(changes.size(), kCapacity + 1);
    EXPECT_EQ(changes[0].kind, Kind::node_down);
    // Two minutes of four nodes, instead of four seconds.
    EXPECT_GT(changes[1].age, seconds(90));
}

TEST(Journal, SaysWhyANodeWentDownAndWhichMembersLeft) {
    Net net([](Options& options) { options.bounds.journal = 64; });
    net.start("a");
    net.start("b", "a");
    net.run(milliseconds(600));
    net.join("b", kMe, kOrders, 3);
    net.run(milliseconds(100));
    const auto before = net.core("a").changes(0, net.now);
    EXPECT_EQ(kinds(before), (std::vector{Kind::node_up, Kind::joined}));
    net.kill("b");
    net.run(seconds(4));
    const auto after = net.core("a").changes(before.back().version, net.now);
    ASSERT_EQ(kinds(after), (std::vector{Kind::node_down, Kind::left}));
    EXPECT_EQ(after[0].node, "b");
    EXPECT_NE(after[0].text.find("process has ended"), std::string::npos) << after[0].text;
    EXPECT_EQ(after[1].node, "b");
    EXPECT_EQ(after[1].reason, Reason::node_down);
    EXPECT_EQ(after[1].members, 3u);
    EXPECT_EQ(after[1].groups, (std::vector{kOrders}));
}

TEST(Journal, SaysThatANodeWasSilent) {
    Net net([](Options& options) { options.bounds.journal = 64; });
    net.start("a");
    net.start("b", "a");
    net.run(milliseconds(600));
    const auto version = net.core("a").changes(0, net.now).back().version;
    net.drop = [](const std::string&, const proto::Message&) { return true; };
    net.run(seconds(10));
    const auto after = net.core("a").changes(version, net.now);
    ASSERT_EQ(kinds(after), (std::vector{Kind::node_suspect, Kind::node_down}));
    EXPECT_NE(after[1].text.find("silent for"), std::string::npos) << after[1].text;
    net.drop = nullptr;
    net.run(seconds(20));
    const auto back = net.core("a").changes(after.back().version, net.now);
    const auto up =
        std::find_if(back.begin(), back.end(), [](const Change& change) { return change.kind == Kind::node_up; });
    ASSERT_NE(up, back.end());
    EXPECT_EQ(up->text, "it denies its death");
}

TEST(Views, ShowTablesAndTrafficBetweenNodes) {
    Net net;
    net.start("a");
    net.start("b", "a");
    net.run(milliseconds(600));
    net.join("b", kMe, kOrders, 3);
    net.join("b", kMe, {"orders", "streams"});
    net.notify("a", kOrders, "1");
    net.run(milliseconds(100));
    const auto views = net.core("a").views(net.now);
    ASSERT_EQ(views.size(), 2u);
    EXPECT_EQ(views[0].node.id.name, "a");
    EXPECT_EQ(views[0].members, 0u);
    const NodeView& b = views[1];
    EXPECT_EQ(b.node.state, NodeState::alive);
    EXPECT_TRUE(b.shown);
    EXPECT_EQ(b.groups, 2u);
    EXPECT_EQ(b.members, 4u);
    EXPECT_EQ(b.applied, 2u);
    EXPECT_EQ(b.known, 2u);
    EXPECT_EQ(b.notices_sent, 1u);
    EXPECT_EQ(b.notices_received, 0u);
    EXPECT_EQ(b.waiting, 0u);
    EXPECT_LT(b.heard_age, milliseconds(400));
    EXPECT_EQ(net.core("b").views(net.now)[0].notices_received, 1u);
    net.kill("b");
    net.run(seconds(2));
    const auto dead = net.core("a").views(net.now)[1];
    EXPECT_EQ(dead.node.state, NodeState::down);
    EXPECT_FALSE(dead.shown);
    EXPECT_EQ(dead.members, 4u) << "kept, should it return";
}

TEST(Views, WalkThroughAllGroupsInParts) {
    Net net;
    net.start("a");
    std::set<std::string> all;
    for (int i = 0; i < 100; ++i) {
        net.join("a", kMe, {"orders", std::to_string(i)});
        all.insert(std::to_string(i));
    }
    std::set<std::string> met;
    std::uint64_t from = 0;
    int parts = 0;
    do {
        const auto part = net.core("a").groups_part(from, 7);
        EXPECT_LE(part.groups.size(), 7u);
        for (const auto& info : part.groups) EXPECT_TRUE(met.insert(info.group.feature).second);
        from = part.next;
        ASSERT_LT(++parts, 1000);
    } while (from != 0);
    EXPECT_EQ(met, all);
    EXPECT_EQ(net.core("a").groups_part(1u << 20, 7).groups.size(), 0u);
}

}  // namespace
}  // namespace muster::cluster::test
