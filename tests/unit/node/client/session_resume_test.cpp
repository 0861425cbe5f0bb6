// What survives a lost connection, and what is repeated in a new session.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SessionResume, RepeatsUnansweredRequestsInOrderUnderTheirNumbers) {
    Driver d;
    d.welcome(42);
    d.join(1);
    d.call(2, NotifyCall{});
    d.call(3, QueryCall{proto::GroupsRequest{}});
    d.hear(proto::NotifyReply{}, 2);
    d.lose();
    d.call(4, QueryCall{proto::NodesRequest{}});
    EXPECT_THAT(d.requests(), IsEmpty());
    d.welcome(42, true);
    EXPECT_THAT(d.requests(), ElementsAre(1u, 3u, 4u));
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 1u);
}

TEST(SessionResume, MembersKeepTheirNumbers) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.lose();
    d.welcome(42, true);
    EXPECT_THAT(d.requests(), IsEmpty());
    d.deliver(1, {5});
    EXPECT_EQ(std::get<Deliver>(d.items().at(0).what).targets->size(), 1u);
}

TEST(SessionResume, ARequestThatTimedOutKeepsItsNumber) {
    Driver d;
    d.welcome(42);
    d.call(1, QueryCall{proto::GroupsRequest{}}, milliseconds(100));
    d.call(2, QueryCall{proto::NodesRequest{}});
    d.after(milliseconds(100));
    EXPECT_EQ(d.error(1), ErrorCode::timeout);
    d.lose();
    d.welcome(42, true);
    EXPECT_THAT(d.requests(), ElementsAre(1u, 2u));
}

TEST(SessionResume, UnknownSessionCausesAHelloOverANewConnection) {
    Driver d;
    d.welcome(42);
    d.after(milliseconds(100));
    d.forget();
    d.hear(proto::Refuse{ErrorCode::unknown_session, "say hello"});
    d.hear(proto::Refuse{ErrorCode::unknown_session, "say hello"});  // about a second message
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{SessionToken{42}, 0, Driver::kLife}));
    d.welcome(42, true);
    EXPECT_TRUE(d.session.is_attached());
}

TEST(SessionResume, AConnectionLostImmediatelyIsRetriedAfterAPause) {
    Driver d;
    d.welcome(42);
    d.forget();
    d.hear(proto::Refuse{ErrorCode::unknown_session, "say hello"});
    EXPECT_THAT(d.opened(), IsEmpty());
    d.after(milliseconds(140));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
}

TEST(SessionResume, AnUnansweredHelloIsRepeatedAtHomeWithinTheGracePeriod) {
    Driver d;
    d.welcome(42, false, {}, 3000);
    d.lose();
    for (int second = 0; second < 2; ++second) d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "a:1"));
    EXPECT_EQ(d.sent<proto::WorkerHello>().back(), (proto::WorkerHello{SessionToken{42}, 0, Driver::kLife}));
    d.forget();
    d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(SessionResume, TriesTheHomeForAtMostFiveSeconds) {
    Driver d;
    d.welcome(42, false, {}, 3'600'000);
    d.lose();
    for (int second = 0; second < 4; ++second) d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "a:1", "a:1", "a:1"));
    d.forget();
    d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(SessionResume, LeavesAHomeWhosePortRefusesConnections) {
    Driver d;
    d.welcome(42, false, {}, 30'000);
    d.lose();
    d.session.connection_refused(d.now, "a:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(SessionResume, AnUnwatchWhileDetachedIsSentAfterTheResume) {
    Driver d;
    d.welcome(42);
    const auto handler = std::make_shared<WatchHandler>([](const WatchEvent&) {});
    d.session.watch(d.now, CallId{1}, d.now + milliseconds(5000), Watch{1}, kOrders, handler);
    d.tick();
    d.hear(proto::DoneReply{}, 1);
    d.lose();
    d.session.unwatch(d.now, Watch{1});
    d.welcome(42, true);
    EXPECT_THAT(d.sent<proto::UnwatchRequest>(), ElementsAre(proto::UnwatchRequest{1}));
}

TEST(NewSession, RejoinsInTheOldOrderBeforeAnythingElse) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.join(2, 1, {"orders", "other"});
    d.hear(proto::JoinReply{{{MemberNumber{7}, 1}}, 0}, 2);
    d.lose();
    d.call(3, QueryCall{proto::MembersRequest{kOrders, false}});
    d.welcome(43);
    const auto joins = d.sent<proto::JoinRequest>();
    ASSERT_EQ(joins.size(), 2u);
    EXPECT_EQ(joins[0].group, kOrders);
    EXPECT_EQ(joins[0].count, 2u);
    EXPECT_THAT(d.requests(), ElementsAre(1u, 2u));
    EXPECT_THAT(d.sent<proto::MembersRequest>(), IsEmpty());
    d.hear(proto::JoinReply{{{MemberNumber{20}, 2}}, 0}, 1);
    EXPECT_THAT(d.sent<proto::MembersRequest>(), IsEmpty());
    d.hear(proto::JoinReply{{{MemberNumber{22}, 1}}, 0}, 2);
    EXPECT_EQ(d.sent<proto::MembersRequest>().size(), 1u);
}

TEST(NewSession, OldIdsStillNameTheMembers) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.lose();
    d.welcome(43);
    d.hear(proto::JoinReply{{{MemberNumber{20}, 2}}, 0}, 1);
    d.call(2, LeaveCall{kOrders, {id(6)}, 1, {}});
    EXPECT_THAT(numbers_of(d.sent<proto::LeaveRequest>().at(0).members), ElementsAre(21u));
    d.hear(proto::LeaveReply{{MemberNumber{21}}}, 2);
    EXPECT_THAT(std::get<std::vector<MemberId>>(*d.answer(2)), ElementsAre(id(6)));
    d.call(3, LeaveCall{kOrders, {id(20)}, 1, {}});  // what members() shows now
    EXPECT_THAT(numbers_of(d.sent<proto::LeaveRequest>().at(1).members), ElementsAre(20u));
}

