// A session that another process continues: what is kept of it, and how the next process uses that.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Group kOther{"orders", "streams"};

const std::vector<std::string> kNodes{"a:1", "b:2"};

/// The process that is killed: session 42, with members 5 and 6 of one join.
struct First : Driver {
    First() : Driver(SavedSession{}, kNodes) {
        welcome(42);
        joined(1, 5, 2);
    }
};

/// The next process, which has resumed the session.
struct Next : Driver {
    explicit Next(const Driver& killed, std::uint64_t received = 0) : Driver(with(killed.kept, received), kNodes) {
        welcome(42, true);
    }
    static SavedSession with(SavedSession saved, std::uint64_t received) {
        saved.received = received;
        return saved;
    }
    std::vector<MemberId> ids(std::uint64_t call) const { return std::get<Joined>(answer(call).value()).members; }
};

TEST(SavedSession, WithoutAStateFileNothingIsKept) {
    Driver d;
    d.welcome(42);
    d.joined(1, 5);
    EXPECT_THAT(d.all<Keep>(), IsEmpty());
    EXPECT_THAT(d.all<Reserve>(), IsEmpty());
}

TEST(SavedSession, ARequestIsKeptBeforeItIsSentAndItsReplyBeforeItIsAnswered) {
    Driver d({}, kNodes);
    d.welcome(42);
    d.forget();
    d.joined(1, 5);
    std::vector<std::size_t> kinds;
    for (const auto& action : d.actions) kinds.push_back(action.index());
    const auto kind = [](const Action& action) { return action.index(); };
    EXPECT_THAT(kinds, ElementsAre(kind(Reserve{}), kind(Keep{}), kind(Send{{{}, proto::WorkerHello{}}}), kind(Keep{}),
                                   kind(Answer{})));
}

TEST(SavedSession, ResumesAtTheNodeThatHasTheSession) {
    First first;
    auto saved = first.kept;
    saved.received = 9;
    Driver next(std::move(saved), {"b:2", "a:1"});
    EXPECT_THAT(next.opened(), ElementsAre("a:1"));
    EXPECT_THAT(next.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{SessionToken{42}, 9, Driver::kLife}));
}

TEST(SavedSession, TheSameJoinTakesOverTheMembersWithoutARequest) {
    First first;
    Next next(first);
    next.join(1, 2);
    EXPECT_THAT(next.ids(1), ElementsAre(id(5), id(6)));
    EXPECT_THAT(next.requests(), IsEmpty());
    next.deliver(1, {5, 6});
    EXPECT_EQ(std::get<Deliver>(next.items().at(0).what).targets->size(), 2u);
    next.after(milliseconds(6000));
    EXPECT_THAT(next.sent<proto::LeaveRequest>(), IsEmpty());
}

TEST(SavedSession, AJoinMadeBeforeTheWelcomeTakesOverTheMembersToo) {
    First first;
    Driver next(first.kept, kNodes);
    next.join(1, 2);
    EXPECT_FALSE(next.answer(1));
    next.welcome(42, true);
    EXPECT_TRUE(next.answer(1));
    EXPECT_THAT(next.sent<proto::JoinRequest>(), IsEmpty());
}

TEST(SavedSession, AJoinThatDiffersIsSent) {
    First first;
    Next next(first);
    next.join(1, 1);
    next.join(2, 2, kOther);
    next.call(3, JoinCall{{kOrders, 2, {{"k", "v"}}, false, 4800}, next.handler});
    EXPECT_EQ(next.sent<proto::JoinRequest>().size(), 3u);
}

TEST(SavedSession, EqualJoinsAreTakenOverInOrderOnceEach) {
    First first;
    first.joined(2, 7, 2);
    Next next(first);
    for (std::uint64_t call = 1; call <= 3; ++call) next.join(call, 2);
    EXPECT_THAT(next.ids(1), ElementsAre(id(5), id(6)));
    EXPECT_THAT(next.ids(2), ElementsAre(id(7), id(8)));
    EXPECT_EQ(next.sent<proto::JoinRequest>().size(), 1u);
}

