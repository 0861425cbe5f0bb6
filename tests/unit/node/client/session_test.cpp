// Attaching, staying attached, failing over.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Session, SaysHelloToTheFirstNodeWithoutAToken) {
    Driver d;
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{{}, 0, Driver::kLife}));
    const auto header = d.all<Send>().at(0).message.header;
    EXPECT_EQ(header, (proto::Header{"default", "w1", 0, 0}));
}

TEST(Session, TheWelcomeAttaches) {
    Driver d;
    EXPECT_FALSE(d.session.is_attached());
    d.welcome(42);
    EXPECT_TRUE(d.session.is_attached());
    EXPECT_EQ(d.session.node().id.name, "a");
    const auto item = d.all<Item>().at(0);
    EXPECT_EQ(std::get<Attachment>(item.what).text, "attached to a at a:1");
}

TEST(Session, TriesTheNextNodeWhenThePortRefusesConnections) {
    Driver d;
    d.session.connection_refused(d.now, "a:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "b:2"));
}

TEST(Session, TriesTheNextNodeAfterASecondWithoutAnAnswer) {
    Driver d;
    d.after(milliseconds(999));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    d.after(milliseconds(1));
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "b:2"));
}

TEST(Session, RetriesANodeThatIsNotReadyAfter100Milliseconds) {
    Driver d({"a:1"});
    d.hear(proto::Refuse{ErrorCode::not_ready, "not yet"});
    EXPECT_FALSE(d.session.is_rejected());
    EXPECT_EQ(d.session.problem().code, ErrorCode::not_ready);
    d.after(milliseconds(99));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    d.after(milliseconds(40));  // jitter included
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "a:1"));
}

TEST(Session, IsRejectedWhenEveryNodeRefusesForGood) {
    Driver d;
    d.hear(proto::Refuse{ErrorCode::wrong_scope, "this is scope x"});
    EXPECT_FALSE(d.session.is_rejected());
    d.hear(proto::Refuse{ErrorCode::wrong_scope, "this is scope x"});
    EXPECT_TRUE(d.session.is_rejected());
    EXPECT_EQ(d.session.problem().code, ErrorCode::wrong_scope);
    EXPECT_THAT(d.session.problem().text, HasSubstr("b:2 says: this is scope x"));
}

TEST(Session, AnotherMajorVersionIsARefusal) {
    Driver d({"a:1"});
    d.session.undecodable(d.now, proto::DecodeError::wrong_major);
    EXPECT_TRUE(d.session.is_rejected());
    EXPECT_EQ(d.session.problem().code, ErrorCode::wrong_version);
}

TEST(Session, AnotherNodeThanTheAddressNamesIsARefusal) {
    Driver d({"b@a:1"});
    d.welcome(42);  // a's
    EXPECT_FALSE(d.session.is_attached());
    EXPECT_TRUE(d.session.is_rejected());
    EXPECT_EQ(d.session.problem().text,
              "b@a:1: a answered instead of b: correct the address, or the name before its @");
}

TEST(Session, AWelcomeOfAnotherNodeThanTheKeysIsARefusal) {
    Driver d({"a:1"});
    const NodeInfo node{{"a", Incarnation{1700}}, NodeState::alive, "a:1"};
    const proto::WorkerWelcome welcome{SessionToken{42}, false, 500, 2000, 1000, node, {}};
    d.session.message_arrived(d.now, {{"default", "a", 1700, 0}, welcome}, "b");
    EXPECT_FALSE(d.session.is_attached());
    EXPECT_EQ(d.session.problem().text, "a:1: a answered instead of b: correct the address, or the name before its @");

    Driver good({"a:1"});
    good.session.message_arrived(good.now, {{"default", "a", 1700, 0}, welcome}, "a");
    EXPECT_TRUE(good.session.is_attached());
}

TEST(Session, AWelcomeOfAnotherNodeThanItsSenderIsARefusal) {
    Driver d({"a:1"});
    const NodeInfo node{{"b", Incarnation{1700}}, NodeState::alive, "a:1"};
    d.hear(proto::WorkerWelcome{SessionToken{42}, false, 500, 2000, 1000, node, {}});
    EXPECT_FALSE(d.session.is_attached());
    EXPECT_EQ(d.session.problem().code, ErrorCode::refused);
}

TEST(Session, IsNotRejectedIfOneNodeWasOnlyUnreachable) {
    Driver d;
    d.hear(proto::Refuse{ErrorCode::wrong_scope, "this is scope x"});
    d.session.connection_refused(d.now, "b:2");
    d.tick();
    EXPECT_FALSE(d.session.is_rejected());
    EXPECT_EQ(d.session.problem().code, ErrorCode::unreachable);
}

