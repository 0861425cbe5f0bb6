// A new session joins again with RejoinRequest.
#include <gmock/gmock.h>

#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Position = proto::RejoinRequest::Position;
using Join = proto::RejoinRequest::Join;

const Group kOtherGroup{"orders", "other"};
const NodeId kHome{"a", Incarnation{1700}};
const NodeId kFar{"c", Incarnation{9}};

/// Rejoining to a node that takes RejoinRequest.
struct Rejoining : Driver {
    Rejoining() {
        handover_ms = 10'000;
        welcome(42);
    }
    void deliver(std::uint64_t seq, std::vector<std::uint64_t> members, NodeId from, std::uint64_t group_seq) {
        proto::Notice notice;
        notice.group = kOrders;
        notice.from_node = std::move(from);
        notice.group_seq = group_seq;
        const auto list = std::make_shared<const std::vector<MemberNumber>>(members.begin(), members.end());
        hear(proto::Deliveries{{{std::move(notice), list}}}, seq);
    }
    void reply(std::uint64_t request, std::vector<proto::NumberRun> runs) {
        hear(proto::JoinReply{std::move(runs), 0}, request);
    }
    static proto::NumberRun run(std::uint64_t first, std::uint64_t count) { return {MemberNumber{first}, count}; }
};

TEST(Handover, OneRequestForEachGroupHasItsJoinsAndPositions) {
    Rejoining d;
    d.joined(1, 5, 2);
    d.call(2, JoinCall{{kOtherGroup, 1, {{"zone", "eu"}}, false, 4800}, d.handler});
    d.reply(2, {Rejoining::run(7, 1)});
    d.after(milliseconds(50));
    d.joined(3, 8);
    d.deliver(1, {5, 6, 8}, kHome, 10);
    d.deliver(2, {5, 6, 8}, kFar, 20);
    d.lose();  // 100 ms later
    d.after(milliseconds(30));
    d.welcome(43);
    const auto requests = d.sent<proto::RejoinRequest>();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[0].group, kOrders);
    EXPECT_THAT(requests[0].positions, ElementsAre(Position{kHome, 10}, Position{kFar, 20}));
    EXPECT_THAT(requests[0].joins, ElementsAre(Join{2, {}, 180}, Join{1, {}, 130}));
    EXPECT_EQ(requests[0].node, kHome);
    EXPECT_EQ(requests[0].away_ms, 30u);
    EXPECT_EQ(requests[1].group, kOtherGroup);
    EXPECT_THAT(requests[1].positions, IsEmpty());
    EXPECT_THAT(requests[1].joins, ElementsAre(Join{1, {{"zone", "eu"}}, 180}));
    EXPECT_THAT(d.sent<proto::JoinRequest>(), IsEmpty());
}

TEST(Handover, TheReplyGivesEachJoinItsNumbers) {
    Rejoining d;
    d.joined(1, 5, 2);
    d.handler = std::make_shared<const OnNotification>([](const Notification&) {});
    d.joined(2, 8);
    d.lose();
    d.welcome(43);
    d.reply(1, {Rejoining::run(20, 2), Rejoining::run(30, 1)});
    d.deliver(1, {21, 30}, kHome, 11);
    const auto targets = std::get<Deliver>(d.items().at(0).what).targets;
    ASSERT_EQ(targets->size(), 2u);
    EXPECT_EQ(targets->at(1).handler, d.handler);
    EXPECT_NE(targets->at(0).handler, d.handler);
}

TEST(Handover, CallsAreHeldUntilAllGroupsHaveJoined) {
    Rejoining d;
    d.joined(1, 5);
    d.join(2, 1, kOtherGroup);
    d.reply(2, {Rejoining::run(7, 1)});
    d.lose();
    d.call(3, QueryCall{proto::GroupsRequest{}});
    d.welcome(43);
    d.reply(1, {Rejoining::run(20, 1)});
    EXPECT_THAT(d.sent<proto::GroupsRequest>(), IsEmpty());
    d.reply(2, {Rejoining::run(21, 1)});
    EXPECT_EQ(d.sent<proto::GroupsRequest>().size(), 1u);
}

