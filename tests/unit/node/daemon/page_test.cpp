// What stands behind the page: whom it answers, who waits, what it finds, what it compares.
#include <gtest/gtest.h>
#include <muster/node.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "node/daemon/page/digests.hpp"
#include "node/daemon/page/files.hpp"
#include "node/daemon/page/group_list.hpp"
#include "node/daemon/page/state_feed.hpp"
#include "node/daemon/page/viewer.hpp"
#include "tests/unit/node/nodes.hpp"

namespace muster::daemon {
namespace {

using std::chrono::milliseconds;
using test::start;

Frame frame(const std::string& text) {
    return std::make_shared<const std::string>(text);
}

std::unique_ptr<Node> a_node() {
    auto options = test::options("a");
    options.limits.journal = 64;
    return start(std::move(options));
}

TEST(Viewer, IsABoundedQueueInOrder) {
    Viewer viewer;
    for (std::size_t i = 0; i < Viewer::kFrames; ++i) EXPECT_TRUE(viewer.offer(frame(std::to_string(i))));
    EXPECT_FALSE(viewer.offer(frame("one too many")));
    EXPECT_EQ(*viewer.take(milliseconds(0)), "0");
    EXPECT_TRUE(viewer.offer(frame("more")));
    viewer.replace(frame("whole"));
    EXPECT_EQ(*viewer.take(milliseconds(0)), "whole");
    EXPECT_EQ(viewer.take(milliseconds(0)), nullptr);
    EXPECT_FALSE(viewer.is_closed());
    viewer.close();
    EXPECT_EQ(viewer.take(milliseconds(100000)), nullptr);
    EXPECT_TRUE(viewer.is_closed());
}

TEST(StateFeed, ASlowViewerGetsTheWholeStateInstead) {
    const auto node = a_node();
    StateFeed feed(*node, [] {});
    const auto viewer = feed.subscribe();
    ASSERT_NE(viewer, nullptr);
    const auto first = viewer->take(milliseconds(0));
    ASSERT_NE(first, nullptr);
    EXPECT_TRUE(first->starts_with("event: state\ndata: {")) << *first;
    for (std::size_t i = 0; feed.counts().fallen_behind == 0; ++i) {
        ASSERT_LE(i, Viewer::kFrames + 1);
        feed.state();  // polls the node and sends the differences
    }
    EXPECT_TRUE(viewer->take(milliseconds(0))->starts_with("event: state\n"));
    EXPECT_EQ(feed.counts().viewers, 1u);
    feed.unsubscribe(viewer);
    EXPECT_EQ(feed.counts().viewers, 0u);
}

TEST(StateFeed, BoundsViewersAndSendsOnlyDifferences) {
    const auto node = a_node();
    StateFeed feed(*node, [] {});
    std::vector<std::shared_ptr<Viewer>> viewers;
    for (std::size_t i = 0; i < StateFeed::kViewers; ++i) viewers.push_back(feed.subscribe());
    EXPECT_EQ(feed.subscribe(), nullptr);
    EXPECT_EQ(feed.counts().refused, 1u);
    while (viewers.back()->take(milliseconds(0))) continue;
    ASSERT_TRUE(node->join({"orders", "streams"}, {}).ok());
    const auto whole = Json::parse(feed.state());
    EXPECT_EQ(whole["nodes"].size(), 1u);
    EXPECT_EQ(whole["nodes"][0]["members"], 1);
    EXPECT_EQ(whole["changes"][0]["kind"], "joined");
    std::string sent;
    while (const auto next = viewers.back()->take(milliseconds(0))) sent += *next;
    EXPECT_NE(sent.find("\"changes\""), std::string::npos) << sent;
    EXPECT_NE(sent.find("\"nodes\""), std::string::npos) << sent;
    feed.state();
    sent.clear();
    while (const auto next = viewers.back()->take(milliseconds(0))) sent += *next;
    EXPECT_EQ(sent.find("\"changes\""), std::string::npos) << sent;
    EXPECT_EQ(sent.find("\"nodes\""), std::string::npos) << sent;
    feed.close();
    EXPECT_TRUE(viewers.front()->is_closed());
    EXPECT_EQ(feed.subscribe(), nullptr);
}

TEST(GroupList, SearchesAHundredThousandGroupsInSmallParts) {
    constexpr std::size_t kGroups = 100'000;
    const auto node = a_node();
    // By several joins, as an owner may be in 65,536 groups.
    for (std::size_t i = 0; i < kGroups; ++i)
        ASSERT_TRUE(node->join({"store-" + std::to_string(i % 100), "Feature-" + std::to_string(i)}, {}).ok());
    JoinOptions many;
    many.count = 7;
    ASSERT_TRUE(node->join({"store-5", "the largest"}, {}, many).ok());

    std::uint64_t from = 0;
    std::size_t parts = 0;
    do {
        const auto part = node->groups_part(from);
        ASSERT_TRUE(part.ok());
        EXPECT_LE(part->groups.size(), 512u);
        from = part->next;
        ++parts;
    } while (from != 0);
    EXPECT_GE(parts, kGroups / 512);

    GroupList list(*node);
    const auto all = list.find("", GroupList::Order::by_name, 0);
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(all->total, kGroups + 1);
    EXPECT_EQ(all->matched, kGroups + 1);
    EXPECT_EQ(all->groups.size(), GroupList::kPage);
    EXPECT_EQ(all->groups[0].group, (Group{"store-0", "Feature-0"}));
    const auto largest = list.find("", GroupList::Order::by_members, 0);
    EXPECT_EQ(largest->groups[0].group.feature, "the largest");
    const auto found = list.find("  feature-9999 STORE-9 ", GroupList::Order::by_name, 0);
    EXPECT_EQ(found->matched, 11u);  // Feature-9999, and Feature-99990 to 99999 with a store that begins so
    const auto beyond = list.find("", GroupList::Order::by_name, kGroups);
    EXPECT_EQ(beyond->groups.size(), 1u);
    EXPECT_TRUE(list.find("", GroupList::Order::by_name, kGroups * 2)->groups.empty());
}

WatchEvent event(WatchEvent::Kind kind, const Group& group, std::vector<std::uint64_t> numbers) {
    WatchEvent event{kind, Reason::left, {{group, {}}}};
    for (const auto number : numbers)
        event.groups[0].members.push_back({{{"a", Incarnation{1}}, MemberNumber{number}}, "w", {}});
    return event;
}

TEST(Digests, DifferOnlyWhereMembersDo) {
    const Group one{"one", "x"};
    const Group two{"two", "x"};
    Digests a;
    Digests b;
    EXPECT_FALSE(a.has_begun());
    a.take({});
    EXPECT_TRUE(a.has_begun());
    b.take(event(WatchEvent::Kind::snapshot, one, {1, 2, 3}));
    EXPECT_EQ(Digests::differing(a, b), (std::vector{one}));
    a.take(event(WatchEvent::Kind::join, one, {3, 2, 1}));
    EXPECT_TRUE(Digests::differing(a, b).empty());
    a.take(event(WatchEvent::Kind::join, two, {4}));
    EXPECT_EQ(Digests::differing(a, b), (std::vector{two}));
    b.take(event(WatchEvent::Kind::join, two, {5}));
    EXPECT_EQ(Digests::differing(a, b), (std::vector{two})) << "as many members, but others";
    for (Digests* each : {&a, &b}) each->take(event(WatchEvent::Kind::leave, two, {each == &a ? 4u : 5u}));
    EXPECT_TRUE(Digests::differing(a, b).empty());
    EXPECT_EQ(a.groups(), 1u);
    EXPECT_EQ(a.members(), 3u);
    a.take(event(WatchEvent::Kind::snapshot, two, {9}));
    EXPECT_EQ(Digests::differing(a, b), (std::vector{one, two}));
    auto part = event(WatchEvent::Kind::snapshot, one, {1});
    part.more = true;
    a.take(part);
    EXPECT_FALSE(a.has_begun());
    part = event(WatchEvent::Kind::snapshot, one, {2, 3});
    part.continued = true;
    a.take(part);
    EXPECT_TRUE(a.has_begun());
    EXPECT_TRUE(Digests::differing(a, b).empty());
}

TEST(PageFiles, AreInTheProgramAndNeedNothingElse) {
    std::set<std::string_view> names;
    for (const auto& file : page_files()) {
        EXPECT_TRUE(names.insert(file.name).second);
        EXPECT_FALSE(file.bytes.empty()) << file.name;
        // The name of a namespace is no address that anybody loads.
        const bool is_svg = file.name.ends_with(".svg") || file.name == "dom.js";
        EXPECT_EQ(file.bytes.find("://") != std::string_view::npos, is_svg) << file.name;
        for (const char* forbidden : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("})
            EXPECT_EQ(file.bytes.find(forbidden), std::string_view::npos) << file.name << ": " << forbidden;
    }
    EXPECT_TRUE(names.contains("index.html"));
}

}  // namespace
}  // namespace muster::daemon