TEST(NewSession, ANotifyInFlightFailsWithUnknownSession) {
    Driver d;
    d.welcome(42);
    d.call(1, NotifyCall{});
    d.lose();
    d.welcome(43);
    EXPECT_EQ(d.error(1), ErrorCode::unknown_session);
    EXPECT_THAT(d.sent<proto::NotifyRequest>(), IsEmpty());
}

TEST(NewSession, ANotifyThatWasHeldIsSent) {
    Driver d;
    d.welcome(42);
    d.lose();
    d.call(1, NotifyCall{});
    d.welcome(43);
    EXPECT_EQ(d.sent<proto::NotifyRequest>().size(), 1u);
}

TEST(NewSession, ALeaveInFlightSucceedsAndItsMembersAreNotRejoined) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5, 2);
    d.call(2, LeaveCall{kOrders, {}, 1, {}});
    d.lose();
    d.welcome(43);
    EXPECT_THAT(std::get<std::vector<MemberId>>(*d.answer(2)), ElementsAre(id(6)));
    EXPECT_EQ(d.sent<proto::JoinRequest>().at(0).count, 1u);
}

TEST(NewSession, JoinsAndQueriesInFlightAreSentAgain) {
    Driver d;
    d.welcome(42);
    d.call(1, QueryCall{proto::MembersRequest{kOrders, false}});
    d.hear(proto::MembersReply{{{id(1), "", {}}}, false}, 1);
    d.join(2);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.requests(), ElementsAre(1u, 2u));
    d.hear(proto::MembersReply{{{id(9), "", {}}}, true}, 1);
    // The part that came before is of another node's table.
    EXPECT_THAT(std::get<std::vector<Member>>(*d.answer(1)), ElementsAre(Member{id(9), "", {}}));
}

TEST(NewSession, TheStreamStartsAtOneAndItemsOfTheOldSessionDoNotCount) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.deliver(1, {5});
    d.deliver(2, {5});
    d.lose();
    d.welcome(43);
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    d.deliver(1, {20});
    ASSERT_EQ(d.items().size(), 1u);
    d.session.handled(1, 2);  // an item of the old session
    d.tick();
    EXPECT_THAT(d.sent<proto::WorkerHeartbeat>(), IsEmpty());
    d.session.handled(2, 1);
    d.tick();
    EXPECT_THAT(d.sent<proto::WorkerHeartbeat>(), ElementsAre(proto::WorkerHeartbeat{1}));
}

TEST(NewSession, ADeliveryBeforeTheReplyToTheRejoinWaits) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.lose();
    d.welcome(43);
    d.deliver(1, {20});
    EXPECT_THAT(d.items(), IsEmpty());
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    EXPECT_EQ(std::get<Deliver>(d.items().at(0).what).targets->size(), 1u);
}

TEST(NewSession, ARejoinThatFailsIsRetriedAfterASecond) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    d.lose();
    d.welcome(43);
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 1);
    d.forget();
    for (int i = 0; i < 11; ++i) {
        d.hear(proto::NodeHeartbeat{});
        d.after(milliseconds(100));
    }
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 1u);
}

TEST(NewSession, WatchesAgainAndTakesANewSnapshot) {
    Driver d;
    d.welcome(42);
    const auto handler = std::make_shared<WatchHandler>([](const WatchEvent&) {});
    d.session.watch(d.now, CallId{1}, d.now + milliseconds(5000), Watch{1}, kOrders, handler);
    d.tick();
    d.hear(proto::DoneReply{}, 1);
    const WatchEvent part{WatchEvent::Kind::snapshot, Reason::left, {{kOrders, {{id(1), "", {}}}}}};
    d.hear(proto::WatchNews{1, part, false}, 1);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.sent<proto::WatchRequest>(), ElementsAre(proto::WatchRequest{kOrders}));
    d.hear(proto::DoneReply{}, 1);
    d.hear(proto::WatchNews{1, part, true}, 1);
    ASSERT_EQ(d.items().size(), 1u);
    EXPECT_EQ(std::get<WatchUpdate>(d.items()[0].what).event, part);
}

TEST(NewSession, RestoresAtMost256JoinsAtATime) {
    Driver d;
    d.welcome(42);
    for (std::uint64_t i = 1; i <= 600; ++i) d.joined(i, i);
    d.lose();
    d.welcome(43);
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 256u);
    for (std::uint64_t i = 1; i <= 600; ++i) d.hear(proto::JoinReply{{{MemberNumber{1000 + i}, 1}}, 0}, i);
    EXPECT_EQ(d.sent<proto::JoinRequest>().size(), 600u);
}

TEST(NewSession, ReportsThatNotificationsMayBeLost) {
    Driver d;
    d.welcome(42);
    d.lose();
    d.welcome(43);
    const auto text = std::get<Attachment>(d.all<Item>().at(0).what).text;
    EXPECT_THAT(text, testing::HasSubstr("new session"));
}

}  // namespace
}  // namespace muster::client
