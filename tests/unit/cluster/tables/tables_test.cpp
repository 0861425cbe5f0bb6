// The parts that tables are made of, each compared with a simple model of it under random operations.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "cluster/base/random.hpp"
#include "cluster/tables/delta_log.hpp"
#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/member_list.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster::test {
namespace {

TEST(FlatIndex, FindsExactlyWhatWasInserted) {
    Random random(1);
    FlatIndex index;
    std::map<std::uint32_t, std::uint64_t> model;  // number -> hash
    for (int i = 0; i < 20000; ++i) {
        const auto value = static_cast<std::uint32_t>(random.below(600));
        const auto known = model.find(value);
        if (known == model.end()) {
            // Few distinct hashes, all near the end of the table: long probes, which wrap around.
            const std::uint64_t hash = (UINT64_MAX << 35) + (random.below(8) << 32);
            index.insert(hash, value);
            model.emplace(value, hash);
        } else {
            index.erase(known->second, value);
            model.erase(known);
        }
        ASSERT_EQ(index.size(), model.size());
        const auto asked = static_cast<std::uint32_t>(random.below(600));
        const auto there = model.find(asked);
        const auto hash = there == model.end() ? UINT64_MAX << 35 : there->second;
        const auto found = index.find(hash, [&](std::uint32_t each) { return each == asked; });
        ASSERT_EQ(found, there == model.end() ? FlatIndex::kNone : asked);
    }
}

TEST(Slab, UsesErasedNumbersAgain) {
    Slab<std::string> slots;
    const auto a = slots.create();
    slots[a] = "a";
    const auto b = slots.create();
    slots.erase(a);
    EXPECT_EQ(slots.create(), a);
    EXPECT_EQ(slots[a], "");
    EXPECT_NE(a, b);
}

using Model = std::map<std::uint64_t, OwnerRef>;
using OneRun = cluster::Run;  // inside a TEST, Run is a member of testing::Test

Model numbers_of(const MemberList& list) {
    Model numbers;
    list.for_each_run([&](const Run& run) {
        for (std::uint32_t i = 0; i < run.count; ++i) numbers.emplace(run.first.value + i, run.tag);
    });
    return numbers;
}

/// Joins new numbers at the end and removes numbers anywhere, as an origin does. Every tenth time repeats an old join.
void join_and_leave(Random& random, MemberList& list, Model& model, std::uint64_t& last) {
    const auto owner = static_cast<OwnerRef>(random.below(3));
    const auto count = static_cast<std::uint32_t>(1 + random.below(4));
    const bool repeats = random.below(10) == 0 && last > 10;
    const std::uint64_t first = repeats ? last - random.below(10) : last + 1 + random.below(3);
    std::uint64_t added = 0;
    list.add({MemberNumber{first}, count, owner}, [&](const Run& run) { added += run.count; });
    for (std::uint64_t n = first; n < first + count; ++n) added -= model.emplace(n, owner).second ? 1 : 0;
    ASSERT_EQ(added, 0u);
    last = std::max(last, first + count - 1);
    if (random.below(3) == 0) return;
    const std::uint64_t from = 1 + random.below(last);
    const std::uint64_t to = from + random.below(8);
    list.remove(MemberNumber{from}, MemberNumber{to}, [&](const Run& run) {
        for (std::uint32_t i = 0; i < run.count; ++i) {
            const auto it = model.find(run.first.value + i);
            ASSERT_TRUE(it != model.end() && it->second == run.tag && it->first >= from && it->first <= to);
            model.erase(it);
        }
    });
    ASSERT_TRUE(model.lower_bound(from) == model.upper_bound(to));
}

TEST(MemberList, IsASetOfNumbersWithTags) {
    Random random(2);
    MemberList list;
    Model model;
    std::uint64_t last = 0;
    for (int i = 0; i < 30000; ++i) {
        ASSERT_NO_FATAL_FAILURE(join_and_leave(random, list, model, last));
        ASSERT_EQ(list.size(), model.size());
        if (model.empty()) continue;
        ASSERT_EQ(list.newest().value, model.rbegin()->first);
        const std::uint64_t asked = 1 + random.below(last);
        const OneRun run = list.find(MemberNumber{asked});
        ASSERT_EQ(run.count > 0, model.contains(asked));
        ASSERT_TRUE(run.count == 0 || (run.first.value <= asked && asked <= run.last().value));
        if (i % 1000 != 0) continue;
        list.check();
        ASSERT_EQ(numbers_of(list), model);
        const auto latest = list.latest(17);
        ASSERT_EQ(latest.size(), std::min<std::size_t>(17, model.size()));
        auto expected = model.rbegin();
        for (auto number = latest.rbegin(); number != latest.rend(); ++number, ++expected)
            ASSERT_EQ(number->value, expected->first);
    }
    ASSERT_GT(model.size(), 2000u) << "the list must have more than one block";
    list.remove(MemberNumber{1}, MemberNumber{last}, [](const OneRun&) {});
    EXPECT_TRUE(list.empty());
    list.check();
}

TEST(MemberList, VisitsRunsFromAnyNumberOn) {
    Random random(3);
    MemberList list;
    Model model;
    std::uint64_t last = 0;
    for (int i = 0; i < 3000; ++i) ASSERT_NO_FATAL_FAILURE(join_and_leave(random, list, model, last));
    for (std::uint64_t from = 1; from <= last + 1; ++from) {
        Model seen;
        list.for_each_run_from(MemberNumber{from}, [&](const OneRun& run) {
            for (std::uint32_t i = 0; i < run.count && seen.size() < 20; ++i)
                seen.emplace(run.first.value + i, run.tag);
            return seen.size() < 20;
        });
        Model expected;
        for (auto it = model.lower_bound(from); it != model.end() && expected.size() < 20; ++it) expected.insert(*it);
        ASSERT_EQ(seen, expected);
    }
}

TEST(MemberList, KeepsABatchAsOneRun) {
    MemberList list;
    list.add({MemberNumber{1}, 60000, 0}, [](const OneRun&) {});
    list.add({MemberNumber{60001}, 60000, 0}, [](const OneRun&) {});
    int runs = 0;
    list.for_each_run([&](const OneRun&) { ++runs; });
    EXPECT_EQ(runs, 1);
    const auto cut = runs_of(list, 100);
    ASSERT_EQ(cut.size(), 2u);
    EXPECT_EQ(cut[1].first.value, 65537u);
    EXPECT_EQ(cut[1].count, 120000u - 65536u);
}

class Log : public ::testing::Test {
protected:
    void append(DeltaLog& log, std::uint64_t seq, const std::string& worker, std::size_t most = 1 << 20) {
        log.begin(Seq{seq});
        log.add_change(groups.acquire({"store", std::to_string(seq)}), Reason::worker_down);
        log.add_join({MemberNumber{seq}, 2, owners.acquire(worker, {}, 1)});
        log.add_leave({MemberNumber{seq + 100}, 3});
        log.trim([&](std::size_t bytes) { return bytes <= most; });
    }
    GroupIndex groups{nullptr, 1};
    OwnerTable owners{1};
};

TEST_F(Log, ReturnsWhatWasAppended) {
    DeltaLog log(groups, owners, 100);
    for (std::uint64_t seq = 7; seq < 20; ++seq) append(log, seq, "w" + std::to_string(seq % 3));
    EXPECT_TRUE(log.covers(Seq{6}));
    EXPECT_FALSE(log.covers(Seq{5}));
    EXPECT_EQ(log.last(), Seq{19});
    const proto::GroupDelta expected{
        {"store", "9"}, Reason::worker_down, {{MemberNumber{9}, 2, "w0", {}}}, {{MemberNumber{109}, 3}}};
    EXPECT_EQ(log.at(Seq{9}), proto::Delta{{expected}});
}

TEST_F(Log, DropsTheOldestBeyondItsBoundsAndReleasesTheirNames) {
    DeltaLog log(groups, owners, 10);
    for (std::uint64_t seq = 1; seq <= 50; ++seq) append(log, seq, "w" + std::to_string(seq));
    EXPECT_EQ(log.size(), 10u);
    EXPECT_EQ(log.at(Seq{41}).changes[0].joins[0].worker, "w41");
    EXPECT_EQ(groups.find({"store", "40"}), kNoGroup);
    EXPECT_NE(groups.find({"store", "41"}), kNoGroup);

    DeltaLog light(groups, owners, 100);
    append(light, 10, "w");
    const std::size_t one = light.bytes();
    EXPECT_GT(one, 500u) << "names count as if nothing else used them";
    for (std::uint64_t seq = 11; seq <= 50; ++seq) append(light, seq, "w", 3 * one);
    EXPECT_EQ(light.size(), 3u);
    log.clear();
    light.clear();
    EXPECT_EQ(groups.find({"store", "50"}), kNoGroup);
}

}  // namespace
}  // namespace muster::cluster::test