TEST(SavedSession, DeliveriesWaitForTheJoinThatTakesOverTheirMember) {
    First first;
    Next next(first, 3);
    next.deliver(4, {5});
    next.deliver(5, {6});
    EXPECT_THAT(next.items(), IsEmpty());
    next.join(1, 2);
    ASSERT_EQ(next.items().size(), 2u);
    EXPECT_EQ(next.items()[0].seq, 4u);
    EXPECT_EQ(std::get<Deliver>(next.items()[0].what).targets->size(), 1u);
    next.session.handled(1, 5);
    next.tick();
    EXPECT_THAT(next.sent<proto::WorkerHeartbeat>(), ElementsAre(proto::WorkerHeartbeat{5}));
}

TEST(SavedSession, UnclaimedMembersLeaveAndTheStreamContinues) {
    First first;
    first.join(2, 1, kOther);
    first.hear(proto::JoinReply{{{MemberNumber{9}, 1}}, 0}, 2);
    Next next(first);
    next.join(1, 1, kOther);
    next.deliver(1, {5});
    next.deliver(2, {9});
    for (int i = 0; i < 49; ++i) next.hear(proto::NodeHeartbeat{}), next.after(milliseconds(100));
    EXPECT_THAT(next.sent<proto::LeaveRequest>(), IsEmpty());
    EXPECT_THAT(next.items(), IsEmpty());
    next.after(milliseconds(100));
    ASSERT_EQ(next.sent<proto::LeaveRequest>().size(), 1u);
    EXPECT_THAT(numbers_of(next.sent<proto::LeaveRequest>()[0].members), ElementsAre(5u, 6u));
    ASSERT_EQ(next.items().size(), 2u);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(next.items()[0].what));
    EXPECT_TRUE(std::holds_alternative<Deliver>(next.items()[1].what));
    next.hear(proto::LeaveReply{{MemberNumber{5}, MemberNumber{6}}}, next.requests().back());
    EXPECT_EQ(next.kept.joins.size(), 1u);
}

TEST(SavedSession, NoRequestNumberIsUsedTwice) {
    First first;
    for (std::uint64_t call = 10; call < 5010; ++call) {
        first.call(call, QueryCall{proto::NodesRequest{}});
        first.hear(proto::NodesReply{}, first.requests().back());
    }
    const auto last = first.requests().back();
    EXPECT_EQ(last, 5001u);
    Next next(first);
    next.join(1, 1, kOther);
    EXPECT_GT(next.requests().at(0), last);
    EXPECT_LE(next.requests().at(0), last + 4097);
    Next third(next, 0);  // not a copy of `next`
    third.join(1, 1, kOrders);
    EXPECT_GT(third.requests().back(), next.requests().back());
}

TEST(SavedSession, AUsedNumberIsRejectedForAnotherRequest) {
    First first;
    first.join(2, 1, kOther);
    auto saved = first.kept;
    ASSERT_TRUE(apply(saved, {{"default", "w1", 42, 9}, proto::WatchRequest{}}));
    for (const std::uint64_t number : {1U, 2U, 9U}) {
        const proto::Header header{"default", "w1", 42, number};
        EXPECT_FALSE(apply(saved, {header, proto::JoinRequest{kOrders, 1, {}, false, 100}})) << number;
        EXPECT_FALSE(apply(saved, {header, proto::WatchRequest{}})) << number;
    }
}

TEST(SavedSession, AJoinWithoutAReplyIsUndone) {
    First first;
    first.join(2, 1, kOther);
    Next next(first);
    next.join(1, 2);
    EXPECT_THAT(next.requests(), ElementsAre(2u));  // again, under its number
    next.hear(proto::JoinReply{{{MemberNumber{9}, 1}}, 0}, 2);
    ASSERT_EQ(next.sent<proto::LeaveRequest>().size(), 1u);
    EXPECT_THAT(numbers_of(next.sent<proto::LeaveRequest>()[0].members), ElementsAre(9u));
    EXPECT_TRUE(next.kept.owners.contains(MemberNumber{9}));
    next.hear(proto::LeaveReply{{MemberNumber{9}}}, next.requests().back());
    EXPECT_FALSE(next.kept.owners.contains(MemberNumber{9}));
    EXPECT_THAT(next.kept.unfinished, IsEmpty());
}

