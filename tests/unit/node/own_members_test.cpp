#include "node/own_members.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

using cluster::HandlerId;
using Numbers = std::vector<MemberNumber>;

const Group kGroup{"orders", "streams"};

Numbers numbers(std::initializer_list<std::uint64_t> values) {
    Numbers all;
    for (const auto value : values) all.emplace_back(value);
    return all;
}

TEST(OwnMembers, TakesTheLatestAcrossHandlers) {
    OwnMembers own;
    own.add(kGroup, HandlerId{1}, {{MemberNumber{1}, 2}});
    own.add(kGroup, HandlerId{2}, {{MemberNumber{3}, 1}});
    const auto taken = own.take_latest(kGroup, 2);
    ASSERT_EQ(taken.size(), 2u);
    EXPECT_EQ(taken[0].handler, HandlerId{1});
    EXPECT_EQ(taken[0].members, numbers({2}));
    EXPECT_FALSE(taken[0].last);
    EXPECT_EQ(taken[1].handler, HandlerId{2});
    EXPECT_EQ(taken[1].members, numbers({3}));
    EXPECT_TRUE(taken[1].last);
}

TEST(OwnMembers, TakesFewerWhenThereAreFewer) {
    OwnMembers own;
    EXPECT_TRUE(own.take_latest(kGroup, 1).empty());
    own.add(kGroup, HandlerId{1}, {{MemberNumber{1}, 3}});
    const auto taken = own.take_latest(kGroup, 100);
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].members, numbers({1, 2, 3}));
    EXPECT_TRUE(own.take_latest(kGroup, 1).empty());
}

TEST(OwnMembers, TakesTheGivenOnesOnce) {
    OwnMembers own;
    own.add(kGroup, HandlerId{1}, {{MemberNumber{1}, 3}});
    own.add({"other", "group"}, HandlerId{2}, {{MemberNumber{4}, 1}});
    const auto taken = own.take(kGroup, numbers({3, 1, 3, 4, 9}));
    ASSERT_EQ(taken.size(), 1u);
    EXPECT_EQ(taken[0].members, numbers({1, 3}));
    EXPECT_FALSE(taken[0].last);
    EXPECT_TRUE(own.take(kGroup, numbers({3})).empty());
    EXPECT_TRUE(own.take(kGroup, numbers({2}))[0].last);
}

}  // namespace
}  // namespace muster::node