TEST(Session, SendsAHeartbeatEveryHeartbeatInterval) {
    Driver d;
    d.welcome(42);
    d.forget();
    for (int i = 0; i < 10; ++i) {
        d.hear(proto::NodeHeartbeat{});
        d.after(milliseconds(100));
    }
    EXPECT_EQ(d.sent<proto::WorkerHeartbeat>().size(), 2u);
    EXPECT_EQ(d.all<Send>().at(0).message.header.incarnation, 42u);
}

TEST(Session, ChecksThePortAfterThreeSilentHeartbeats) {
    Driver d;
    d.welcome(42);
    d.forget();
    d.after(milliseconds(200));
    EXPECT_TRUE(d.all<Check>().empty());
    d.after(milliseconds(100));
    EXPECT_EQ(d.all<Check>().size(), 1u);
}

TEST(Session, ARefusedPortAfterSilenceMeansTheNextNodeImmediately) {
    Driver d;
    d.welcome(42);
    d.forget();
    d.after(milliseconds(300));
    d.session.connection_refused(d.now, "a:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(),
                ElementsAre(proto::WorkerHello{{}, 0, Driver::kLife}));  // b does not know a's tokens
}

TEST(Session, ARefusedPortIsIgnoredWhileTheNodeIsHeard) {
    Driver d;
    d.welcome(42);
    d.forget();
    d.session.connection_refused(d.now, "a:1");
    d.tick();
    EXPECT_TRUE(d.session.is_attached());
}

TEST(Session, SilenceForTheTtlMeansANewConnectionToTheSameNodeFirst) {
    Driver d;
    d.welcome(42);
    d.forget();
    for (int i = 0; i < 20; ++i) d.after(milliseconds(100));
    EXPECT_THAT(d.opened(), ElementsAre("a:1"));
    EXPECT_THAT(d.sent<proto::WorkerHello>(), ElementsAre(proto::WorkerHello{SessionToken{42}, 0, Driver::kLife}));
    for (int i = 0; i < 10; ++i) d.after(milliseconds(100));
    EXPECT_THAT(d.opened(), ElementsAre("a:1", "b:2"));
}

TEST(Session, ALateTickDoesNotCountAsSilence) {
    Driver d;
    d.welcome(42);
    d.after(milliseconds(100));
    d.forget();
    d.after(milliseconds(3000));  // this process did not run
    EXPECT_TRUE(d.session.is_attached());
}

TEST(Session, AFullInboxDoesNotCountAsSilence) {
    Driver d;
    d.welcome(42);
    for (int i = 0; i < 40; ++i) {
        d.session.not_listening(d.now);
        d.after(milliseconds(100));
    }
    EXPECT_TRUE(d.session.is_attached());
    EXPECT_GE(d.sent<proto::WorkerHeartbeat>().size(), 7u);
}

TEST(Session, TriesNodesThatTheWelcomeListedUnlessItStaysWithinItsList) {
    for (const bool listed_only : {false, true}) {
        Driver d({"a:1"}, listed_only);
        d.welcome(42, false, {"c:3", "nonsense", "a:1"});
        d.forget();
        d.after(milliseconds(300));
        d.session.connection_refused(d.now, "a:1");
        d.tick();
        EXPECT_THAT(d.opened(), ElementsAre(listed_only ? "a:1" : "c:3"));
    }
}

TEST(Session, ANodeThatEndsTheSessionIsTriedLast) {
    Driver d;
    d.welcome(42);
    d.after(milliseconds(100));
    d.forget();
    d.hear(proto::Refuse{ErrorCode::closed, "this node leaves"});
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(Session, SaysGoodbyeOnceAndSendsNothingAfterwards) {
    Driver d;
    d.welcome(42);
    d.join(1);
    d.forget();
    d.session.close();
    d.session.close();
    d.tick();
    EXPECT_EQ(d.sent<proto::WorkerGoodbye>().size(), 1u);
    EXPECT_EQ(d.error(1), ErrorCode::closed);
    d.join(2);
    EXPECT_EQ(d.error(2), ErrorCode::closed);
    EXPECT_EQ(d.session.next_deadline(), Instant::max());
}

TEST(Session, TheNextDeadlineIsWhenSomethingIsDue) {
    Driver d;
    EXPECT_EQ(d.session.next_deadline(), d.now + milliseconds(1000));  // the hello
    d.welcome(42);
    d.tick();
    EXPECT_EQ(d.session.next_deadline(), d.now + milliseconds(300));  // of silence
    d.call(1, QueryCall{proto::GroupsRequest{}}, milliseconds(50));
    EXPECT_EQ(d.session.next_deadline(), d.now + milliseconds(50));
}

}  // namespace
}  // namespace muster::client