TEST(SavedSession, ALeaveWithoutAReplyIsRepeated) {
    First first;
    first.call(2, LeaveCall{kOrders, {}, 1, {}});
    Next next(first);
    EXPECT_THAT(next.requests(), ElementsAre(2u));
    EXPECT_THAT(numbers_of(next.sent<proto::LeaveRequest>().at(0).members), ElementsAre(6u));
    next.deliver(1, {6});
    EXPECT_EQ(next.items().size(), 1u);  // the member is leaving, so its item does not wait
    next.join(1, 1);
    EXPECT_THAT(next.ids(1), ElementsAre(id(5)));
}

TEST(SavedSession, AfterALeaveThatFailedTheMembersCanBeClaimed) {
    First first;
    first.call(2, LeaveCall{kOrders, {}, 2, {}});
    first.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 2);
    Next next(first);
    next.join(1, 2);
    EXPECT_THAT(next.ids(1), ElementsAre(id(5), id(6)));
}

TEST(SavedSession, WatchesOfTheEarlierProcessEnd) {
    First first;
    const auto handler = std::make_shared<WatchHandler>([](const WatchEvent&) {});
    for (const std::uint64_t watch : {1U, 2U}) {
        first.session.watch(first.now, CallId{50 + watch}, first.now + milliseconds(5000), Watch{watch}, {}, handler);
        first.tick();
        first.hear(proto::DoneReply{}, first.requests().back());
    }
    first.session.unwatch(first.now, Watch{1});
    first.tick();
    first.hear(proto::DoneReply{}, first.requests().back());
    Next next(first);
    EXPECT_THAT(next.sent<proto::UnwatchRequest>(), ElementsAre(proto::UnwatchRequest{3}));
    next.hear(proto::WatchNews{3, {}, true}, 1);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(next.items().at(0).what));
    next.hear(proto::DoneReply{}, next.requests().back());
    EXPECT_THAT(next.kept.watches, IsEmpty());
}

TEST(SavedSession, IfTheSessionIsOverANewOneBegins) {
    First first;
    Driver next(first.kept, kNodes);
    next.join(1, 2);
    next.welcome(43);
    ASSERT_EQ(next.sent<proto::JoinRequest>().size(), 1u);
    next.hear(proto::JoinReply{{{MemberNumber{20}, 2}}, 0}, 1);
    EXPECT_EQ(next.kept.token, SessionToken{43});
    EXPECT_EQ(next.kept.joins.size(), 1u);
    next.deliver(1, {20});
    EXPECT_EQ(next.items().size(), 1u);
    next.after(milliseconds(1900));
    EXPECT_THAT(next.sent<proto::LeaveRequest>(), IsEmpty());
}

TEST(SavedSession, MembersThatWereRejoinedAreKeptUnderTheirNewNumbers) {
    First first;
    first.after(milliseconds(200));
    first.session.connection_broken(first.now);
    first.tick();
    first.welcome(43);
    first.hear(proto::JoinReply{{{MemberNumber{20}, 2}}, 0}, 1);
    Driver next(first.kept, kNodes);
    next.welcome(43, true);
    next.join(1, 2);
    EXPECT_THAT(std::get<Joined>(*next.answer(1)).members, ElementsAre(id(20), id(21)));
}

TEST(SavedSession, AGoodbyeEndsTheSavedSession) {
    First first;
    first.session.close();
    first.tick();
    EXPECT_FALSE(first.kept.token);
    EXPECT_EQ(first.sent<proto::WorkerGoodbye>().size(), 1u);
}

TEST(SavedSession, AProcessThatNeverAttachedLeavesTheSessionToTheNext) {
    First first;
    Driver second(first.kept, kNodes);
    second.session.close();
    second.tick();
    EXPECT_THAT(second.sent<proto::WorkerGoodbye>(), IsEmpty());
    EXPECT_EQ(second.kept.token, SessionToken{42});
}

TEST(SavedSession, TheFirstItemAfterAResumeMayBeAheadOfTheFile) {
    First first;
    Next next(first, 3);  // as from an old copy of the file: 7 were acknowledged
    next.join(1, 2);
    next.deliver(8, {5});
    EXPECT_EQ(next.items().size(), 1u);
    EXPECT_TRUE(next.session.is_attached());
    next.deliver(10, {5});
    EXPECT_FALSE(next.session.is_attached());  // a later hole is a loss
}

}  // namespace
}  // namespace muster::client
