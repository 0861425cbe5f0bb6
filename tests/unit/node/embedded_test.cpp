// Nodes in this process, over real sockets.
#include <gtest/gtest.h>
#include <muster/node.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>
#include <thread>

#include "tests/unit/node/forked.hpp"
#include "tests/unit/node/nodes.hpp"
#include "tests/unit/node/support.hpp"

namespace muster {
namespace {

using test::kGroup;
using test::kLong;
using test::many;
using test::options;
using test::Seen;
using test::start;
using test::visible;

const Data kData{"\x2a"};

struct Pair {
    std::unique_ptr<Node> a = start(options("a"));
    std::unique_ptr<Node> b = start(options("b", {a->address()}));
};

std::vector<MemberId> ids(const Members& members) {
    std::vector<MemberId> all;
    for (const auto& member : members) all.push_back(member.id);
    return all;
}

TEST(Node, ReadsItsOwnWrites) {
    const auto node = start(options("a"));
    const auto joined = node->join(kGroup, {}, many(3, {{"k", "v"}}));
    ASSERT_TRUE(joined.ok()) << joined.error().text;
    ASSERT_EQ(joined->members.size(), 3u);
    const auto members = node->members(kGroup);
    ASSERT_TRUE(members.ok());
    EXPECT_EQ(ids(*members), joined->members);
    EXPECT_EQ(members->front().meta, (Meta{{"k", "v"}}));
    EXPECT_EQ(node->groups()->size(), 1u);
    const auto left = node->leave(kGroup, {joined->members[1]});
    ASSERT_TRUE(left.ok());
    EXPECT_EQ(*left, std::vector<MemberId>{joined->members[1]});
    EXPECT_EQ(node->local_members(kGroup)->size(), 2u);
    EXPECT_EQ(node->leave(kGroup, 5)->size(), 2u);
    EXPECT_TRUE(node->members(kGroup)->empty());
    EXPECT_TRUE(node->groups()->empty());
}

TEST(Node, LeaveWithoutAMemberChangesNothing) {
    const Pair nodes;
    const auto joined = nodes.a->join(kGroup, {}, visible());
    ASSERT_TRUE(joined.ok());
    EXPECT_EQ(nodes.b->leave(kGroup).error().code, ErrorCode::not_joined);
    EXPECT_EQ(nodes.b->leave(kGroup, joined->members).error().code, ErrorCode::not_joined);
    EXPECT_EQ(nodes.a->leave({"orders", "snapshots"}).error().code, ErrorCode::not_joined);
    EXPECT_EQ(nodes.b->members(kGroup)->size(), 1u);
}

TEST(Node, TheLatestMembersLeaveFirstAcrossJoins) {
    const auto node = start(options("a"));
    std::vector<MemberId> all;
    for (int i = 0; i < 3; ++i) all.push_back(node->join(kGroup, [](const Notification&) {})->members.front());
    EXPECT_EQ(*node->leave(kGroup, 2), (std::vector<MemberId>{all[1], all[2]}));
    EXPECT_EQ(ids(*node->members(kGroup)), std::vector<MemberId>{all[0]});
}

TEST(Node, RefusesWrongArguments) {
    const auto node = start(options("a"));
    EXPECT_EQ(node->join({"", "x"}, {}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->join(kGroup, {}, many(0)).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->join(kGroup, {}, many(65537)).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->join(kGroup, {}, many(1, {{"k", std::string(256, 'v')}})).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->leave({"x", ""}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->leave(kGroup, 0).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->notify_created({"x", ""}, kData).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->notify_created(kGroup, Data{"\xc1"}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->notify_created(kGroup, Data{""}).error().code, ErrorCode::bad_request);
    for (const int kind : {0, 4, 255})
        EXPECT_EQ(node->notify(static_cast<NotificationKind>(kind), kGroup, kData, {}).error().code,
                  ErrorCode::bad_request);
    EXPECT_EQ(node->watch({"", "x"}, [](const WatchEvent&) {}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(node->watch(kGroup, {}).error().code, ErrorCode::bad_request);
    EXPECT_TRUE(node->groups()->empty());
}

TEST(Node, TakesTheLongestTimeoutThatTheTypeHas) {
    const auto node = start(options("a"));
    NotifyOptions for_ever;
    for_ever.wait = true;
    for_ever.timeout = std::chrono::milliseconds::max();
    JoinOptions join;
    join.visible = true;
    join.timeout = std::chrono::milliseconds::max();
    EXPECT_TRUE(node->join(kGroup, {}, join).ok());
    const auto report = node->notify(NotificationKind::created, kGroup, kData, for_ever);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->delivered, 1u);
    for_ever.timeout = std::chrono::milliseconds::min();
    EXPECT_TRUE(node->notify(NotificationKind::created, {"nobody", "here"}, kData, for_ever).ok());
}

TEST(Node, InAForkedChildEachCallSaysThatTheNodeIsTheParentsAndTheChildStartsItsOwn) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "the thread sanitizer does not follow forks of processes with threads";
#endif
    auto node = start(options("a"));
    const auto status = test::status_of_child([&] {
        const auto closed = [](const auto& result) { return !result && result.error().code == ErrorCode::closed; };
        if (!closed(node->join(kGroup, {}, JoinOptions{}))) return 1;
        if (!closed(node->leave(kGroup, 1)) || !closed(node->leave(kGroup, std::vector<MemberId>{}))) return 2;
        if (!closed(node->members(kGroup)) || !closed(node->local_members(kGroup))) return 3;
        if (!closed(node->groups()) || !closed(node->nodes()) || !closed(node->status())) return 4;
        if (!closed(node->notify_created(kGroup, kData))) return 5;
        if (!closed(node->watch(kGroup, [](const WatchEvent&) {})) || node->unwatch(Watch{1})) return 6;
        if (!closed(node->counters()) || !closed(node->latencies()) || !closed(node->reload_keys())) return 7;
        if (node->is_ready() || node->wait_ready(std::chrono::milliseconds(1))) return 8;
        auto own = Node::start(options("b", {node->address()}));
        if (!own || !(*own)->wait_ready(kLong) || !(*own)->join(kGroup, {}, many(1))) return 9;
        own->reset();
        node->close();
        node.reset();
        return 0;
    });
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(node->join(kGroup, {}, many(1)).ok());
}

TEST(Node, RefusesWrongOptions) {
    const auto why = [](Node::Options given) {
        const auto node = Node::start(std::move(given));
        return node.ok() ? Error{} : node.error();
    };
    EXPECT_EQ(why(options("a b")).code, ErrorCode::bad_request);
    auto wrong = options("a");
    wrong.listen = "nowhere";
    EXPECT_EQ(why(wrong).code, ErrorCode::bad_request);
    for (const auto queue : {&Node::Options::Queues::backlog, &Node::Options::Queues::link})
        for (const auto bound : {&Node::Options::Queue::items, &Node::Options::Queue::bytes}) {
            auto small = options("a");
            small.queues.*queue.*bound = 15;
            EXPECT_EQ(why(small).code, ErrorCode::bad_request);
        }
    const auto running = start(options("a"));
    auto taken = options("b");
    taken.listen = running->address();
    EXPECT_EQ(why(taken).code, ErrorCode::unreachable);
    EXPECT_NE(why(taken).text.find("address already in use"), std::string::npos);
}

TEST(Node, OtherNodesSeeAJoin) {
    const Pair nodes;
    const auto joined = nodes.a->join(kGroup, {}, visible(2));
    ASSERT_TRUE(joined.ok()) << joined.error().text;
    EXPECT_EQ(joined->unseen, 0u);
    EXPECT_EQ(ids(*nodes.b->members(kGroup)), joined->members);
    EXPECT_TRUE(nodes.b->local_members(kGroup)->empty());
    for (const auto* node : {&nodes.a, &nodes.b}) {
        const auto known = (*node)->nodes();
        ASSERT_EQ(known->size(), 2u);
        EXPECT_EQ((*known)[0].id.name, "a");
        EXPECT_EQ((*known)[1].id.name, "b");
    }
}

TEST(Node, NotifiesEveryMemberInOrderAndReportsIt) {
    constexpr std::uint64_t kRounds = 500;
    Seen<Notification> at_a;
    Seen<Notification> at_b;
    const Pair nodes;
    const auto in_a = nodes.a->join(
        kGroup, [&](const Notification& n) { at_a.add(n); }, visible(2));
    const auto in_b = nodes.b->join(
        kGroup, [&](const Notification& n) { at_b.add(n); }, visible(1));
    ASSERT_TRUE(in_a.ok() && in_b.ok());
    for (std::uint64_t i = 0; i < kRounds; ++i) {
        const auto report = nodes.a->notify_updated(kGroup, Data{std::string(1, static_cast<char>(i % 128))});
        ASSERT_TRUE(report.ok());
        EXPECT_EQ(report->matched, 3u);
        EXPECT_EQ(report->nodes, 2u);
    }
    const auto waited = nodes.a->notify_deleted(kGroup, kData, {.wait = true, .timeout = kLong});
    ASSERT_TRUE(waited.ok());
    EXPECT_EQ(waited->delivered, 3u);
    EXPECT_TRUE(waited->missed.empty());

    const auto heard = at_b.wait_for(kRounds + 1);
    ASSERT_EQ(heard.size(), kRounds + 1);
    for (std::size_t i = 0; i < kRounds; ++i) {
        EXPECT_EQ(heard[i].data.msgpack, std::string(1, static_cast<char>(i % 128)));
        EXPECT_EQ(heard[i].kind, NotificationKind::updated);
        EXPECT_EQ(heard[i].members, std::vector<MemberNumber>{in_b->members[0].number});
        EXPECT_EQ(heard[i].from_node, nodes.a->id());
        EXPECT_GT(heard[i].seq, i == 0 ? 0 : heard[i - 1].seq);
    }
    EXPECT_EQ(heard.back().kind, NotificationKind::deleted);
    EXPECT_EQ(at_a.wait_for(2 * (kRounds + 1)).size(), 2 * (kRounds + 1)) << "each member of the call by itself";
}

TEST(Node, ABlockedHandlerDelaysNoOther) {
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::atomic<int> passed = 0;
    Seen<Notification> seen;
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup,
                           [&](const Notification&) {
                               opened.wait();
                               ++passed;
                           })
                    .ok());
    ASSERT_TRUE(node->join(kGroup, [&](const Notification& n) { seen.add(n); }).ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(node->notify_created(kGroup, kData).ok());
    EXPECT_EQ(seen.wait_for(3).size(), 3u);
    EXPECT_EQ(passed, 0);
    open.set_value();
}

TEST(Node, AFullInboxDropsTheOldestAndReportsTheGap) {
    auto given = options("a");
    given.queues.inbox.items = 2;
    Seen<std::uint64_t> gaps;
    given.on_gap = [&](const Group& group, std::uint64_t missed) {
        EXPECT_EQ(group, kGroup);
        gaps.add(missed);
    };
    std::promise<void> entered;
    std::promise<void> open;
    std::shared_future<void> opened = open.get_future().share();
    std::atomic<int> calls = 0;
    Seen<std::string> seen;
    Seen<int> fence;
    const auto node = start(std::move(given));
    ASSERT_TRUE(node->join(kGroup,
                           [&](const Notification& n) {
                               if (calls++ == 0) {
                                   entered.set_value();
                                   opened.wait();
                               }
                               seen.add(n.data.msgpack);
                           })
                    .ok());
    ASSERT_TRUE(node->notify_created(kGroup, Data{std::string(1, '\0')}).ok());
    ASSERT_EQ(entered.get_future().wait_for(kLong), std::future_status::ready);
    // A second handler, joined to another group, tells that the loop has handed on everything before.
    const Group other{"orders", "snapshots"};
    ASSERT_TRUE(node->join(other, [&](const Notification&) { fence.add(1); }).ok());
    for (char i = 1; i <= 6; ++i) ASSERT_TRUE(node->notify_created(kGroup, Data{std::string(1, i)}).ok());
    ASSERT_TRUE(node->notify_created(other, kData).ok());
    ASSERT_EQ(fence.wait_for(1).size(), 1u);
    open.set_value();
    EXPECT_EQ(seen.wait_for(3), (std::vector<std::string>{std::string(1, '\0'), "\x05", "\x06"}));
    EXPECT_EQ(gaps.now(), std::vector<std::uint64_t>{4});
}

TEST(Node, AThrowingHandlerIsCountedAndCalledAgain) {
    Seen<int> seen;
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup,
                           [&](const Notification&) {
                               seen.add(1);
                               throw std::runtime_error("a user's fault");
                           })
                    .ok());
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(node->notify_created(kGroup, kData).ok());
    EXPECT_EQ(seen.wait_for(2).size(), 2u);
    const auto end = std::chrono::steady_clock::now() + kLong;
    while (node->status()->counters.at("handler_exceptions") < 2 && std::chrono::steady_clock::now() < end)
        std::this_thread::yield();
    EXPECT_EQ(node->status()->counters.at("handler_exceptions"), 2u);
}

/// The table that a watcher builds from events. Fails the test if an event does not fit.
class Applied {
public:
    void apply(const WatchEvent& event) {
        if (event.kind == WatchEvent::Kind::snapshot) {
            EXPECT_FALSE(snapshot_) << "one snapshot only";
            snapshot_ = true;
            members_.clear();
        }
        EXPECT_TRUE(snapshot_) << "nothing before the snapshot";
        for (const auto& group : event.groups)
            for (const auto& member : group.members) {
                if (event.kind == WatchEvent::Kind::leave)
                    EXPECT_EQ(members_.erase(member.id), 1u);
                else
                    EXPECT_TRUE(members_.insert(member.id).second);
            }
    }
    [[nodiscard]] const std::set<MemberId>& members() const { return members_; }

private:
    bool snapshot_ = false;
    std::set<MemberId> members_;
};

TEST(Node, AWatchGetsASnapshotAndThenEveryChange) {
    Seen<WatchEvent> events;
    const Pair nodes;
    ASSERT_TRUE(nodes.a->join(kGroup, {}, many(5)).ok());
    // Joins and leaves race with the beginning of the watch.
    std::thread busy([&] {
        for (int i = 0; i < 200; ++i) {
            ASSERT_TRUE(nodes.a->join(kGroup, {}, many(2)).ok());
            ASSERT_TRUE(nodes.a->leave(kGroup, 1).ok());
        }
    });
    const auto watch = nodes.b->watch(kGroup, [&](const WatchEvent& event) { events.add(event); });
    ASSERT_TRUE(watch.ok());
    busy.join();
    const std::vector<MemberId> expected = ids(*nodes.a->members(kGroup));
    ASSERT_EQ(expected.size(), 205u);
    const auto heard = events.wait([&](const std::vector<WatchEvent>& all) {
        std::set<MemberId> members;
        for (const auto& event : all)
            for (const auto& group : event.groups)
                for (const auto& member : group.members) {
                    if (event.kind == WatchEvent::Kind::leave)
                        members.erase(member.id);
                    else
                        members.insert(member.id);
                }
        return members == std::set<MemberId>(expected.begin(), expected.end());
    });
    Applied applied;
    for (const auto& event : heard) applied.apply(event);
    EXPECT_EQ(applied.members(), std::set<MemberId>(expected.begin(), expected.end()));
    EXPECT_TRUE(nodes.b->unwatch(*watch));
    EXPECT_FALSE(nodes.b->unwatch(*watch));
}

TEST(Node, NothingIsHandledAfterUnwatch) {
    std::atomic<int> handled = 0;
    Seen<int> fence;
    const auto node = start(options("a"));
    const auto watch = node->watch_all([&](const WatchEvent&) { ++handled; });
    ASSERT_TRUE(watch.ok());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(node->join(kGroup, {}).ok());
    ASSERT_TRUE(node->unwatch(*watch));
    const int then = handled;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(node->join(kGroup, {}).ok());
    ASSERT_TRUE(node->watch_all([&](const WatchEvent&) { fence.add(1); }).ok());
    EXPECT_EQ(fence.wait_for(1).size(), 1u);
    EXPECT_EQ(handled, then);
}

TEST(Node, AfterUnwatchInItsHandlerNothingIsHandled) {
    std::atomic<std::uint64_t> number = 0;
    std::atomic<int> handled = 0;
    Seen<bool> ended;
    std::promise<void> known;
    auto ready = known.get_future().share();
    std::unique_ptr<Node> node = start(options("a"));
    const auto watch = node->watch(kGroup, [&](const WatchEvent&) {
        ready.wait();
        ++handled;
        ended.add(node->unwatch(Watch{number}));
    });
    ASSERT_TRUE(watch.ok());
    number = watch->value;
    ASSERT_TRUE(node->join(kGroup, {}).ok());
    known.set_value();
    EXPECT_EQ(ended.wait_for(1), std::vector<bool>{true});
    EXPECT_EQ(handled, 1);
}

TEST(Node, MembersOfAClosedNodeLeaveImmediatelyEverywhere) {
    Seen<Reason> reasons;
    Pair nodes;
    ASSERT_TRUE(nodes.b->join(kGroup, {}, visible(3)).ok());
    const auto watch = nodes.a->watch(kGroup, [&](const WatchEvent& event) {
        if (event.kind != WatchEvent::Kind::leave) return;
        for (std::size_t i = 0; i < event.groups.front().members.size(); ++i) reasons.add(event.reason);
    });
    ASSERT_TRUE(watch.ok());
    const auto begun = std::chrono::steady_clock::now();
    nodes.b.reset();
    const auto seen = reasons.wait_for(3);
    EXPECT_EQ(seen, std::vector<Reason>(3, Reason::node_left));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(2000)) << "told, not found out";
    EXPECT_TRUE(nodes.a->members(kGroup)->empty());
}

TEST(Node, AClosedNodeAnswersClosed) {
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup, {}).ok());
    node->close();
    node->close();
    EXPECT_EQ(node->join(kGroup, {}).error().code, ErrorCode::closed);
    EXPECT_EQ(node->leave(kGroup).error().code, ErrorCode::closed);
    EXPECT_EQ(node->members(kGroup).error().code, ErrorCode::closed);
    EXPECT_EQ(node->groups().error().code, ErrorCode::closed);
    EXPECT_EQ(node->nodes().error().code, ErrorCode::closed);
    EXPECT_EQ(node->status().error().code, ErrorCode::closed);
    EXPECT_EQ(node->notify_created(kGroup, kData).error().code, ErrorCode::closed);
    EXPECT_EQ(node->watch(kGroup, [](const WatchEvent&) {}).error().code, ErrorCode::closed);
}

TEST(Node, ANodeWithATakenNameEnds) {
    const auto first = start(options("a"));
    auto given = options("a", {first->address()});
    Seen<Error> ends;
    given.on_stopped = [&](const Error& error) { ends.add(error); };
    auto second = Node::start(std::move(given));
    ASSERT_TRUE(second.ok());
    const auto ended = ends.wait_for(1);
    ASSERT_EQ(ended.size(), 1u);
    EXPECT_EQ(ended.front().code, ErrorCode::name_taken);
    EXPECT_EQ((*second)->groups().error().code, ErrorCode::name_taken);
    EXPECT_TRUE(first->groups().ok());
}

TEST(Node, ScopesShareNothing) {
    const auto a = start(options("a"));
    auto given = options("b", {a->address()});
    given.scope = "another";
    const auto b = start(std::move(given));
    ASSERT_TRUE(a->join(kGroup, {}).ok());
    EXPECT_TRUE(b->members(kGroup)->empty());
    EXPECT_EQ(a->nodes()->size(), 1u);
    EXPECT_EQ(b->nodes()->size(), 1u);
}

}  // namespace
}  // namespace muster
