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
    EXPECT_TRUE(calls.accept(original(1)));
    EXPECT_TRUE(calls.accept(original(5)));  // the calls between were for other groups
    EXPECT_FALSE(calls.accept(copy(1)));
    EXPECT_FALSE(calls.accept(copy(5)));
    EXPECT_TRUE(calls.accept(copy(6)));
    EXPECT_FALSE(calls.accept(original(6))) << "the node that was left sends it late";
}

TEST(AcceptedCalls, ACopyDoesNotComeAfterLaterCalls) {
    AcceptedCalls calls;
    EXPECT_TRUE(calls.accept(original(5)));
    EXPECT_FALSE(calls.accept(copy(4)));
}

TEST(AcceptedCalls, WhatOnlyTheFirstNodeSentComesLate) {
    AcceptedCalls calls;
    EXPECT_TRUE(calls.accept(copy(5)));
    EXPECT_TRUE(calls.accept(original(4)));
    EXPECT_FALSE(calls.accept(original(4)));
}

TEST(AcceptedCalls, PartsOfOneNotificationDoNotRepeatEachOther) {
    AcceptedCalls calls;
    EXPECT_TRUE(calls.accept(copy(3)));
    EXPECT_TRUE(calls.accept(copy(3)));
    EXPECT_FALSE(calls.accept(original(3)));
}

TEST(AcceptedCalls, PlacesAreUsedAgain) {
    AcceptedCalls calls;
    for (std::uint64_t call = 1; call <= 3 * AcceptedCalls::kSeen; call += 3) EXPECT_TRUE(calls.accept(original(call)));
    const std::uint64_t highest = 3 * AcceptedCalls::kSeen - 2;
    for (std::uint64_t call = highest - AcceptedCalls::kSeen + 1; call < highest; ++call) {
        const bool had = call % 3 == 1;
        EXPECT_EQ(calls.accept(original(call)), !had) << call;
    }
    EXPECT_TRUE(calls.accept(original(1'000'000)));
    EXPECT_TRUE(calls.accept(original(1'000'000 - AcceptedCalls::kSeen + 1))) << "no call of the ones before is known";
}

}  // namespace
}  // namespace muster::proto::test