TEST(Handover, AReplyWithOtherRunsThanJoinsIsIgnored) {
    Rejoining d;
    d.joined(1, 5, 2);
    d.joined(2, 8);
    d.lose();
    d.call(3, QueryCall{proto::GroupsRequest{}});
    d.welcome(43);
    d.reply(1, {Rejoining::run(20, 3)});
    EXPECT_THAT(d.sent<proto::GroupsRequest>(), IsEmpty());
}

TEST(Handover, ADeliveryBeforeTheReplyWaits) {
    Rejoining d;
    d.joined(1, 5);
    d.lose();
    d.welcome(43);
    d.deliver(1, {20}, kHome, 11);
    EXPECT_THAT(d.items(), IsEmpty());
    d.reply(1, {Rejoining::run(20, 1)});
    EXPECT_EQ(std::get<Deliver>(d.items().at(0).what).targets->size(), 1u);
}

TEST(Handover, ADeliveryWhoseMemberNeverBecameKnownIsAskedForAgain) {
    Rejoining d;
    d.joined(1, 5);
    d.deliver(1, {5}, kHome, 10);
    d.lose();
    d.welcome(43);
    d.deliver(1, {20}, kHome, 11);  // the reply to the rejoin is lost
    d.lose();
    d.welcome(44);
    EXPECT_THAT(d.sent<proto::RejoinRequest>().at(0).positions, ElementsAre(Position{kHome, 10}));
}

TEST(Handover, WhatWasAcceptedCountsAlthoughItIsNotHandled) {
    Rejoining d;
    d.joined(1, 5);
    d.deliver(1, {5}, kHome, 10);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.sent<proto::RejoinRequest>().at(0).positions, ElementsAre(Position{kHome, 10}));
}

TEST(Handover, PositionsEndWithTheLastMemberOfTheGroup) {
    Rejoining d;
    d.joined(1, 5);
    d.deliver(1, {5}, kHome, 10);
    d.call(2, LeaveCall{kOrders, {}, 1, {}});
    d.hear(proto::LeaveReply{{MemberNumber{5}}}, 2);
    d.joined(3, 6);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.sent<proto::RejoinRequest>().at(0).positions, IsEmpty());
}

TEST(Handover, AnAgeCountsFromTheFirstRequestAlthoughAnotherSessionAnswersIt) {
    Rejoining d;
    d.join(1);
    d.lose();  // 100 ms later
    d.welcome(43);
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 1u);
    d.reply(1, {Rejoining::run(20, 1)});
    d.lose();  // 200 ms later
    d.welcome(44);
    EXPECT_THAT(d.sent<proto::RejoinRequest>().at(0).joins, ElementsAre(Join{1, {}, 200}));
}

TEST(Handover, ASessionThatWasNotRestoredDoesNotCountAsTheLastOne) {
    Rejoining d;
    d.joined(1, 5);
    d.lose();
    d.node = {{"b", Incarnation{8}}, NodeState::alive, "b:2"};
    d.welcome(43);
    d.lose();  // 100 ms later, without an answer
    d.welcome(44);
    EXPECT_EQ(d.sent<proto::RejoinRequest>().at(0).node, kHome);
    EXPECT_EQ(d.sent<proto::RejoinRequest>().at(0).away_ms, 100u);
    d.reply(1, {Rejoining::run(30, 1)});
    d.lose();
    d.welcome(45);
    EXPECT_EQ(d.sent<proto::RejoinRequest>().at(0).node.name, "b");
    EXPECT_EQ(d.sent<proto::RejoinRequest>().at(0).away_ms, 0u);
}

TEST(Handover, ARequestThatFailsIsRepeatedAfterASecond) {
    Rejoining d;
    d.joined(1, 5);
    d.deliver(1, {5}, kHome, 10);
    d.lose();
    d.welcome(43);
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 1);
    d.forget();
    for (int i = 0; i < 11; ++i) {
        d.hear(proto::NodeHeartbeat{});
        d.after(milliseconds(100));
    }
    const auto requests = d.sent<proto::RejoinRequest>();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_THAT(requests[0].positions, ElementsAre(Position{kHome, 10}));
    EXPECT_EQ(requests[0].away_ms, 1000u);
}

TEST(Handover, AResumedSessionRepeatsTheRequestWithNewAges) {
    Rejoining d;
    d.joined(1, 5);
    d.lose();
    d.welcome(43);
    d.lose();
    d.welcome(43, true);
    EXPECT_THAT(d.requests(), ElementsAre(1u));
    EXPECT_THAT(d.sent<proto::RejoinRequest>().at(0).joins, ElementsAre(Join{1, {}, 200}));
}

