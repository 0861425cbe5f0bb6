// What a node remembers of its own notices: for which groups, for how long, and how much.
#include <gtest/gtest.h>

#include "cluster/delivery/recent.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::seconds;

const Group kRecentOrders{"orders", "streams"};
const Group kRecentStock{"stock", "streams"};

class RecentNotices : public ::testing::Test {
protected:
    static Options options() {
        Options options;
        options.self = {"a", Incarnation{1}};
        options.bounds.recent_items = 4;
        options.timing.handover_window = seconds(30);
        return options;
    }
    /// The group's next notice, of a node whose notices have numbers, too.
    void send(const Group& group, bool for_workers) {
        const auto numbered = recent.of(group);
        ++recent.last_seq;
        proto::Notice notice;
        notice.group = group;
        notice.group_seq = numbered->last + 1;
        if (recent.number_next(*numbered, for_workers)) recent.keep(numbered, proto::SharedNotice(notice), 10);
    }
    void pass(Duration time) {
        ctx.now += time;
        recent.tick();
    }
    std::size_t kept(const Group& group) { return recent.of(group)->kept.size(); }

    Context ctx{options()};
    bool have_members = true;  // all groups
    Recent recent{ctx, [this](const Group&) { return have_members; }};
};

TEST_F(RecentNotices, GroupsWithHandlersAloneAreNumberedAndNotRemembered) {
    send(kRecentOrders, false);
    send(kRecentOrders, false);
    EXPECT_EQ(recent.of(kRecentOrders)->last, 2u);
    EXPECT_EQ(kept(kRecentOrders), 0u);
    EXPECT_EQ(recent.items(), 0u);
}

TEST_F(RecentNotices, TheyAreRememberedWhileAWorkerMayComeBack) {
    recent.lost_members(kRecentOrders);
    send(kRecentOrders, false);
    pass(seconds(29));
    send(kRecentOrders, false);
    EXPECT_EQ(kept(kRecentOrders), 2u);
    pass(seconds(2));
    EXPECT_EQ(kept(kRecentOrders), 1u) << "the first is older than the window";
    send(kRecentOrders, false);
    EXPECT_EQ(kept(kRecentOrders), 0u) << "nobody needs them any more";
    EXPECT_EQ(recent.items(), 1u) << "the place of one that is forgotten";
}

TEST_F(RecentNotices, TheOldestOfAllGroupsAreForgottenFirst) {
    send(kRecentOrders, true);
    send(kRecentStock, true);
    for (int i = 0; i < 4; ++i) send(kRecentStock, true);
    EXPECT_EQ(kept(kRecentOrders), 0u);
    EXPECT_EQ(kept(kRecentStock), 4u);
    EXPECT_EQ(recent.of(kRecentStock)->forgotten(), recent.of(kRecentStock)->last - 4);
    EXPECT_EQ(recent.of(kRecentOrders)->forgotten_at, ctx.now) << "a bound made the node forget it";
    EXPECT_FALSE(recent.is_over_bounds());
}

TEST_F(RecentNotices, NumbersNeverRepeatInOneLife) {
    send(kRecentOrders, true);
    send(kRecentOrders, true);
    pass(seconds(60));
    have_members = false;
    recent.tick();
    EXPECT_EQ(recent.find(kRecentOrders), nullptr);
    send(kRecentOrders, true);
    EXPECT_GT(recent.of(kRecentOrders)->last, 2u);
}

TEST_F(RecentNotices, GroupsWhoseMembersAreLostTakeABoundedAmountOfMemory) {
    for (int i = 0; i < 100; ++i) recent.lost_members(Group{"lost", std::to_string(i)});
    EXPECT_NE(recent.find({"lost", "0"}), nullptr);
    EXPECT_EQ(recent.find({"lost", "99"}), nullptr);
    EXPECT_NE(recent.needed({"lost", "99"}), nullptr) << "what is sent to it is remembered all the same";
}

TEST_F(RecentNotices, GroupsWithoutMembersAreForgottenWithTheirNotices) {
    have_members = false;
    recent.lost_members(std::nullopt);
    for (int i = 0; i < 100; ++i) {
        ctx.now += seconds(i == 50 ? 1 : 0);
        send(Group{"lost", std::to_string(i)}, false);
    }
    EXPECT_EQ(recent.find({"lost", "95"}), nullptr);
    EXPECT_NE(recent.find({"lost", "96"}), nullptr);
    EXPECT_EQ(recent.forgotten_at(nullptr), ctx.now) << "so that a member that comes back is told of a loss";
    have_members = true;
    send(kRecentOrders, true);
    for (int i = 0; i < 4; ++i) send(kRecentStock, true);
    EXPECT_NE(recent.find(kRecentOrders), nullptr) << "a group with members keeps its numbers";
    recent.begin_life();
    EXPECT_EQ(recent.memory(), 0u);
}

TEST_F(RecentNotices, WhatWasLostIsStillNeededWhenItsGroupIsForgotten) {
    have_members = false;
    recent.lost_members(kRecentOrders);
    send(kRecentOrders, false);
    for (int i = 0; i < 4; ++i) send(kRecentStock, true);
    EXPECT_EQ(recent.find(kRecentOrders), nullptr);
    send(kRecentOrders, false);
    EXPECT_EQ(kept(kRecentOrders), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
