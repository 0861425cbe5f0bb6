// Names: look-ups, the endpoints of an address, and how long a round waits for them.
#include <gmock/gmock.h>

#include "tests/unit/node/client/driver.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kPending = std::nullopt;
using Endpoints = std::vector<std::string>;

struct Names : Driver {
    using Driver::Driver;
    void end_look_up(const std::string& address, Endpoints endpoints) {
        names[address] = std::move(endpoints);
        resolve(address);
    }
};

TEST(SessionNames, TheNextAddressIsTriedWhileALookUpTakesLong) {
    Names d({"a:1", "b:2"}, {{"a:1", kPending}});
    d.after(milliseconds(499));
    EXPECT_THAT(d.opened(), IsEmpty());
    d.after(milliseconds(1));
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(SessionNames, ARoundWaitsForAllNamesTogetherOnlyOnce) {
    Names d({"a:1", "c:3", "d:4", "b:2"}, {{"a:1", kPending}, {"c:3", kPending}, {"d:4", kPending}});
    d.after(milliseconds(500));
    d.tick();
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("b:2"));
}

TEST(SessionNames, TheLookUpDoesNotCountAsTimeForTheHello) {
    Names d({"a:1"}, {{"a:1", kPending}});
    d.after(milliseconds(450));
    d.end_look_up("a:1", {"1.1.1.1:1"});
    d.names["a:1"] = kPending;
    d.after(milliseconds(999));
    EXPECT_EQ(d.all<LookUp>().size(), 1u);
    d.after(milliseconds(100));
    d.after(milliseconds(200));
    EXPECT_EQ(d.all<LookUp>().size(), 2u);
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.1:1"));
}

TEST(SessionNames, ASkippedAddressIsTriedAsSoonAsItIsKnown) {
    Names idle({"a:1"}, {{"a:1", kPending}});
    idle.after(milliseconds(500));
    idle.end_look_up("a:1", {"1.1.1.1:1"});
    EXPECT_THAT(idle.opened(), ElementsAre("1.1.1.1:1"));

    Names busy({"a:1", "b:2", "c:3"}, {{"a:1", kPending}});
    busy.after(milliseconds(500));
    busy.end_look_up("a:1", {"1.1.1.1:1"});
    EXPECT_THAT(busy.opened(), ElementsAre("b:2"));
    busy.hear(proto::Refuse{ErrorCode::overloaded, "too many workers"});
    EXPECT_THAT(busy.opened(), ElementsAre("b:2", "1.1.1.1:1"));
}

TEST(SessionNames, EveryEndpointIsTriedBeforeTheNextAddress) {
    Names d({"a:1", "b:2"}, {{"a:1", Endpoints{"[::1]:1", "1.1.1.1:1", "1.1.1.2:1"}}});
    d.session.connection_refused(d.now, "[::1]:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("[::1]:1", "1.1.1.1:1"));
    d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("[::1]:1", "1.1.1.1:1", "1.1.1.2:1"));
    d.hear(proto::Refuse{ErrorCode::wrong_scope, "this is scope x"});
    EXPECT_THAT(d.opened(), ElementsAre("[::1]:1", "1.1.1.1:1", "1.1.1.2:1", "b:2"));
    EXPECT_FALSE(d.session.is_rejected());
}

TEST(SessionNames, AHostThatDoesNotAnswerDoesNotHoldUpTheOthers) {
    Names d({"a:1", "b:2"}, {{"a:1", Endpoints{"1.1.1.1:1", "1.1.1.2:1"}}});
    EXPECT_EQ(d.all<Check>().back().patience, milliseconds(250));
    for (const char* endpoint : {"1.1.1.1:1", "1.1.1.2:1"}) {
        d.session.connection_unanswered(d.now, endpoint);
        d.tick();
    }
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.1:1", "1.1.1.2:1", "b:2"));
    d.session.connection_unanswered(d.now, "b:2");
    d.after(milliseconds(999));
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.1:1", "1.1.1.2:1", "b:2")) << "nobody waits for the last one's place";
    d.after(milliseconds(1));
    d.after(milliseconds(200));
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.1:1", "1.1.1.2:1", "b:2", "1.1.1.1:1"));
    EXPECT_EQ(d.all<Check>().back().patience, milliseconds(500)) << "a network may be that slow";
}

TEST(SessionNames, ARefusalAtAnotherEndpointIsIgnored) {
    Names d({"a:1"}, {{"a:1", Endpoints{"[::1]:1", "1.1.1.1:1"}}});
    d.session.connection_refused(d.now, "1.1.1.1:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("[::1]:1"));
}

TEST(SessionNames, TheSessionIsResumedAtTheEndpointThatHasIt) {
    Names d({"a:1"}, {{"a:1", Endpoints{"1.1.1.1:1", "1.1.1.2:1"}}});
    d.session.connection_refused(d.now, "1.1.1.1:1");
    d.tick();
    d.welcome(42, false, {}, 5000);
    d.after(milliseconds(150));
    d.forget();
    d.names["a:1"] = kPending;
    d.session.connection_broken(d.now);
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.2:1")) << "without a look-up";
    d.session.connection_unanswered(d.now, "1.1.1.2:1");
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.2:1")) << "no other has the session";
    d.after(milliseconds(1000));
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.2:1", "1.1.1.2:1"));
    EXPECT_THAT(d.all<LookUp>(), IsEmpty());
}

TEST(SessionNames, AnEndpointWhoseProcessIsGoneIsTriedLast) {
    Names d({"a:1"}, {{"a:1", Endpoints{"1.1.1.1:1", "1.1.1.2:1"}}});
    d.welcome(42);
    d.after(milliseconds(400));
    d.forget();
    d.session.connection_refused(d.now, "1.1.1.1:1");
    d.tick();
    EXPECT_THAT(d.opened(), ElementsAre("1.1.1.2:1"));
}

TEST(SessionNames, TheErrorSaysWhatDoesNotResolve) {
    Names d({"a:1", "b:2"}, {{"a:1", Endpoints{}}});
    EXPECT_THAT(d.opened(), ElementsAre("b:2")) << "the next one is tried at once";
    d.call(1, QueryCall{proto::NodesRequest{}}, milliseconds(300));
    d.after(milliseconds(300));
    ASSERT_TRUE(d.answer(1));
    EXPECT_THAT(std::get<Error>(*d.answer(1)).text, HasSubstr("not resolved: a:1"));
    d.end_look_up("a:1", {"1.1.1.1:1"});
    EXPECT_THAT(d.session.problem().text, Not(HasSubstr("not resolved")));
}

}  // namespace
}  // namespace muster::client
