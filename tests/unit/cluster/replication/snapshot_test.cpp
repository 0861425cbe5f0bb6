// Snapshots that are cut while the table changes.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/replication/snapshot.hpp"

namespace muster::cluster::test {
namespace {

const NodeId kOrigin{"a", Incarnation{1}};

/// An origin's table that changes at random, with its deltas.
struct Origin {
    explicit Origin(std::uint64_t seed) : random(seed) {}

    void change() {
        const Group group{"store", std::to_string(random.below(12))};
        proto::Delta delta;
        auto& change = delta.changes.emplace_back();
        change.group = group;
        if (last == 0 || random.below(100) < 55) {
            const std::uint64_t count = 1 + random.below(5);
            change.joins.push_back({MemberNumber{last + 1}, count, "w" + std::to_string(random.below(3)), {}});
            homes.insert(homes.end(), count, group);
            last += count;
        } else {
            const std::uint64_t number = 1 + random.below(last);
            change.group = homes[number - 1];
            change.leaves.push_back({MemberNumber{number}, 1 + random.below(2)});
        }
        GroupUpdates none;
        table.apply(delta, none);
        deltas.push_back(std::move(delta));
    }

    Random random;
    GroupIndex index{nullptr, 1};
    Bounds bounds;
    Replica::Total total;
    Replica table{kOrigin, {index, bounds, 1, total}};
    std::vector<proto::Delta> deltas;  // beginning with delta 1
    std::vector<Group> homes;          // of each member, beginning with member 1
    std::uint64_t last = 0;
};

std::unique_ptr<Replica> empty_table(GroupIndex& index) {
    static const Bounds kBounds;
    static Replica::Total total;
    return std::make_unique<Replica>(kOrigin, Replica::Setup{index, kBounds, 2, total});
}

TEST(Snapshot, WithAllDeltasSinceItsFirstChunkGivesTheTableOfItsLastChunk) {
    std::size_t most_chunks = 0;
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Origin origin(seed);
        for (std::uint64_t i = origin.random.below(200); i > 0; --i) origin.change();
        GroupIndex index{nullptr, 3};
        SnapshotSender sender(origin.table, 1 + origin.random.below(600));
        SnapshotReceiver receiver("a", origin.table.applied(), empty_table(index));
        while (!receiver.is_complete()) {
            const auto chunk = sender.next(origin.table);
            ASSERT_TRUE(chunk);
            ASSERT_TRUE(receiver.take(*chunk, origin.table.applied(), "a"));
            sender.acked({kOrigin, receiver.as_of(), receiver.next()});
            for (std::uint64_t i = origin.random.below(4); i > 0; --i) origin.change();
        }
        EXPECT_TRUE(sender.is_done());
        most_chunks = std::max<std::size_t>(most_chunks, receiver.next());
        Replica& copy = receiver.table();
        GroupUpdates none;
        while (!receiver.is_caught_up()) copy.apply(origin.deltas[copy.applied().value], none);
        copy.check();
        EXPECT_EQ(copy.digest(), receiver.digest()) << "seed " << seed;
        while (copy.applied() < origin.table.applied()) copy.apply(origin.deltas[copy.applied().value], none);
        EXPECT_EQ(copy.digest(), origin.table.digest()) << "seed " << seed;
        EXPECT_EQ(copy.member_count(), origin.table.member_count());
    }
    EXPECT_GT(most_chunks, 10u);
}

TEST(Snapshot, OfAnEmptyTableIsOneChunk) {
    Origin origin(1);
    SnapshotSender sender(origin.table, 100);
    const auto chunk = sender.next(origin.table);
    ASSERT_TRUE(chunk);
    EXPECT_EQ(chunk->count, 1u);
    EXPECT_TRUE(chunk->groups.empty());
    EXPECT_FALSE(sender.next(origin.table));
}

TEST(Snapshot, TakesOnlyTheNextChunkOfOneSender) {
    Origin origin(2);
    for (int i = 0; i < 100; ++i) origin.change();
    SnapshotSender sender(origin.table, 50);
    GroupIndex index{nullptr, 3};
    SnapshotReceiver receiver("a", origin.table.applied(), empty_table(index));
    const auto first = sender.next(origin.table);
    const auto second = sender.next(origin.table);
    EXPECT_FALSE(receiver.take(*second, second->as_of, "a"));
    EXPECT_FALSE(receiver.take(*first, first->as_of, "b"));
    EXPECT_FALSE(receiver.take(*first, Seq{first->as_of.value - 1}, "a"));
    EXPECT_TRUE(receiver.take(*first, first->as_of, "a"));
    EXPECT_FALSE(receiver.take(*first, first->as_of, "a"));
    EXPECT_TRUE(receiver.take(*second, second->as_of, "a"));
    auto wrong_count = *sender.next(origin.table);
    wrong_count.count = 7;
    EXPECT_FALSE(receiver.take(wrong_count, wrong_count.as_of, "a"));
}

TEST(Snapshot, HasAtMostAWindowOfUnacknowledgedChunks) {
    Origin origin(3);
    for (int i = 0; i < 200; ++i) origin.change();
    SnapshotSender sender(origin.table, 1);
    for (std::uint64_t i = 0; i < SnapshotSender::kWindow; ++i) EXPECT_TRUE(sender.next(origin.table));
    EXPECT_FALSE(sender.next(origin.table));
    sender.acked({kOrigin, origin.table.applied(), 99});  // never sent
    EXPECT_FALSE(sender.next(origin.table));
    sender.acked({kOrigin, origin.table.applied(), 1});
    EXPECT_TRUE(sender.next(origin.table));
    EXPECT_FALSE(sender.next(origin.table));
}

/// Applies the updates to what a watcher has.
using View = std::map<std::pair<Group, MemberId>, std::string>;
void apply(std::vector<GroupUpdate> updates, View& view) {
    for (const auto& update : updates) {
        const WatchEvent event = update.event->whole();
        const auto& part = event.groups.at(0);
        for (const auto& member : part.members) {
            if (event.kind == WatchEvent::Kind::join)
                EXPECT_TRUE(view.emplace(std::pair{part.group, member.id}, member.worker).second);
            else
                EXPECT_EQ(view.erase({part.group, member.id}), 1u);
        }
    }
}

TEST(Snapshot, IsReportedToWatchersAsTheDifferenceOnly) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        Origin origin(seed);
        Origin other(seed < 50 ? seed : seed + 1);  // an earlier position of the same table, or another table
        for (int i = 0; i < 100; ++i) origin.change();
        for (int i = 0; i < 60; ++i) other.change();
        GroupIndex index{nullptr, 3};
        index.add_watcher(kNoGroup);
        std::shared_ptr<Replica> before = empty_table(index);
        auto after = empty_table(index);
        GroupUpdates updates;
        for (const auto& delta : other.deltas) before->apply(delta, updates);
        for (const auto& delta : origin.deltas) after->apply(delta, updates);
        EXPECT_TRUE(updates.take().empty()) << "nobody sees the tables yet";
        View view;
        View expected;
        before->show();
        before->settle(UINT64_MAX, updates);
        apply(updates.take(), view);
        const std::uint64_t shown = before->visible_members();
        std::size_t changed = 0;
        after->replace(before);
        EXPECT_EQ(after->visible_members(), shown);
        while (!after->is_settled()) {  // one group each time
            EXPECT_GE(after->settle(1, updates), 1u);
            const auto difference = updates.take();
            for (const auto& update : difference) changed += update.event->groups[0].size();
            apply(difference, view);
            EXPECT_EQ(after->visible_members(), view.size());
            after->check();
        }
        EXPECT_EQ(after->take_replaced(), before);
        EXPECT_TRUE(!before->is_shown() && before->is_settled() && after->is_fully_shown());
        after->hide(Reason::left);
        after->settle(UINT64_MAX, updates);
        updates.take();
        after->show();
        after->settle(UINT64_MAX, updates);
        apply(updates.take(), expected);
        EXPECT_EQ(view, expected) << "seed " << seed;
        EXPECT_TRUE(seed >= 50 || changed <= 40u * 5) << "no more members than the deltas in between changed";
    }
}

}  // namespace
}  // namespace muster::cluster::test
