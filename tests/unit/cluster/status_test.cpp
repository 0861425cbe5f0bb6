// What it costs to ask a core for its state.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

constexpr std::size_t kGroups = 200'000;

/// A core with so many groups. Each handler has a part of them, because an owner may be in 65,536.
void fill(Net& net, std::size_t groups) {
    net.start("a");
    net.run(std::chrono::seconds(1));
    Actions actions;
    for (std::size_t i = 0; i < groups; ++i) {
        LocalJoin join;
        join.handler = HandlerId{1 + i / 10'000};
        join.group = {"store", "feature-" + std::to_string(i)};
        ASSERT_TRUE(net.core("a").join(net.now, join, actions).ok());
        actions.clear();
    }
}

/// The shortest of several calls.
template <class Call>
std::chrono::nanoseconds time_of(Call call) {
    auto least = std::chrono::nanoseconds::max();
    for (int i = 0; i < 20; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        call();
        least = std::min<std::chrono::nanoseconds>(least, std::chrono::steady_clock::now() - begin);
    }
    return least;
}

TEST(StatusCost, DoesNotGrowWithGroups) {
    Net small;
    fill(small, 1);
    Net large;
    fill(large, kGroups);
    EXPECT_EQ(large.core("a").status().groups, kGroups);
    EXPECT_EQ(large.core("a").status().members, kGroups);
    const auto least = time_of([&] { (void)small.core("a").status(); });
    const auto most = time_of([&] { (void)large.core("a").status(); });
    // A walk takes a thousand times as long.
    EXPECT_LT(most, 20 * least) << most.count() << " ns and " << least.count() << " ns";
}

TEST(StatusCost, APartOfALargeGroupCopiesOnlyItself) {
    Net net;
    net.start("a");
    net.start("b", "a");
    net.run(std::chrono::seconds(3));
    for (const char* node : {"a", "b"})
        for (std::size_t i = 0; i < 3; ++i)
            (void)net.join(node, HandlerId{1 + i}, kOrders, 100, {{"i", std::to_string(i)}});
    net.run(std::chrono::seconds(1));
    const Core& core = net.core("b");
    const auto all = core.members(kOrders, false);
    ASSERT_EQ(all.size(), 600u);
    for (std::uint64_t from = 0; from < 700; from += 70) {
        const auto part = core.members_part(kOrders, from, 130);
        EXPECT_EQ(part.total, 600u);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(from, 600));
        const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(from + 130, 600));
        EXPECT_EQ(part.members, (std::vector<Member>(begin, end))) << from;
    }
    EXPECT_EQ(core.members_part({"no", "group"}, 0, 10).total, 0u);
}

TEST(StatusCost, TotalsFollowEveryChange) {
    Net net;
    net.start("a");
    net.start("b", "a");
    net.run(std::chrono::seconds(3));
    const auto totals = [&](const char* node) {
        net.core(node).check();
        const auto status = net.core(node).status();
        return std::pair(status.groups, status.members);
    };
    const Group both{"both", "x"};
    const Group other{"other", "x"};
    (void)net.join("a", kMe, both, 2);
    (void)net.join("b", kMe, both, 3);
    (void)net.join("b", kMe, other, 4);
    net.run(std::chrono::seconds(1));
    for (const char* node : {"a", "b"}) EXPECT_EQ(totals(node), std::pair(std::uint64_t{2}, std::uint64_t{9}));
    (void)net.leave("b", kMe, other, 4);
    net.run(std::chrono::seconds(1));
    for (const char* node : {"a", "b"}) EXPECT_EQ(totals(node), std::pair(std::uint64_t{1}, std::uint64_t{5}));
    net.kill("b");
    net.run(std::chrono::seconds(5));
    EXPECT_EQ(totals("a"), std::pair(std::uint64_t{1}, std::uint64_t{2}));
    (void)net.leave("a", kMe, both, 2);
    EXPECT_EQ(totals("a"), std::pair(std::uint64_t{0}, std::uint64_t{0}));
}

}  // namespace
}  // namespace muster::cluster::test
