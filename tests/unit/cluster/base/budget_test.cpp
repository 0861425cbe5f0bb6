#include "cluster/base/budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cluster/options.hpp"

namespace muster::cluster::test {
namespace {

/// Draws one by one until there is no room. Returns what the account has then.
std::size_t fill(Budget& budget, Budget::Account& account) {
    while (budget.has_room(account, 1)) budget.draw(account, 1);
    return account.used();
}

TEST(Bounds, ABoundOfMemoryBoundsAllThatACoreKeeps) {
    for (std::size_t bytes = std::size_t{64} << 20; bytes <= std::size_t{1} << 30; bytes *= 2) {
        Bounds bounds;
        bounds.bound_memory(bytes);
        EXPECT_EQ(bounds.memory, bytes);
        const auto most = bounds.memory + 2 * (bounds.all_table_bytes + bounds.all_log_bytes + bounds.all_early_bytes);
        EXPECT_LE(most, 2 * bytes);  // 1 + 2/3 + 1/4 + 1/16
    }
    Bounds ample;
    ample.bound_memory(SIZE_MAX);
    EXPECT_EQ(ample.all_table_bytes, Bounds{}.all_table_bytes);
}

TEST(Budget, OneAloneGetsHalf) {
    Budget budget(1000);
    Budget::Account one;
    EXPECT_EQ(fill(budget, one), 500u);
    EXPECT_FALSE(budget.has_room(one, 1));
}

TEST(Budget, WhoComesNextGetsHalfOfTheRest) {
    Budget budget(1'000'000);
    std::vector<Budget::Account> greedy(8);
    for (int round = 0; round < 3; ++round)
        for (auto& one : greedy) fill(budget, one);
    EXPECT_EQ(greedy[1].used(), 250'000u);
    Budget::Account next;
    EXPECT_GE(fill(budget, next), 1'000'000u >> 9);
}

TEST(Budget, SharesBecomeEqualWhereThingsComeAndGo) {
    Budget budget(3000);
    std::vector<Budget::Account> two(2);
    for (int round = 0; round < 5000; ++round) {
        for (auto& one : two) fill(budget, one);
        for (auto& one : two) budget.give_back(one, std::min<std::size_t>(one.used(), 3));
    }
    for (auto& one : two) EXPECT_NEAR(static_cast<double>(one.used()), 1000, 50);
}

TEST(Budget, WhatIsGivenBackIsThereForOthers) {
    Budget budget(1000);
    Budget::Account one;
    Budget::Account other;
    fill(budget, one);
    const std::size_t before = fill(budget, other);
    budget.give_back(one, one.used());
    EXPECT_GT(fill(budget, other), before);
}

TEST(Budget, AHugeAmountHasNoRoom) {
    Budget budget(1000);
    Budget::Account one;
    EXPECT_FALSE(budget.has_room(one, SIZE_MAX));
    budget.draw(one, 2000);  // by somebody who could not do without
    EXPECT_FALSE(budget.has_room(one, 0));
    Budget::Account other;
    EXPECT_FALSE(budget.has_room(other, 1));
}

TEST(Drawn, GivesBackAtItsEndAndOnlyOnce) {
    Budget budget(1000);
    const auto account = std::make_shared<Budget::Account>();
    {
        Drawn one(budget, account);
        one += 300;
        Drawn moved = std::move(one);
        moved += 10;
        Drawn fresh = moved.fresh();
        fresh += 5;
        EXPECT_EQ(budget.used(), 315u);
        moved = std::move(fresh);
        EXPECT_EQ(moved.amount(), 5u);
    }
    EXPECT_EQ(budget.used(), 0u);
    EXPECT_EQ(account->used(), 0u);
}

TEST(Shares, OneKeyHasOneShareForAsLongAsItIsUsed) {
    Shares shares;
    const auto one = shares.of("worker a");
    EXPECT_EQ(shares.of("worker a"), one);
    EXPECT_NE(shares.of("worker b"), one);
    for (int i = 0; i < 10'000; ++i) shares.of("worker " + std::to_string(i));
    EXPECT_LT(shares.by_name.size(), 1000u) << "names that nobody uses";
    EXPECT_EQ(shares.of("worker a"), one);
}

}  // namespace
}  // namespace muster::cluster::test
