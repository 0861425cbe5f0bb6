// Requests and their answers within one session.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;

TEST(SessionCalls, AreHeldUntilAttachedThenSentInOrder) {
    Driver d;
    d.join(1);
    d.call(2, QueryCall{proto::GroupsRequest{}});
    EXPECT_TRUE(d.requests().empty());
    d.welcome(42);
    EXPECT_THAT(d.requests(), ElementsAre(1u, 2u));
    EXPECT_EQ(d.sent<proto::JoinRequest>().at(0).group, kOrders);
}

TEST(SessionCalls, AJoinReturnsTheIdsOfAllRuns) {
    Driver d;
    d.welcome(42);
    d.join(1, 3);
    d.hear(proto::JoinReply{{{MemberNumber{5}, 2}, {MemberNumber{9}, 1}}, 4}, 1);
    const auto joined = std::get<Joined>(*d.answer(1));
    EXPECT_THAT(joined.members, ElementsAre(id(5), id(6), id(9)));
    EXPECT_EQ(joined.unseen, 4u);
}

TEST(SessionCalls, RepliesMayComeInAnyOrder) {
    Driver d;
    d.welcome(42);
    d.call(1, QueryCall{proto::GroupsRequest{}});
    d.call(2, QueryCall{proto::NodesRequest{}});
    d.hear(proto::NodesReply{}, 2);
    EXPECT_TRUE(d.answer(2));
    EXPECT_FALSE(d.answer(1));
    d.hear(proto::GroupsReply{}, 1);
    EXPECT_TRUE(d.answer(1));
}

TEST(SessionCalls, AReplyInPartsIsJoined) {
    Driver d;
    d.welcome(42);
    d.call(1, QueryCall{proto::MembersRequest{kOrders, false}});
    d.hear(proto::MembersReply{{{id(1), "x", {}}}, false}, 1);
    EXPECT_FALSE(d.answer(1));
    d.hear(proto::MembersReply{{{id(2), "y", {}}}, true}, 1);
    const auto members = std::get<std::vector<Member>>(*d.answer(1));
    EXPECT_THAT(members, ElementsAre(Member{id(1), "x", {}}, Member{id(2), "y", {}}));
}

TEST(SessionCalls, AReplyOfAnotherKindIsIgnored) {
    Driver d;
    d.welcome(42);
    d.call(1, QueryCall{proto::MembersRequest{kOrders, false}});
    d.hear(proto::JoinReply{}, 1);
    d.hear(proto::DoneReply{}, 77);
    EXPECT_FALSE(d.answer(1));
    d.hear(proto::MembersReply{}, 1);
    EXPECT_TRUE(d.answer(1));
}

TEST(SessionCalls, AnErrorIsPassedOn) {
    Driver d;
    d.welcome(42);
    d.call(1, NotifyCall{});
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 1);
    EXPECT_EQ(std::get<Error>(*d.answer(1)), (Error{ErrorCode::overloaded, "later"}));
}

TEST(SessionCalls, LeaveTakesTheLatestOfTheGroup) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.joined(2, 8, 1);
    d.call(3, LeaveCall{kOrders, {}, 2, {}});
    EXPECT_THAT(numbers_of(d.sent<proto::LeaveRequest>().at(0).members), ElementsAre(8u, 6u));
    d.hear(proto::LeaveReply{{MemberNumber{8}, MemberNumber{6}}}, 3);
    EXPECT_THAT(std::get<std::vector<MemberId>>(*d.answer(3)), ElementsAre(id(8), id(6)));
}

TEST(SessionCalls, ConcurrentLeavesTakeDifferentMembers) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.call(2, LeaveCall{kOrders, {}, 1, {}});
    d.call(3, LeaveCall{kOrders, {}, 1, {}});
    d.call(4, LeaveCall{kOrders, {}, 1, {}});
    const auto sent = d.sent<proto::LeaveRequest>();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_NE(sent[0].members, sent[1].members);
    EXPECT_EQ(d.error(4), ErrorCode::not_joined);
}

