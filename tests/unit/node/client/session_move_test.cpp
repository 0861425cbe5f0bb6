// A node asks the worker to move.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Mover : Driver {
    explicit Mover(std::vector<std::string> nodes = {"a:1", "b:2"}) : Driver(std::move(nodes)) {
        handover_ms = 10'000;
        welcome(42);
        joined(1, 5);
        after(milliseconds(100));
        forget();
    }
    void move() { hear(proto::Move{}); }
    void answer_from_b() { node = {{"b", Incarnation{8}}, NodeState::alive, "b:2"}; }
    /// The kinds of what was sent over the old connection, and its closing.
    std::vector<std::string> old() const {
        std::vector<std::string> list;
        for (const auto& action : actions) {
            if (std::holds_alternative<KeepOld>(action)) list.emplace_back("keep");
            if (std::holds_alternative<CloseOld>(action)) list.emplace_back("close");
            const auto* send = std::get_if<SendOld>(&action);
            if (send == nullptr) continue;
            EXPECT_EQ(send->message.header.incarnation, 42u);
            const auto* beat = std::get_if<proto::WorkerHeartbeat>(&send->message.body);
            list.push_back(beat != nullptr ? "received " + std::to_string(beat->received) : "goodbye");
        }
        return list;
    }
};

TEST(Moving, SaysGoodbyeToTheOldNodeWhenTheJoinsAreAnswered) {
    Mover d;
    d.move();
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{{}, 0, Driver::kLife}));
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0"));
    d.answer_from_b();
    d.welcome(43);
    EXPECT_EQ(d.sent<proto::RejoinRequest>().at(0).node.name, "a");
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0"));
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0", "received 0", "goodbye", "close"));
    EXPECT_THAT(d.sent<proto::WorkerGoodbye>(), IsEmpty());
    d.after(milliseconds(600));
    EXPECT_EQ(d.old().size(), 5u);
}

TEST(Moving, TheOldConnectionIsKeptBeforeTheNewOneIsOpened) {
    Mover d;
    d.move();
    std::vector<std::size_t> kinds;
    for (const auto& action : d.actions)
        if (std::holds_alternative<KeepOld>(action) || std::holds_alternative<Open>(action))
            kinds.push_back(action.index());
    EXPECT_THAT(kinds, ElementsAre(Action(KeepOld{}).index(), Action(Open{}).index()));
}

TEST(Moving, WithoutMembersTheGoodbyeFollowsTheWelcome) {
    Driver d;
    d.welcome(42);
    d.after(milliseconds(100));
    d.hear(proto::Move{});
    d.node = {{"b", Incarnation{8}}, NodeState::alive, "b:2"};
    d.welcome(43);
    EXPECT_EQ(d.all<CloseOld>().size(), 1u);
}

TEST(Moving, WhatIsHandledMeanwhileIsAcknowledgedToTheOldNode) {
    Mover d;
    d.deliver(1, {5});
    d.move();
    d.session.handled(1, 1);
    d.after(milliseconds(500));
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0", "received 1"));
    d.answer_from_b();
    d.welcome(43);
    d.hear(proto::JoinReply{{{MemberNumber{20}, 1}}, 0}, 1);
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0", "received 1", "received 1", "goodbye", "close"));
}

TEST(Moving, ANodeThatIsNotReadyLeadsToTheNext) {
    Mover d({"a:1", "b:2", "c:3"});
    d.move();
    d.hear(proto::Refuse{ErrorCode::not_ready, "draining"});
    EXPECT_THAT(d.opened(), ElementsAre("b:2", "c:3"));
}

TEST(Moving, InVainItResumesTheOldSessionAfterFiveSeconds) {
    Mover d;
    d.deliver(1, {5});
    d.session.handled(1, 1);
    d.move();
    for (int i = 0; i < 49; ++i) d.after(milliseconds(100));
    for (const auto& endpoint : d.opened()) EXPECT_EQ(endpoint, "b:2");
    d.forget();
    d.after(milliseconds(100));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{SessionToken{42}, 1, Driver::kLife}));
    EXPECT_EQ(d.old().back(), "close");
    EXPECT_THAT(d.old(), testing::Not(testing::Contains("goodbye")));
    d.welcome(42, true);
    d.deliver(2, {5});
    EXPECT_EQ(std::get<Deliver>(d.items().at(0).what).targets->size(), 1u);
}

TEST(Moving, IsIgnoredWithoutAnotherAddress) {
    Mover d({"a:1"});
    d.move();
    EXPECT_TRUE(d.session.is_attached());
    EXPECT_THAT(d.old(), IsEmpty());
}

TEST(Moving, TheSameNodeAtAnotherAddressIsNoOtherNode) {
    Mover d({"a:1", "alias:1", "b:2"});
    d.move();
    d.welcome(50);
    EXPECT_FALSE(d.session.is_attached());
    EXPECT_THAT(d.opened(), ElementsAre("alias:1", "b:2"));
}

TEST(Moving, LosingTheNewNodeBeforeTheJoinsLeavesTheOldOneWithoutAGoodbye) {
    Mover d;
    d.move();
    d.answer_from_b();
    d.welcome(43);
    d.after(milliseconds(100));
    d.session.connection_broken(d.now);
    EXPECT_EQ(d.old().size(), 2u);
    d.tick();
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0", "close"));
}

TEST(Moving, CloseSaysGoodbyeToTheOldNodeOnly) {
    Mover d;
    d.move();
    d.session.close();
    d.tick();
    EXPECT_THAT(d.old(), ElementsAre("keep", "received 0", "received 0", "goodbye", "close"));
    EXPECT_THAT(d.sent<proto::WorkerGoodbye>(), IsEmpty());
}

TEST(Moving, CloseSaysGoodbyeToBothNodes) {
    Mover d;
    d.move();
    d.answer_from_b();
    d.welcome(43);
    d.session.close();
    d.tick();
    EXPECT_EQ(d.old().back(), "close");
    EXPECT_EQ(d.sent<proto::WorkerGoodbye>().size(), 1u);
}

}  // namespace
}  // namespace muster::client
