// The cost of a heal: only what changed during the split crosses the wire, not the tables, and watchers get nothing
// else.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "proto/codec.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

constexpr WatchId kAll{1};
constexpr std::uint64_t kPerGroup = 500;
constexpr Duration kShort = std::chrono::milliseconds(400);  // no node is suspect yet
constexpr Duration kLong = std::chrono::seconds(8);          // all are declared down
const std::vector<std::string> kNodes = {"a", "b", "c"};

Group group(std::uint64_t number) {
    return {"store-" + std::to_string(number % 50), "feature-" + std::to_string(number / 50)};
}

/// Nodes a and b on one side, c on the other; counts the bytes that cross.
class Halves {
public:
    explicit Halves(std::uint64_t members) : groups_(members / kNodes.size() / kPerGroup) {
        net.check_every_step = false;
        net.start("a");
        net.start("b", "a");
        net.start("c", "a");
        net.run(std::chrono::milliseconds(600));
        for (const auto& node : kNodes)
            for (std::uint64_t i = 0; i < groups_; ++i) fill(node, group(i));
        net.drop = [this](const std::string& to, const proto::Message& message) {
            const std::string& from = message.header.origin;
            if ((to == "d") != (from == "d")) newcomer += proto::encode(message).size();
            if ((to == "c") == (from == "c")) return false;
            if (!split) crossed += proto::encode(message).size();
            return split;
        };
    }

    /// Members in many runs, as after some time in any cluster.
    void fill(const std::string& node, const Group& where) {
        const auto joined = std::get<proto::JoinReply>(net.join(node, kMe, where, 2 * kPerGroup));
        std::vector<MemberNumber> odd;
        for (std::uint64_t i = 1; i < 2 * kPerGroup; i += 2) odd.push_back(joined.members.at(0).first.plus(i));
        net.call(node, LocalLeave{CallId{1u << 30}, kMe, where, odd, 0});
    }

    /// Makes `changes` joins and leaves, each in a call of its own.
    void change(const std::string& node, std::uint64_t changes) {
        for (std::uint64_t i = 0; i < changes; ++i) {
            const Group where = group(i * 7 % groups_);
            i % 2 == 0 ? net.join(node, kMe, where) : net.leave(node, kMe, group((i * 7 + 3) % groups_));
        }
    }

    bool equal(const std::vector<std::string>& nodes) {
        for (const auto& at : nodes)
            for (const auto& of : nodes)
                if (net.core(at).applied(of) != net.core(of).applied(of)) return false;
        for (const auto& at : nodes)
            if (net.core(at).groups() != net.core(nodes[0]).groups()) return false;
        return true;
    }

    /// The bytes that cross until all tables are equal.
    std::size_t heal() {
        split = false;
        crossed = 0;
        for (int i = 0; i < 2000 && !equal(kNodes); ++i) net.run(std::chrono::milliseconds(10));
        EXPECT_TRUE(equal(kNodes));
        return crossed;
    }

    /// The bytes with which a new node learns all tables.
    std::size_t full_sync() {
        net.start("d", "a");
        for (int i = 0; i < 2000 && !net.core("d").is_ready(); ++i) net.run(std::chrono::milliseconds(10));
        EXPECT_TRUE(equal({"a", "b", "c", "d"}));
        return newcomer;
    }

    std::set<std::string> members_of_c() {
        std::set<std::string> ids;
        for (const auto& info : net.core("c").groups())
            for (const auto& member : net.core("c").members(info.group, true)) ids.insert(to_string(member.id));
        return ids;
    }

    Net net;
    bool split = false;
    std::size_t crossed = 0;
    std::size_t newcomer = 0;

private:
    std::uint64_t groups_;
};

/// Splits, makes `changes` changes on both sides, and heals.
std::size_t bytes_of_heal(Halves& halves, std::uint64_t changes, Duration duration) {
    halves.split = true;
    halves.change("a", changes);
    halves.change("c", changes);
    halves.net.run(duration);
    return halves.heal();
}

TEST(Heal, CostsAFractionOfAFullSync) {
    for (const Duration duration : {kShort, kLong}) {
        Halves halves(100'000);
        const std::size_t healed = bytes_of_heal(halves, 100, duration);
        const std::size_t full = halves.full_sync();
        std::printf(
            "100,000 members, 100 changes on both sides, split for %ld ms: heal %zu bytes, full sync %zu (%.2f %%)\n",
            static_cast<long>(duration.count() / 1000), healed, full,
            100.0 * static_cast<double>(healed) / static_cast<double>(full));
        EXPECT_LT(healed * 20, full);
    }
}

TEST(Heal, CostDependsOnTheChangesAndNotOnTheTables) {
    Halves small(100'000);
    Halves large(1'000'000);
    const std::size_t in_small = bytes_of_heal(small, 100, kLong);
    const std::size_t in_large = bytes_of_heal(large, 100, kLong);
    const std::size_t much = bytes_of_heal(large, 1000, kLong);
    std::printf(
        "heal of 100 changes on both sides: %zu bytes of 100,000 members, %zu of 1,000,000; of 1,000 changes: %zu\n",
        in_small, in_large, much);
    EXPECT_LT(in_large, in_small * 3 / 2);
    EXPECT_LT(much, in_large * 11);
    EXPECT_GT(much, in_large * 3);
}

TEST(Heal, AfterAShortSplitReportsOnlyTheChanges) {
    Halves halves(100'000);
    halves.net.call("a", LocalWatch{kAll, {}});
    const auto before = halves.members_of_c();
    halves.split = true;
    halves.change("c", 100);
    halves.net.run(kShort);
    halves.net.watch_events.clear();
    halves.heal();
    auto view = before;
    for (const auto& seen : halves.net.watch_events) {
        ASSERT_EQ(seen.event.groups.size(), 1u);
        ASSERT_EQ(seen.event.groups[0].members.size(), 1u);
        const auto id = to_string(seen.event.groups[0].members[0].id);
        EXPECT_TRUE(seen.event.kind == WatchEvent::Kind::join ? view.insert(id).second : view.erase(id) == 1) << id;
        EXPECT_EQ(seen.event.reason, Reason::left);
    }
    EXPECT_EQ(halves.net.watch_events.size(), 100u);
    EXPECT_EQ(view, halves.members_of_c());
}

TEST(Heal, AfterALongSplitBringsBackNoMemberThatLeft) {
    Halves halves(100'000);
    halves.net.call("a", LocalWatch{kAll, {}});
    const auto before = halves.members_of_c();
    halves.net.watch_events.clear();
    halves.split = true;
    halves.change("c", 100);
    halves.net.run(kLong);
    halves.heal();
    std::set<std::string> gone;
    std::set<std::string> back;
    for (const auto& seen : halves.net.watch_events) {
        for (const auto& members : seen.event.groups) {
            for (const auto& member : members.members) {
                const bool left = seen.event.kind == WatchEvent::Kind::leave;
                EXPECT_TRUE(!left || seen.event.reason == Reason::node_down);
                EXPECT_TRUE((left ? gone : back).insert(to_string(member.id)).second) << "twice";
            }
        }
    }
    EXPECT_EQ(gone, before);
    EXPECT_EQ(back, halves.members_of_c());
    EXPECT_NE(gone, back);
}

}  // namespace
}  // namespace muster::cluster::test
