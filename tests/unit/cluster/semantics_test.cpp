// What Erlang's pg promises its users, each as a test, and what muster adds to it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/cluster/three_nodes.hpp"

namespace muster::cluster::test {
namespace {

const Group kStreams{"orders", "streams"};
using std::chrono::milliseconds;

/// What a watcher knows from its snapshot and all later events: member ids by group.
std::map<Group, std::set<std::string>> view_of(const std::vector<Net::WatcherEvent>& seen, WatchId watch) {
    std::map<Group, std::set<std::string>> view;
    for (const auto& [node, id, event] : seen) {
        if (id != watch) continue;
        if (event.kind == WatchEvent::Kind::snapshot && !event.continued) view.clear();
        for (const auto& group : event.groups)
            for (const auto& member : group.members) {
                auto& members = view[group.group];
                if (event.kind == WatchEvent::Kind::leave)
                    EXPECT_EQ(members.erase(to_string(member.id)), 1u) << "a leave of what was not joined";
                else
                    EXPECT_TRUE(members.insert(to_string(member.id)).second) << "a join twice";
                if (members.empty()) view.erase(group.group);
            }
    }
    return view;
}

std::map<Group, std::set<std::string>> table_of(Net& net, const std::string& node) {
    std::map<Group, std::set<std::string>> table;
    for (const auto& group : net.core(node).groups())
        for (const auto& member : net.core(node).members(group.group, false))
            table[group.group].insert(to_string(member.id));
    return table;
}

class Semantics : public ThreeNodes {
protected:
    void SetUp() override {
        ThreeNodes::SetUp();
        for (const auto* name : {"a", "b", "c"}) ASSERT_TRUE(net.core(name).is_ready()) << name;
    }
    template <class T>
    static const T& as(const CallResult& result) {
        return std::get<T>(result);
    }
    std::size_t deltas_published(const std::string& node) {
        std::size_t n = 0;
        for (const auto& message : net.published[node])
            if (const auto* deltas = std::get_if<proto::Deltas>(&message.body)) n += deltas->deltas.size();
        return n;
    }
};

TEST_F(Semantics, EveryNodeKnowsEveryNode) {
    for (const auto* name : {"a", "b", "c"}) {
        const auto nodes = net.core(name).nodes();
        ASSERT_EQ(nodes.size(), 3u) << name;
        for (const auto& node : nodes) EXPECT_EQ(node.state, NodeState::alive) << name << " of " << node.id.name;
    }
}

TEST_F(Semantics, JoiningNTimesTakesNLeaves) {
    for (int i = 0; i < 3; ++i) net.join("a", kMe, kOrders);
    EXPECT_EQ(net.members("c", kOrders).size(), 3u);
    for (std::size_t left = 2;; --left) {
        EXPECT_EQ(as<proto::LeaveReply>(net.leave("a", kMe, kOrders)).members.size(), 1u);
        EXPECT_EQ(net.members("c", kOrders).size(), left);
        if (left == 0) break;
    }
    EXPECT_EQ(as<Error>(net.leave("a", kMe, kOrders)).code, ErrorCode::not_joined);
}

TEST_F(Semantics, ABatchIsOneDeltaAndOneEvent) {
    net.call("b", LocalWatch{WatchId{1}, kOrders});
    const auto before = deltas_published("a");
    net.join("a", kMe, kOrders, 100);
    EXPECT_EQ(deltas_published("a"), before + 1);
    net.leave("a", kMe, kOrders, 60);
    EXPECT_EQ(deltas_published("a"), before + 2);
    ASSERT_EQ(net.watch_events.size(), 3u);
    EXPECT_EQ(net.watch_events[0].event.kind, WatchEvent::Kind::snapshot);
    EXPECT_TRUE(net.watch_events[0].event.groups.empty());
    EXPECT_EQ(net.watch_events[1].event.groups.at(0).members.size(), 100u);
    EXPECT_EQ(net.watch_events[2].event.kind, WatchEvent::Kind::leave);
    EXPECT_EQ(net.watch_events[2].event.groups.at(0).members.size(), 60u);
    EXPECT_EQ(net.members("b", kOrders).size(), 40u);
}

TEST_F(Semantics, LeavingWhatIsNotJoinedChangesNothing) {
    net.join("a", kMe, kOrders);
    net.call("a", LocalWatch{WatchId{1}, {}});
    const auto before = deltas_published("a");
    EXPECT_EQ(as<Error>(net.leave("a", kYou, kOrders)).code, ErrorCode::not_joined);
    EXPECT_EQ(as<Error>(net.leave("a", kMe, kStreams)).code, ErrorCode::not_joined);
    EXPECT_EQ(as<Error>(net.leave("b", kMe, kOrders)).code, ErrorCode::not_joined);  // only local owners
    EXPECT_EQ(deltas_published("a"), before);
    EXPECT_EQ(net.watch_events.size(), 1u);
    EXPECT_EQ(net.members("c", kOrders).size(), 1u);
}

TEST_F(Semantics, LeaveTakesAtMostTheMembersThatExist) {
    net.join("a", kMe, kOrders, 2);
    EXPECT_EQ(as<proto::LeaveReply>(net.leave("a", kMe, kOrders, 5)).members.size(), 2u);
}

TEST_F(Semantics, ALeaveAcrossHandlersIsOneDelta) {
    net.join("a", kMe, kOrders, 2);
    net.join("a", kYou, kOrders, 2);
    const auto before = deltas_published("a");
    const auto left = as<proto::LeaveReply>(net.leave("a", kAnyHandler, kOrders, 3));
    EXPECT_EQ(left.members, (std::vector{MemberNumber{2}, MemberNumber{3}, MemberNumber{4}}));
    EXPECT_EQ(deltas_published("a"), before + 1);
    EXPECT_EQ(as<Error>(net.leave("a", kYou, kOrders)).code, ErrorCode::not_joined);
    EXPECT_EQ(net.members("c", kOrders).size(), 1u);
}

TEST_F(Semantics, EmptyGroupsDoNotExist) {
    EXPECT_EQ(as<Error>(net.join("a", kMe, kOrders, 0)).code, ErrorCode::bad_request);
    EXPECT_TRUE(net.core("a").groups().empty());
    net.join("a", kMe, kOrders);
    EXPECT_EQ(net.core("c").groups().size(), 1u);
    net.leave("a", kMe, kOrders);
    for (const auto* name : {"a", "b", "c"}) EXPECT_TRUE(net.core(name).groups().empty()) << name;
}

TEST_F(Semantics, NamesAndCountsAreChecked) {
    for (const Group& bad : {Group{"", "x"}, Group{"x", ""}, Group{std::string(256, 'x'), "x"}, Group{"x", "\xff"}}) {
        EXPECT_EQ(as<Error>(net.join("a", kMe, bad)).code, ErrorCode::bad_request);
        EXPECT_EQ(as<Error>(net.notify("a", bad, "1")).code, ErrorCode::bad_request);
    }
    EXPECT_EQ(as<Error>(net.join("a", kMe, kOrders, 65537)).code, ErrorCode::bad_request);
    EXPECT_EQ(net.members("a", kOrders).size(), 0u);
    EXPECT_EQ(as<proto::JoinReply>(net.join("a", kMe, Group{std::string(255, 'x'), "y"}, 65536)).members.at(0).count,
              65536u);
    EXPECT_EQ(net.core("b").members(Group{std::string(255, 'x'), "y"}, false).size(), 65536u);
}

TEST_F(Semantics, OwnWritesAreReadImmediately) {
    Actions actions;
    net.core("a").step({net.now, LocalJoin{CallId{999}, kMe, kOrders, 1, {}, false, milliseconds(1)}}, actions);
    EXPECT_EQ(net.core("a").members(kOrders, false).size(), 1u);
    net.core("a").step({net.now, LocalLeave{CallId{1000}, kMe, kOrders, {}, 1}}, actions);
    EXPECT_TRUE(net.core("a").members(kOrders, false).empty());
}

/// One core gets the events, the other the calls.
TEST(DirectCalls, DoWhatTheirEventsDo) {
    Options options;
    options.self = {"a", Incarnation{1}};
    Core stepped(options);
    Core called(options);
    Actions of_stepped;
    Actions of_called;
    const auto both = [&](const auto& body) {
        stepped.step({Instant{}, body}, of_stepped);
        called.step({Instant{}, body}, of_called);
    };
    const auto answer = [&] {
        const auto at = std::find_if(of_stepped.begin(), of_stepped.end(),
                                     [](const Action& action) { return std::holds_alternative<Answer>(action); });
        auto result = std::get<Answer>(*at).result;
        of_stepped.erase(at);
        return result;
    };
    const auto expect_the_same_actions = [&] {
        ASSERT_EQ(of_stepped.size(), of_called.size());
        for (std::size_t i = 0; i < of_called.size(); ++i) EXPECT_EQ(of_stepped[i].index(), of_called[i].index()) << i;
        of_stepped.clear();
        of_called.clear();
    };
    both(Tick{});
    both(LocalWatch{WatchId{1}, {}});
    expect_the_same_actions();

    const LocalJoin join{CallId{1}, kMe, kOrders, 3, {{"k", "v"}}, false, milliseconds(1)};
    stepped.step({Instant{}, join}, of_stepped);
    const auto joined = called.join(Instant{}, join, of_called);
    ASSERT_TRUE(joined.ok());
    EXPECT_EQ(std::get<proto::JoinReply>(answer()).members, std::vector<proto::NumberRun>{*joined});
    expect_the_same_actions();

    const LocalLeave leave{CallId{2}, kMe, kOrders, {MemberNumber{2}}, 1};
    stepped.step({Instant{}, leave}, of_stepped);
    const auto left = called.leave(Instant{}, leave, of_called);
    ASSERT_TRUE(left.ok());
    EXPECT_EQ(std::get<proto::LeaveReply>(answer()).members, *left);
    expect_the_same_actions();

    stepped.step({Instant{}, leave}, of_stepped);
    EXPECT_EQ(std::get<Error>(answer()), called.leave(Instant{}, leave, of_called).error());
    both(Tick{});
    expect_the_same_actions();
    EXPECT_EQ(stepped.members(kOrders, true), called.members(kOrders, true));
    EXPECT_EQ(called.members(kOrders, true).size(), 2u);
}

TEST_F(Semantics, AnEndedHandlerLeavesEveryGroupOnce) {
    net.join("a", kMe, kOrders, 3);
    net.join("a", kMe, kStreams, 2);
    net.join("a", kYou, kStreams);
    net.call("b", LocalWatch{WatchId{1}, {}});
    net.call("a", HandlerGone{kMe});
    ASSERT_EQ(net.watch_events.size(), 3u);  // the snapshot, and one event a group
    EXPECT_EQ(net.watch_events[1].event.groups[0].members.size() + net.watch_events[2].event.groups[0].members.size(),
              5u);
    EXPECT_EQ(net.members("c", kStreams).size(), 1u);
    EXPECT_TRUE(net.members("c", kOrders).empty());
    net.call("a", HandlerGone{kMe});  // ends once
    EXPECT_EQ(net.watch_events.size(), 3u);
}

TEST_F(Semantics, MembersAreOrderedAndLocalOnesApart) {
    net.join("c", kMe, kOrders, 2);
    net.join("a", kMe, kOrders, 1, {{"role", "leader"}});
    net.join("b", kMe, kOrders);
    for (const auto* name : {"a", "b", "c"}) EXPECT_EQ(net.members(name, kOrders), net.members("a", kOrders)) << name;
    const auto members = net.core("b").members(kOrders, false);
    ASSERT_EQ(members.size(), 4u);
    EXPECT_EQ(members[0].id.node.name, "a");
    EXPECT_EQ(members[0].meta.at("role"), "leader");
    EXPECT_EQ(members[3].id.node.name, "c");
    ASSERT_EQ(net.core("c").members(kOrders, true).size(), 2u);
    EXPECT_EQ(net.core("b").members(kOrders, true).size(), 1u);
}

TEST_F(Semantics, AWatchIsExactUnderConcurrentChanges) {
    for (int i = 0; i < 20; ++i) {
        net.join(i % 2 ? "a" : "b", HandlerId{10u + static_cast<unsigned>(i)}, i % 3 ? kOrders : kStreams,
                 1u + static_cast<unsigned>(i) % 4);
        // Watches begin in the middle of changes that are on their way.
        Actions actions;
        net.core("c").step({net.now, LocalWatch{WatchId{static_cast<unsigned>(i)}, {}}}, actions);
        for (auto& action : actions)
            if (auto* tell = std::get_if<TellWatcher>(&action))
                net.watch_events.push_back({"c", tell->watch, tell->event});
        if (i % 5 == 4) net.leave("a", HandlerId{10u + static_cast<unsigned>(i) - 1}, i % 3 == 1 ? kStreams : kOrders);
    }
    net.call("b", HandlerGone{HandlerId{10}});
    net.kill("a");
    net.run(milliseconds(200));
    for (unsigned i = 0; i < 20; ++i)
        EXPECT_EQ(view_of(net.watch_events, WatchId{i}), table_of(net, "c")) << "watch " << i;
}

TEST(LongSnapshot, OfAWatcherInsideTheNodeTakesSeveralTurns) {
    Net net([](Options& options) { options.bounds.chunk_bytes = 1; });
    net.start("a");
    net.run(milliseconds(1000));
    const auto group = [](unsigned i) { return Group{"long", std::to_string(i)}; };
    for (unsigned i = 0; i < 100; ++i) net.join("a", HandlerId{i + 1}, group(i));
    Actions actions;
    net.core("a").step({net.now, LocalWatch{WatchId{1}, {}}}, actions);
    for (auto& action : actions)
        if (auto* tell = std::get_if<TellWatcher>(&action)) net.watch_events.push_back({"a", tell->watch, tell->event});
    EXPECT_LT(net.watch_events.size(), 100u);
    EXPECT_TRUE(net.watch_events.back().event.more);
    // One of these has been told, the other has not.
    net.leave("a", HandlerId{1}, group(0));
    net.leave("a", HandlerId{100}, group(99));
    net.join("a", HandlerId{101}, group(100));
    EXPECT_FALSE(net.watch_events.back().event.more);
    EXPECT_EQ(view_of(net.watch_events, WatchId{1}), table_of(net, "a"));
}

TEST_F(Semantics, AnEndedWatchGetsNothing) {
    net.call("b", LocalWatch{WatchId{1}, kOrders});
    net.call("b", LocalUnwatch{WatchId{1}});
    net.join("a", kMe, kOrders);
    EXPECT_EQ(net.watch_events.size(), 1u);
}

TEST_F(Semantics, ReasonsAreRight) {
    net.call("c", LocalWatch{WatchId{1}, {}});
    const auto reason = [&] { return net.watch_events.back().event.reason; };
    net.join("a", kMe, kOrders);
    net.leave("a", kMe, kOrders);
    EXPECT_EQ(reason(), Reason::left);

    net.join("b", kMe, kOrders);
    net.kill("b");
    net.run(milliseconds(100));
    EXPECT_EQ(net.watch_events.back().event.kind, WatchEvent::Kind::leave);
    EXPECT_EQ(reason(), Reason::node_down);

    net.join("a", kMe, kOrders);
    net.stop_gracefully("a");
    EXPECT_EQ(net.watch_events.back().event.kind, WatchEvent::Kind::leave);
    EXPECT_EQ(reason(), Reason::node_left);
    const auto nodes = net.core("c").nodes();
    EXPECT_EQ(nodes[0].state, NodeState::left);
    EXPECT_EQ(nodes[1].state, NodeState::down);
}

TEST_F(Semantics, ARestartUnderTheSameNameForgetsTheOldMembers) {
    net.join("b", kMe, kOrders);
    const auto old = net.members("a", kOrders);
    net.call("a", LocalWatch{WatchId{1}, {}});
    net.kill("b");
    net.start("b", "a");
    net.run(milliseconds(600));
    EXPECT_TRUE(net.members("a", kOrders).empty());
    net.join("b", kMe, kOrders);
    EXPECT_EQ(net.members("a", kOrders), net.members("c", kOrders));
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    EXPECT_NE(net.members("a", kOrders), old);
    EXPECT_EQ(view_of(net.watch_events, WatchId{1}), table_of(net, "a"));
}

TEST_F(Semantics, NotificationsReachEveryMemberWithAllFields) {
    net.join("a", kMe, kOrders);
    net.join("b", kMe, kOrders, 2);
    net.join("c", kYou, kStreams);
    const auto report = as<NotifyReport>(net.notify("c", kOrders, R"({"id":7})", true));
    EXPECT_EQ(report.matched, 3u);
    EXPECT_EQ(report.nodes, 2u);
    EXPECT_EQ(report.delivered, 3u);
    EXPECT_TRUE(report.missed.empty());
    ASSERT_EQ(net.delivered.size(), 2u);  // one for each owner
    for (const auto& [node, handler, notification, missed] : net.delivered) {
        EXPECT_EQ(missed, 0u);
        EXPECT_EQ(notification.kind, NotificationKind::created);
        EXPECT_EQ(notification.group, kOrders);
        EXPECT_EQ(to_json(notification.data), R"({"id":7})");
        EXPECT_EQ(notification.from_node, net.core("c").self());
        EXPECT_EQ(notification.members.size(), node == "b" ? 2u : 1u);
        EXPECT_EQ(notification.seq, 1u);
    }
    EXPECT_EQ(as<NotifyReport>(net.notify("a", {"no", "body"}, "null", true)).matched, 0u);
}

TEST_F(Semantics, GroupsWhoseHashesCollideStayApart) {
    Net collided(
        [](Options& options) { options.index_hash = [](const Group&, std::uint64_t) { return std::uint64_t{7}; }; });
    collided.start("a");
    collided.start("b", "a");
    collided.run(milliseconds(600));
    collided.join("a", kMe, kOrders, 2);
    collided.join("b", kYou, kStreams, 3);
    for (const auto* name : {"a", "b"}) {
        EXPECT_EQ(collided.members(name, kOrders).size(), 2u) << name;
        EXPECT_EQ(collided.members(name, kStreams).size(), 3u) << name;
        EXPECT_TRUE(collided.members(name, {"third", "group"}).empty()) << name;
        EXPECT_EQ(collided.core(name).groups().size(), 2u) << name;
    }
    EXPECT_EQ(as<NotifyReport>(collided.notify("a", kStreams, "1", true)).matched, 3u);
    ASSERT_EQ(collided.delivered.size(), 1u);
    EXPECT_EQ(collided.delivered[0].handler, kYou);
    collided.leave("a", kMe, kOrders, 2);
    EXPECT_TRUE(collided.members("b", kOrders).empty());
    EXPECT_EQ(collided.members("b", kStreams).size(), 3u);
}

TEST_F(Semantics, AVanishedGroupThatIsWatchedMatchesNobody) {
    net.join("b", kMe, kOrders);
    EXPECT_EQ(std::get<NotifyReport>(net.notify("a", kOrders, "1")).matched, 1u);
    net.stop_gracefully("b");
    net.run(milliseconds(100));
    net.call("a", LocalWatch{WatchId{1}, kOrders});
    EXPECT_EQ(std::get<NotifyReport>(net.notify("a", kOrders, "2")).matched, 0u);
}

TEST_F(Semantics, VisibleMeansThatEveryLiveNodeHasIt) {
    bool deaf = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return deaf && to == "b" && std::holds_alternative<proto::Deltas>(message.body);
    };
    net.call("a", LocalJoin{CallId{77}, kMe, kOrders, 1, {}, true, std::chrono::seconds(5)});
    net.run(milliseconds(300));
    EXPECT_FALSE(net.answers.contains(CallId{77}));
    EXPECT_TRUE(net.members("b", kOrders).empty());
    deaf = false;
    net.run(milliseconds(1000));
    ASSERT_TRUE(net.answers.contains(CallId{77}));
    EXPECT_EQ(as<proto::JoinReply>(net.answers[CallId{77}]).unseen, 0u);
    EXPECT_EQ(net.members("b", kOrders).size(), 1u);
}

TEST_F(Semantics, VisibleReportsHowManyNodesHaveNotSeenItInTime) {
    net.drop = [](const std::string& to, const proto::Message& message) {
        return to == "b" && std::holds_alternative<proto::Deltas>(message.body);
    };
    net.call("a", LocalJoin{CallId{77}, kMe, kOrders, 1, {}, true, milliseconds(500)});
    net.run(milliseconds(700));
    EXPECT_EQ(as<proto::JoinReply>(net.answers.at(CallId{77})).unseen, 1u);
}

TEST_F(Semantics, TwoScopesShareNothing) {
    Net mixed([](Options& options) { options.scope = options.self.name == "x" ? "other" : "default"; });
    mixed.start("a");
    mixed.start("x", "a");
    mixed.join("x", kMe, kOrders);
    mixed.run(std::chrono::seconds(6));
    EXPECT_EQ(mixed.core("a").nodes().size(), 1u);
    EXPECT_EQ(mixed.core("x").nodes().size(), 1u);
    EXPECT_TRUE(mixed.members("a", kOrders).empty());
    EXPECT_TRUE(mixed.core("x").is_ready());  // its seed was in vain
}

}  // namespace
}  // namespace muster::cluster::test
