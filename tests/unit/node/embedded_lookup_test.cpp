// Lookups at a node in this process, while its groups change.
#include <gtest/gtest.h>
#include <muster/node.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/node/nodes.hpp"
#include "tests/unit/node/support.hpp"

namespace muster {
namespace {

using test::kGroup;
using test::many;
using test::options;
using test::start;

std::uint64_t last_of(const Members& members) {
    return members.empty() ? 0 : members.back().id.number.value;
}

TEST(Lookup, AllThreadsShareAViewWhileNothingChanges) {
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup, {}).ok());
    const Members here = *node->members(kGroup);
    std::thread([&] { EXPECT_EQ(node->members(kGroup)->data(), here.data()); }).join();
    ASSERT_TRUE(node->join({"orders", "snapshots"}, {}).ok());
    EXPECT_EQ(node->members(kGroup)->data(), here.data()) << "another group has changed";
    ASSERT_TRUE(node->leave(kGroup).ok());
    EXPECT_TRUE(node->members(kGroup)->empty());
    EXPECT_EQ(here.size(), 1u);
}

TEST(Lookup, NodesOfOneProcessShareNothing) {
    auto a = start(options("a"));
    const auto b = start(options("b", {}, "elsewhere"));
    ASSERT_TRUE(a->join(kGroup, {}).ok());
    EXPECT_EQ(a->members(kGroup)->size(), 1u);
    EXPECT_TRUE(b->members(kGroup)->empty());
    a.reset();
    const auto next = start(options("a"));  // perhaps where the other one was
    EXPECT_TRUE(next->members(kGroup)->empty());
}

TEST(Lookup, AViewOutlivesItsThreadAndItsNode) {
    auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup, {}, many(3)).ok());
    Members elsewhere;
    std::thread([&] { elsewhere = *node->members(kGroup); }).join();
    Members here = *node->members(kGroup);
    node->close();
    EXPECT_EQ(node->members(kGroup).error().code, ErrorCode::closed);
    node.reset();
    EXPECT_EQ(elsewhere.size(), 3u);
    EXPECT_EQ(here, elsewhere);
    std::thread([members = std::move(here)] { EXPECT_EQ(members.size(), 3u); }).join();
}

TEST(Lookup, FindsEachOfManyGroups) {
    const auto node = start(options("a"));
    const auto group = [](std::size_t i) { return Group{"store", std::to_string(i)}; };
    constexpr std::size_t kGroups = 3000;  // far more than a thread remembers
    for (std::size_t i = 0; i < kGroups; ++i) ASSERT_TRUE(node->join(group(i), {}, many(1 + i % 3)).ok());
    for (int round = 0; round < 3; ++round)
        for (std::size_t i = 0; i < kGroups; ++i) ASSERT_EQ(node->members(group(i))->size(), 1 + i % 3) << i;
}

/// One thread joins and leaves; one member stays. Other threads see the group as it was at some moment and never go
/// back in time. The thread that changes the group sees its changes immediately. Views pass from thread to thread
/// meanwhile.
TEST(Lookup, HoldsWhileTheGroupChanges) {
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup, {}).ok());
    constexpr int kChanges = 2000;
    std::atomic<std::uint64_t> joined = 0;  // the last member that is surely in, or was
    std::atomic<bool> done = false;
    std::mutex mutex;
    Members passed;
    const auto look = [&] {
        std::uint64_t last = 0;
        while (!done) {
            const std::uint64_t least = joined;
            const Members members = *node->members(kGroup);
            ASSERT_FALSE(members.empty());
            ASSERT_LE(members.size(), 2u);
            const bool is_sorted = std::is_sorted(members.begin(), members.end(),
                                                  [](const Member& a, const Member& b) { return a.id < b.id; });
            ASSERT_TRUE(is_sorted);
            if (members.size() == 2) {
                ASSERT_GE(last_of(members), std::max(last, least)) << "a lookup went back";
                last = last_of(members);
            }
            const std::lock_guard lock(mutex);
            passed = members;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) threads.emplace_back(look);
    for (int i = 0; i < kChanges; ++i) {
        const auto made = node->join(kGroup, {});
        ASSERT_TRUE(made.ok());
        joined = made->members.front().number.value;
        ASSERT_EQ(last_of(*node->members(kGroup)), joined);
        ASSERT_TRUE(node->leave(kGroup, made->members).ok());
        ASSERT_EQ(node->members(kGroup)->size(), 1u);
        const std::lock_guard lock(mutex);
        passed = {};
    }
    done = true;
    for (auto& thread : threads) thread.join();
}

TEST(Lookup, HoldsWhileTheNodeIsClosed) {
    for (int round = 0; round < 3; ++round) {
        const auto node = start(options("a"));
        ASSERT_TRUE(node->join(kGroup, {}).ok());
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i)
            threads.emplace_back([&] {
                auto members = node->members(kGroup);
                for (; members; members = node->members(kGroup)) EXPECT_EQ(members->size(), 1u);
                EXPECT_EQ(members.error().code, ErrorCode::closed);
            });
        node->close();
        EXPECT_EQ(node->members(kGroup).error().code, ErrorCode::closed);
        for (auto& thread : threads) thread.join();
    }
}

}  // namespace
}  // namespace muster
