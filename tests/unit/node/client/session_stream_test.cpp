// The stream: in order, once, acknowledged when handled.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;

std::vector<std::uint64_t> seqs(const std::vector<Item>& items) {
    std::vector<std::uint64_t> list;
    for (const auto& item : items) list.push_back(item.seq);
    return list;
}

struct Attached : Driver {
    Attached() {
        welcome(42);
        joined(1, 5, 2);
        forget();
    }
};

TEST(SessionStream, ADeliveryGoesToTheHandlersOfItsMembers) {
    Attached d;
    d.deliver(1, {5, 6, 99});
    const auto items = d.items();
    ASSERT_EQ(items.size(), 1u);
    const auto& deliver = std::get<Deliver>(items[0].what);
    ASSERT_EQ(deliver.targets->size(), 2u);
    EXPECT_EQ(deliver.targets->at(0).member, MemberNumber{5});
    EXPECT_EQ(deliver.targets->at(1).handler, d.handler);
}

TEST(SessionStream, AnItemForAMemberThatLeftIsPassedOnWithoutAHandler) {
    Attached d;
    d.deliver(1, {99});
    ASSERT_EQ(d.items().size(), 1u);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(d.items()[0].what));
    EXPECT_EQ(d.items()[0].seq, 1u);
}

TEST(SessionStream, AnEmptyHandlerIsNotCalled) {
    Driver d;
    d.handler = std::make_shared<const OnNotification>();
    d.welcome(42);
    d.joined(1, 5);
    d.deliver(1, {5});
    EXPECT_TRUE(std::holds_alternative<std::monostate>(d.items().at(0).what));
}

TEST(SessionStream, RepeatsAreIgnored) {
    Attached d;
    d.deliver(1, {5});
    d.deliver(2, {5});
    d.deliver(1, {5});
    d.deliver(2, {5});
    d.deliver(3, {5});
    EXPECT_THAT(seqs(d.items()), ElementsAre(1u, 2u, 3u));
}

TEST(SessionStream, AHoleCausesAResumeOverANewConnection) {
    Attached d;
    d.after(milliseconds(100));
    d.deliver(1, {5});
    d.session.handled(1, 1);
    d.deliver(3, {5});
    EXPECT_THAT(seqs(d.items()), ElementsAre(1u));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{SessionToken{42}, 1, Driver::kLife}));
    d.welcome(42, true);
    d.deliver(2, {5});
    d.deliver(3, {5});
    EXPECT_THAT(seqs(d.items()), ElementsAre(1u, 2u, 3u));
}

TEST(SessionStream, AcknowledgesHandledItemsInTheNextTickTogether) {
    Attached d;
    d.deliver(1, {5});
    d.deliver(2, {5});
    d.tick();
    EXPECT_TRUE(d.sent<proto::WorkerHeartbeat>().empty());  // received is not handled
    d.session.handled(1, 1);
    d.session.handled(1, 2);
    EXPECT_EQ(d.session.next_deadline(), d.now);
    d.tick();
    EXPECT_THAT(d.sent<proto::WorkerHeartbeat>(), ElementsAre(proto::WorkerHeartbeat{2}));
    d.tick();
    EXPECT_EQ(d.sent<proto::WorkerHeartbeat>().size(), 1u);
}

TEST(SessionStream, AGapIsPassedOnInOrder) {
    Attached d;
    d.deliver(1, {5});
    d.hear(proto::Gap{7}, 2);
    d.deliver(3, {5});
    ASSERT_THAT(seqs(d.items()), ElementsAre(1u, 2u, 3u));
    EXPECT_EQ(std::get<Lost>(d.items()[1].what).missed, 7u);
}

TEST(SessionStream, ADeliveryThatOvertakesTheReplyToItsJoinWaits) {
    Attached d;
    d.join(9, 1);
    d.deliver(1, {7});  // number 7 is of that join, whose reply has not come
    d.deliver(2, {5});
    EXPECT_TRUE(d.items().empty());
    d.hear(proto::JoinReply{{{MemberNumber{7}, 1}}, 0}, 2);
    ASSERT_THAT(seqs(d.items()), ElementsAre(1u, 2u));
    EXPECT_EQ(std::get<Deliver>(d.items()[0].what).targets->at(0).member, MemberNumber{7});
}

TEST(SessionStream, AJoinOfAnotherGroupDoesNotHoldDeliveriesBack) {
    Attached d;
    d.join(9, 1, {"orders", "other"});
    d.deliver(1, {99});
    EXPECT_THAT(seqs(d.items()), ElementsAre(1u));
}

TEST(SessionStream, ANodeThatSendsBeyondItsWindowIsGivenUp) {
    Attached d;
    d.join(9, 1);
    for (std::uint64_t seq = 1; seq <= 2049; ++seq) d.deliver(seq, {7});
    EXPECT_FALSE(d.session.is_attached());
}

// ---- watches ----

