// Notifies outlive their node, and are handled once.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Notifier : Driver {
    Notifier() {
        handover_ms = 10'000;
        welcome(42);
    }
    void notify(std::uint64_t id, bool wait = false, milliseconds timeout = milliseconds(5000),
                const std::string& data = "\xc0") {
        NotifyCall notify;
        notify.request.group = kOrders;
        notify.request.data = {data};
        notify.request.wait = wait;
        notify.request.timeout_ms = time_for_node(timeout);
        call(id, std::move(notify), timeout);
    }
    void reply(std::uint64_t request, std::uint64_t settled = 0) { hear(proto::NotifyReply{{}, settled}, request); }
    /// What was sent: the number of the call, negative if it is repeated.
    std::vector<int> calls() const {
        std::vector<int> list;
        for (const auto& request : sent<proto::NotifyRequest>())
            list.push_back((request.repeated ? -1 : 1) * static_cast<int>(request.call));
        return list;
    }
};

TEST(Repeats, CallsAreNumberedThroughAllSessions) {
    Notifier d;
    d.notify(1);
    d.notify(2);
    d.reply(1, 2);
    d.reply(2, 2);
    d.lose();
    d.notify(3);
    d.welcome(43);
    d.notify(4);
    EXPECT_THAT(d.calls(), ElementsAre(3, 4));
}

TEST(Repeats, UnsettledCallsAreSentAgainInOrderBeforeHeldOnes) {
    Notifier d;
    d.notify(1, false, milliseconds(5000), "\x01");
    d.notify(2, true, milliseconds(5000), "\x02");
    d.notify(3, true, milliseconds(5000), "\x03");
    d.reply(3);
    d.reply(1);
    d.lose();
    d.notify(4);
    d.welcome(43);
    EXPECT_THAT(d.calls(), ElementsAre(-1, -2, -3, 4));
    const auto sent = d.sent<proto::NotifyRequest>();
    EXPECT_EQ(sent[0].data.msgpack, "\x01");
    EXPECT_EQ(sent[2].data.msgpack, "\x03");
    EXPECT_FALSE(sent[0].wait);
    EXPECT_TRUE(sent[1].wait);
    EXPECT_FALSE(sent[2].wait);  // its caller has the report
    EXPECT_EQ(sent[1].timeout_ms, 4700u);
    d.hear(proto::NotifyReply{{7, 1, true, 7, {}}, 0}, 2);
    EXPECT_EQ(std::get<NotifyReport>(*d.answer(2)).matched, 7u);
}

TEST(Repeats, TheyComeAfterTheJoins) {
    Notifier d;
    d.joined(1, 5);
    d.notify(2);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.calls(), IsEmpty());
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    EXPECT_THAT(d.calls(), ElementsAre(-1));
}

TEST(Repeats, WhatIsSettledIsNotSentAgain) {
    Notifier d;
    for (std::uint64_t i = 1; i <= 4; ++i) d.notify(i);
    for (std::uint64_t i = 1; i <= 4; ++i) d.reply(i, i == 4 ? 1 : 0);
    d.hear(proto::NodeHeartbeat{3});
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.calls(), ElementsAre(-4));
}

TEST(Repeats, ANodeThatSettlesTheFutureSettlesOnlyWhatWasSent) {
    Notifier d;
    d.hear(proto::NodeHeartbeat{1'000'000});
    d.notify(1);
    d.reply(1);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.calls(), ElementsAre(-1));
}

TEST(Repeats, ACallThatWasRefusedIsNotSentAgain) {
    Notifier d;
    d.notify(1);
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "later"}, 1);
    EXPECT_EQ(d.error(1), ErrorCode::overloaded);
    d.lose();
    d.welcome(43);
    EXPECT_THAT(d.calls(), IsEmpty());
}

TEST(Repeats, ACallThatTimedOutIsStillSentAgain) {
    Notifier d;
    d.notify(1, true, milliseconds(150));
    d.notify(2, true, milliseconds(5000));
    d.lose();  // 100 ms later
    d.after(milliseconds(50));
    EXPECT_EQ(d.error(1), ErrorCode::timeout);
    d.welcome(43);
    EXPECT_THAT(d.calls(), ElementsAre(-1, -2));
    EXPECT_FALSE(d.sent<proto::NotifyRequest>()[0].wait);
    EXPECT_TRUE(d.sent<proto::NotifyRequest>()[1].wait);
    d.lose();
    d.welcome(44);
    EXPECT_THAT(d.calls(), ElementsAre(-1, -2));
    d.reply(1);
    d.reply(2);
    EXPECT_THAT(d.all<Answer>(), testing::SizeIs(1));  // nobody waits for the other
}

TEST(Repeats, ACallThatTimedOutWhileItWasHeldAgainIsStillSent) {
    Notifier d;
    d.joined(1, 5);
    d.notify(2, true, milliseconds(250));
    d.lose();
    d.welcome(43);  // the rejoin has no answer yet
    d.after(milliseconds(150));
    EXPECT_EQ(d.error(2), ErrorCode::timeout);
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    EXPECT_THAT(d.calls(), ElementsAre(-1));
    EXPECT_FALSE(d.sent<proto::NotifyRequest>()[0].wait);
}

TEST(Repeats, ACallIsRepeatedUntilItIsSettled) {
    Notifier d;
    d.notify(1);
    d.notify(2);
    d.reply(1);
    d.lose();
    d.welcome(43);
    d.reply(1);
    d.lose();
    d.welcome(44);
    EXPECT_THAT(d.calls(), ElementsAre(-1, -2));
    d.reply(1);
    d.reply(2, 2);
    d.lose();
    d.welcome(45);
    EXPECT_THAT(d.calls(), IsEmpty());
}

