#include "node/handlers/own_members.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace muster::node {
namespace {

using cluster::HandlerId;
using cluster::kAnyHandler;
using Numbers = std::vector<MemberNumber>;
using Handlers = std::vector<HandlerId>;

const Group kGroup{"orders", "streams"};

Numbers numbers(std::initializer_list<std::uint64_t> values) {
    Numbers all;
    for (const auto value : values) all.emplace_back(value);
    return all;
}

TEST(OwnMembers, TakesTheLatestAcrossHandlers) {
    OwnMembers own;
    own.add(kGroup, HandlerId{1}, {MemberNumber{1}, 2});
    own.add(kGroup, HandlerId{2}, {MemberNumber{3}, 1});
    auto taken = own.take(kGroup, std::uint64_t{2});
    EXPECT_EQ(taken.members, numbers({2, 3}));
    EXPECT_EQ(taken.owner, kAnyHandler);
    EXPECT_EQ(taken.ended, Handlers{HandlerId{2}});
    taken = own.take(kGroup, std::uint64_t{1});
    EXPECT_EQ(taken.members, numbers({1}));
    EXPECT_EQ(taken.owner, HandlerId{1});
    EXPECT_EQ(taken.ended, Handlers{HandlerId{1}});
}

TEST(OwnMembers, TakesFewerWhenThereAreFewer) {
    OwnMembers own;
    EXPECT_TRUE(own.take(kGroup, std::uint64_t{1}).members.empty());
    own.add(kGroup, HandlerId{1}, {MemberNumber{1}, 3});
    EXPECT_EQ(own.take(kGroup, std::uint64_t{100}).members, numbers({1, 2, 3}));
    EXPECT_TRUE(own.take(kGroup, std::uint64_t{1}).members.empty());
}

TEST(OwnMembers, TakesGivenMembersOnce) {
    OwnMembers own;
    own.add(kGroup, HandlerId{1}, {MemberNumber{1}, 3});
    own.add({"other", "group"}, HandlerId{2}, {MemberNumber{4}, 1});
    const auto taken = own.take(kGroup, numbers({3, 1, 3, 4, 9, 0}));
    EXPECT_EQ(taken.members, numbers({1, 3}));
    EXPECT_EQ(taken.owner, HandlerId{1});
    EXPECT_TRUE(taken.ended.empty());
    EXPECT_TRUE(own.take(kGroup, numbers({3})).members.empty());
    EXPECT_EQ(own.take(kGroup, numbers({2})).ended, Handlers{HandlerId{1}});
}

TEST(OwnMembers, TheLatestIsNeverOneThatHasLeft) {
    OwnMembers own;
    own.add(kGroup, HandlerId{1}, {MemberNumber{1}, 5});
    own.take(kGroup, numbers({4, 2}));
    EXPECT_EQ(own.take(kGroup, std::uint64_t{1}).members, numbers({5}));
    EXPECT_EQ(own.take(kGroup, std::uint64_t{2}).members, numbers({1, 3}));
    EXPECT_TRUE(own.take(kGroup, std::uint64_t{1}).members.empty());
}

TEST(OwnMembers, AJoinMayBeAddedAfterALaterOne) {
    OwnMembers own;
    own.add(kGroup, HandlerId{2}, {MemberNumber{4}, 1});
    own.add(kGroup, HandlerId{1}, {MemberNumber{1}, 3});
    EXPECT_EQ(own.take(kGroup, numbers({3})).owner, HandlerId{1});
    EXPECT_EQ(own.take(kGroup, std::uint64_t{1}).owner, HandlerId{2});
}

/// Compares random calls with a plain list.
TEST(OwnMembers, AgreesWithASimpleList) {
    OwnMembers own;
    Numbers standing;
    std::uint64_t last = 0;
    std::uint64_t state = 1;
    const auto draw = [&](std::uint64_t below) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % below;
    };
    for (int i = 0; i < 20000; ++i) {
        if (draw(2) == 0) {
            const std::uint64_t count = 1 + draw(4);
            own.add(kGroup, HandlerId{last + 1}, {MemberNumber{last + 1}, count});
            for (std::uint64_t n = 0; n < count; ++n) standing.emplace_back(++last);
        } else if (draw(2) == 0) {
            const std::size_t count = std::min(standing.size(), static_cast<std::size_t>(1 + draw(4)));
            const Numbers expected(standing.end() - static_cast<std::ptrdiff_t>(count), standing.end());
            ASSERT_EQ(own.take(kGroup, std::uint64_t{count}).members, count == 0 ? Numbers{} : expected);
            standing.resize(standing.size() - count);
        } else if (!standing.empty()) {
            const auto at = standing.begin() + static_cast<std::ptrdiff_t>(draw(standing.size()));
            ASSERT_EQ(own.take(kGroup, Numbers{*at}).members, Numbers{*at});
            standing.erase(at);
        }
    }
    EXPECT_EQ(own.take(kGroup, std::uint64_t{1} << 40).members, standing);
}

}  // namespace
}  // namespace muster::node