struct Watching : Driver {
    Watching() {
        welcome(42);
        session.watch(now, CallId{1}, now + milliseconds(5000), Watch{1}, {}, watcher);
        tick();
        hear(proto::DoneReply{}, 1);
    }
    static GroupMembers group(const std::string& feature, std::vector<std::uint64_t> members) {
        GroupMembers one{{"orders", feature}, {}};
        for (const auto number : members)
            one.members.push_back({{{"a", Incarnation{1}}, MemberNumber{number}}, "", {}});
        return one;
    }
    void part(std::uint64_t seq, std::vector<GroupMembers> groups, bool last, std::uint64_t watch = 1) {
        hear(proto::WatchNews{watch, {WatchEvent::Kind::snapshot, Reason::left, std::move(groups)}, last}, seq);
    }
    std::vector<WatchEvent> updates() const {
        std::vector<WatchEvent> list;
        for (const auto& item : items())
            if (const auto* one = std::get_if<WatchUpdate>(&item.what)) list.push_back(one->event);
        return list;
    }
    std::shared_ptr<WatchHandler> watcher = std::make_shared<WatchHandler>([](const WatchEvent&) {});
};

TEST(SessionWatch, ASnapshotInPartsBecomesOneEvent) {
    Watching d;
    EXPECT_TRUE(d.answer(1));
    d.part(1, {Watching::group("a", {1}), Watching::group("b", {2, 3})}, false);
    d.part(2, {Watching::group("b", {4}), Watching::group("c", {5})}, true);
    ASSERT_EQ(d.updates().size(), 1u);
    EXPECT_THAT(d.updates()[0].groups,
                ElementsAre(Watching::group("a", {1}), Watching::group("b", {2, 3, 4}), Watching::group("c", {5})));
    // Each part is an item: otherwise the node's window would be full before the last one.
    EXPECT_THAT(seqs(d.items()), ElementsAre(1u, 2u));
}

TEST(SessionWatch, AHandlerMayTakeTheParts) {
    Watching d;
    d.session.unwatch(d.now, Watch{1});
    d.watcher = std::make_shared<WatchHandler>([](const WatchEvent&) {}, true);
    d.session.watch(d.now, CallId{2}, d.now + milliseconds(5000), Watch{2}, {}, d.watcher);
    d.tick();
    d.hear(proto::DoneReply{}, 3);
    const auto part = [&](std::uint64_t seq, std::vector<std::uint64_t> members, bool last) {
        d.part(seq, {Watching::group("a", std::move(members))}, last, 3);
    };
    part(1, {1}, false);
    part(2, {2}, false);
    part(3, {3}, true);
    part(4, {}, true);
    std::vector<std::pair<bool, bool>> flags;
    for (const auto& event : d.updates()) flags.emplace_back(event.continued, event.more);
    EXPECT_THAT(flags, ElementsAre(std::pair{false, true}, std::pair{true, true}, std::pair{true, false},
                                   std::pair{false, false}));
    EXPECT_THAT(d.updates()[1].groups, ElementsAre(Watching::group("a", {2})));
}

TEST(SessionWatch, EventsFollowTheSnapshot) {
    Watching d;
    d.part(1, {}, true);
    d.hear(proto::WatchNews{1, {WatchEvent::Kind::join, Reason::left, {Watching::group("a", {1})}}, true}, 2);
    ASSERT_EQ(d.updates().size(), 2u);
    EXPECT_EQ(d.updates()[1].kind, WatchEvent::Kind::join);
}

TEST(SessionWatch, AChangeInPartsBecomesOneEvent) {
    Watching d;
    d.part(1, {}, true);
    const auto leave = [&](std::uint64_t seq, std::vector<std::uint64_t> members, bool last) {
        const WatchEvent event{WatchEvent::Kind::leave, Reason::node_down, {Watching::group("a", std::move(members))}};
        d.hear(proto::WatchNews{1, event, last}, seq);
    };
    leave(2, {1, 2}, false);
    EXPECT_EQ(d.updates().size(), 1u);
    leave(3, {3}, true);
    leave(4, {4}, true);
    ASSERT_EQ(d.updates().size(), 3u);
    EXPECT_THAT(d.updates()[1].groups, ElementsAre(Watching::group("a", {1, 2, 3})));
    EXPECT_EQ(d.updates()[1].reason, Reason::node_down);
    EXPECT_THAT(d.updates()[2].groups, ElementsAre(Watching::group("a", {4})));
}

TEST(SessionWatch, UnwatchSendsTheWatchsNumber) {
    Watching d;
    d.forget();
    d.session.unwatch(d.now, Watch{1});
    d.session.unwatch(d.now, Watch{1});
    d.tick();
    EXPECT_THAT(d.sent<proto::UnwatchRequest>(), ElementsAre(proto::UnwatchRequest{1}));
    d.part(1, {}, true);
    EXPECT_TRUE(d.updates().empty());
}

TEST(SessionWatch, AFailedWatchIsForgotten) {
    Driver d;
    d.welcome(42);
    const auto handler = std::make_shared<WatchHandler>([](const WatchEvent&) {});
    d.session.watch(d.now, CallId{1}, d.now + milliseconds(5000), Watch{1}, kOrders, handler);
    d.tick();
    d.hear(proto::ErrorReply{ErrorCode::overloaded, "too many"}, 1);
    EXPECT_EQ(d.error(1), ErrorCode::overloaded);
    d.after(milliseconds(100));
    d.hear(proto::Refuse{ErrorCode::closed, "bye"});
    d.forget();
    d.welcome(43);
    EXPECT_TRUE(d.sent<proto::WatchRequest>().empty());
}

}  // namespace
}  // namespace muster::client