TEST(Repeats, AResumedSessionSendsOnlyWhatHasNoAnswer) {
    Notifier d;
    d.notify(1);
    d.notify(2);
    d.reply(1);
    d.lose();
    d.welcome(42, true);
    EXPECT_THAT(d.calls(), ElementsAre(2));
    EXPECT_THAT(d.requests(), ElementsAre(2u));
}

TEST(Repeats, ANodeThatTakesNoneMeansUnknownSession) {
    for (const bool first : {true, false}) {
        Notifier d;
        if (!first) {
            d.handover_ms = 0;
            d.lose();
            d.welcome(43);
        }
        d.notify(1);
        d.notify(2);
        d.reply(1);
        d.lose();
        d.handover_ms = first ? 0 : 10'000;
        d.welcome(44);
        EXPECT_EQ(d.error(2), ErrorCode::unknown_session);
        EXPECT_THAT(d.calls(), IsEmpty());
    }
}

TEST(Repeats, AtMost1024AnsweredCallsAreKept) {
    Notifier d;
    for (std::uint64_t i = 1; i <= 1100; ++i) {
        d.notify(i);
        if (i != 5) d.reply(i);
    }
    d.lose();
    d.welcome(43);
    // The oldest answered calls are given up; the one without an answer is not. 256 wait for no caller at a time.
    const auto calls = d.calls();
    ASSERT_EQ(calls.size(), 257u);
    EXPECT_EQ(calls[0], -5);
    EXPECT_EQ(calls[1], -77);
    for (std::uint64_t i = 1; i <= 1025; ++i) d.reply(i);
    EXPECT_EQ(d.calls().size(), 1025u);
    EXPECT_EQ(d.calls().back(), -1100);
}

TEST(Repeats, AtMost64MiBOfAnsweredCallsAreKept) {
    Notifier d;
    for (std::uint64_t i = 1; i <= 130; ++i) {
        d.notify(i, false, milliseconds(5000), std::string(std::size_t{512} << 10, '\0'));
        d.reply(i);
    }
    d.lose();
    d.welcome(43);
    EXPECT_EQ(d.calls().size(), 128u);
    EXPECT_EQ(d.calls().front(), -3);
}

TEST(Repeats, CloseEndsThemAll) {
    Notifier d;
    d.notify(1);
    d.notify(2);
    d.reply(1);
    d.lose();
    d.session.close();
    d.tick();
    EXPECT_EQ(d.error(2), ErrorCode::closed);
}

// ---- the receiver ----------------------------------------------------------

struct Receiver : Driver {
    Receiver() {
        welcome(42);
        joined(1, 5);
        forget();
    }
    std::uint64_t last_seq = 0;  // of the notifier's node
    void hear_call(std::uint64_t seq, std::uint64_t call, bool repeated) {
        proto::Notice notice;
        notice.group = kOrders;
        notice.from_node = {"b", Incarnation{2}};
        notice.from_worker = "w2";
        notice.seq = ++last_seq;
        notice.life = 9;
        notice.call = call;
        notice.repeated = repeated;
        const std::vector<MemberNumber> members{MemberNumber{5}};
        hear(proto::Deliveries{{{notice, std::make_shared<const std::vector<MemberNumber>>(members)}}}, seq);
    }
};

TEST(Repeats, ARepeatedCallIsHandledOnce) {
    Receiver d;
    d.hear_call(1, 5, false);
    d.hear_call(2, 5, true);
    d.hear_call(3, 6, true);
    const auto items = d.items();
    ASSERT_EQ(items.size(), 3u);
    EXPECT_TRUE(std::holds_alternative<Deliver>(items[0].what));
    EXPECT_TRUE(std::holds_alternative<std::monostate>(items[1].what));
    EXPECT_TRUE(std::holds_alternative<Deliver>(items[2].what));
    d.session.handled(1, 3);
    d.tick();
    EXPECT_THAT(d.sent<proto::WorkerHeartbeat>(), ElementsAre(proto::WorkerHeartbeat{3}));
}

TEST(Repeats, AnOriginalThatComesAfterLaterCallsIsDroppedOnlyIfItWasHad) {
    Receiver d;
    d.hear_call(1, 5, false);
    d.hear_call(2, 5, false);
    d.hear_call(3, 4, false);
    const auto items = d.items();
    ASSERT_EQ(items.size(), 3u);
    EXPECT_TRUE(std::holds_alternative<Deliver>(items[0].what));
    EXPECT_TRUE(std::holds_alternative<std::monostate>(items[1].what));
    EXPECT_TRUE(std::holds_alternative<Deliver>(items[2].what));
}

TEST(Repeats, ARepeatedCallThatComesAfterLaterCallsIsLost) {
    Receiver d;
    d.hear_call(1, 5, false);
    d.hear_call(2, 4, true);
    const auto items = d.items();
    ASSERT_EQ(items.size(), 2u);
    const auto* lost = std::get_if<Lost>(&items[1].what);
    ASSERT_NE(lost, nullptr);
    EXPECT_EQ(lost->missed, 1u);
}

TEST(Repeats, ACallIsRememberedInANewSession) {
    Receiver d;
    d.hear_call(1, 5, false);
    d.lose();
    d.welcome(43);
    d.hear(proto::JoinReply{{{MemberNumber{5}, 1}}, 0}, 1);
    d.forget();
    d.hear_call(1, 5, true);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(d.items().at(0).what));
}

}  // namespace
}  // namespace muster::client