TEST(SessionCalls, ALeaveOfUnknownMembersFailsWithoutARequest) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.call(2, LeaveCall{{"orders", "other"}, {}, 1, {}});
    d.call(3, LeaveCall{kOrders, {id(77)}, 1, {}});
    d.call(4, LeaveCall{{"orders", "other"}, {id(5)}, 1, {}});
    EXPECT_EQ(d.error(2), ErrorCode::not_joined);
    EXPECT_EQ(d.error(3), ErrorCode::not_joined);
    EXPECT_EQ(d.error(4), ErrorCode::not_joined);
    EXPECT_TRUE(d.sent<proto::LeaveRequest>().empty());
}

TEST(SessionCalls, ALeaveThatFailedCanBeTriedAgain) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.call(2, LeaveCall{kOrders, {}, 1, {}});
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 2);
    EXPECT_EQ(d.error(2), ErrorCode::overloaded);
    d.call(3, LeaveCall{kOrders, {}, 1, {}});
    EXPECT_EQ(d.sent<proto::LeaveRequest>().size(), 2u);
}

TEST(SessionCalls, FailAtTheirDeadline) {
    Driver d({"a:1"});
    d.call(1, QueryCall{proto::GroupsRequest{}}, milliseconds(200));
    d.after(milliseconds(200));
    EXPECT_EQ(d.error(1), ErrorCode::unreachable);  // no node was there
    d.welcome(42);
    EXPECT_TRUE(d.requests().empty());
    d.call(2, QueryCall{proto::GroupsRequest{}}, milliseconds(200));
    d.after(milliseconds(200));
    EXPECT_EQ(d.error(2), ErrorCode::timeout);
}

TEST(SessionCalls, AJoinThatTimedOutIsUndoneWhenItsReplyComes) {
    Driver d;
    d.welcome(42);
    d.call(1, JoinCall{{kOrders, 2, {}, true, 100}, d.handler}, milliseconds(200));
    d.after(milliseconds(200));
    EXPECT_EQ(d.error(1), ErrorCode::timeout);
    d.hear(proto::JoinReply{{{MemberNumber{5}, 2}}, 0}, 1);
    EXPECT_THAT(numbers_of(d.sent<proto::LeaveRequest>().at(0).members), testing::UnorderedElementsAre(5u, 6u));
    d.call(2, LeaveCall{kOrders, {}, 1, {}});
    EXPECT_EQ(d.error(2), ErrorCode::not_joined);
}

TEST(SessionCalls, AtMost1024MayBeUnanswered) {
    Driver d;
    for (std::uint64_t i = 1; i <= 1024; ++i) d.call(i, QueryCall{proto::GroupsRequest{}});
    EXPECT_TRUE(d.all<Answer>().empty());
    d.call(1025, QueryCall{proto::GroupsRequest{}});
    EXPECT_EQ(d.error(1025), ErrorCode::overloaded);
    d.welcome(42);
    d.call(1026, QueryCall{proto::GroupsRequest{}});
    EXPECT_EQ(d.error(1026), ErrorCode::overloaded);  // in flight counts too
    d.hear(proto::GroupsReply{}, 1);
    d.call(1027, QueryCall{proto::GroupsRequest{}});
    EXPECT_FALSE(d.answer(1027));
}

TEST(SessionCalls, AtMost64MiBOfDataMayBeUnanswered) {
    Driver d;
    NotifyCall notify;
    notify.request.data.msgpack.assign(std::size_t{1} << 20, '\0');
    for (std::uint64_t i = 1; i <= 64; ++i) d.call(i, notify);
    EXPECT_TRUE(d.all<Answer>().empty());
    d.call(65, notify);
    EXPECT_EQ(d.error(65), ErrorCode::overloaded);
}

}  // namespace
}  // namespace muster::client