TEST(Handover, AGroupWithMoreMembersThanACallMayHaveTakesSeveralRequests) {
    Rejoining d;
    d.joined(1, 1, 65536);
    d.deliver(1, {5}, kHome, 10);
    d.joined(2, 70'000);
    d.lose();
    d.welcome(43);
    const auto requests = d.sent<proto::RejoinRequest>();
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_EQ(requests[0].joins.at(0).count, 65536u);
    EXPECT_EQ(requests[1].joins.at(0).count, 1u);
    for (const auto& request : requests) EXPECT_THAT(request.positions, ElementsAre(Position{kHome, 10}));
}

TEST(Handover, EveryRequestFitsAFrame) {
    Rejoining d;
    Meta large;
    for (char key = 'a'; key < 'a' + 16; ++key) large[std::string(255, key)] = std::string(255, 'v');
    for (std::uint64_t i = 1; i <= 300; ++i) {
        d.call(i, JoinCall{{kOrders, 1, large, false, 4800}, d.handler});
        d.reply(i, {Rejoining::run(i, 1)});
    }
    for (std::uint64_t i = 1; i <= 1100; ++i) d.deliver(i, {5}, {std::string(64, 'n'), Incarnation{~i}}, ~i);
    d.lose();
    d.welcome(43);
    const auto requests = d.sent<proto::RejoinRequest>();
    EXPECT_EQ(requests.size(), 5u);
    std::size_t joins = 0;
    for (const auto& request : requests) {
        joins += request.joins.size();
        EXPECT_LE(proto::encode({{"default", "w1", 43, 1}, request}).size(), limits::kFrame);
    }
    EXPECT_EQ(joins, 300u);
}

TEST(Handover, ANodeThatCannotDoItIsAskedWithJoinRequests) {
    Rejoining d;
    d.joined(1, 5);
    d.joined(2, 6);
    d.lose();
    d.handover_ms = 0;
    d.welcome(43);
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 2u);
    EXPECT_THAT(d.sent<proto::RejoinRequest>(), IsEmpty());
}

/// A session with three members is lost, and the next one has not answered.
void join_again(Driver& d) {
    d.handover_ms = 10'000;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.joined(2, 8);
    d.lose();
    d.welcome(43);
}

TEST(Handover, ItsMembersAreInTheStateFile) {
    Driver d(SavedSession{}, {"a:1", "b:2"});
    join_again(d);
    EXPECT_EQ(d.kept.unfinished.size(), 1u);
    d.hear(proto::JoinReply{{{MemberNumber{20}, 2}, {MemberNumber{30}, 1}}, 0}, 1);
    d.call(3, LeaveCall{kOrders, {id(5)}, 1, {}});
    d.hear(proto::LeaveReply{{MemberNumber{20}}}, 2);
    SavedSession copy;
    for (const auto& message : conversation_of(d.kept)) EXPECT_TRUE(apply(copy, message));
    EXPECT_EQ(conversation_of(copy), conversation_of(d.kept));

    Driver next(copy, {"a:1", "b:2"});
    next.welcome(43, true);
    next.join(1, 1);
    next.join(2, 1);
    EXPECT_THAT(std::get<Joined>(*next.answer(1)).members, ElementsAre(id(21)));
    EXPECT_THAT(std::get<Joined>(*next.answer(2)).members, ElementsAre(id(30)));
}

TEST(Handover, WithoutAnAnswerWhenTheProcessDiedItsMembersLeave) {
    Driver d(SavedSession{}, {"a:1", "b:2"});
    join_again(d);
    d.call(3, NotifyCall{});

    Driver next(d.kept, {"a:1", "b:2"});
    next.welcome(43, true);
    EXPECT_EQ(next.sent<proto::RejoinRequest>().size(), 1u);
    next.hear(proto::JoinReply{{{MemberNumber{20}, 2}, {MemberNumber{30}, 1}}, 0}, 1);
    EXPECT_THAT(numbers_of(next.sent<proto::LeaveRequest>().at(0).members), ElementsAre(20u, 21u, 30u));
}

}  // namespace
}  // namespace muster::client
