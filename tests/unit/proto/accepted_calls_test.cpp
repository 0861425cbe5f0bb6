// A call that two nodes send is had once, in whichever order original and copy come.
#include <gtest/gtest.h>

#include "proto/accepted_calls.hpp"

namespace muster::proto::test {
namespace {

Notice original(std::uint64_t call) {
    Notice notice;
    notice.from_node = {"a", Incarnation{1}};
    notice.seq = call + 100;
    notice.life = 7;
    notice.call = call;
    return notice;
}
Notice copy(std::uint64_t call) {
    Notice notice = original(call);
    notice.from_node = {"b", Incarnation{1}};
    notice.repeated = true;
    return notice;
}

TEST(AcceptedCalls, EachIsHadOnce) {
    AcceptedCalls calls;
    EXPECT_EQ(calls.accept(original(1)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(5)), Copy::fresh);  // the calls between were for other groups
    EXPECT_EQ(calls.accept(copy(1)), Copy::had);
    EXPECT_EQ(calls.accept(copy(5)), Copy::had);
    EXPECT_EQ(calls.accept(copy(6)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(6)), Copy::had) << "the node that was left sends it late";
}

TEST(AcceptedCalls, ACopyDoesNotComeAfterLaterCalls) {
    AcceptedCalls calls;
    EXPECT_EQ(calls.accept(original(5)), Copy::fresh);
    EXPECT_EQ(calls.accept(copy(4)), Copy::late);
    EXPECT_EQ(calls.accept(original(AcceptedCalls::kSeen + 4)), Copy::fresh);
    EXPECT_EQ(calls.accept(copy(4)), Copy::had) << "it is not known any more";
}

TEST(AcceptedCalls, WhatOnlyTheFirstNodeSentComesLate) {
    AcceptedCalls calls;
    EXPECT_EQ(calls.accept(copy(5)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(4)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(4)), Copy::had);
}

TEST(AcceptedCalls, PartsOfOneNotificationDoNotRepeatEachOther) {
    AcceptedCalls calls;
    EXPECT_EQ(calls.accept(copy(3)), Copy::fresh);
    EXPECT_EQ(calls.accept(copy(3)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(3)), Copy::had);
}

TEST(AcceptedCalls, PlacesAreUsedAgain) {
    AcceptedCalls calls;
    for (std::uint64_t call = 1; call <= 3 * AcceptedCalls::kSeen; call += 3)
        EXPECT_EQ(calls.accept(original(call)), Copy::fresh);
    const std::uint64_t highest = 3 * AcceptedCalls::kSeen - 2;
    for (std::uint64_t call = highest - AcceptedCalls::kSeen + 1; call < highest; ++call) {
        const bool had = call % 3 == 1;
        EXPECT_EQ(calls.accept(original(call)), had ? Copy::had : Copy::fresh) << call;
    }
    EXPECT_EQ(calls.accept(original(1'000'000)), Copy::fresh);
    EXPECT_EQ(calls.accept(original(1'000'000 - AcceptedCalls::kSeen + 1)), Copy::fresh)
        << "no call of the ones before is known";
}

}  // namespace
}  // namespace muster::proto::test
