// What one node can make others do and keep through its table and its pulls is bounded.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cluster/base/wire_size.hpp"
#include "cluster/base/work.hpp"
#include "cluster/tables/replica.hpp"
#include "proto/limits.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Group kGroup{"g", "g"};

proto::Delta joins(const std::vector<proto::NumberRun>& runs, const Group& group = kGroup, const Meta& meta = {}) {
    proto::Delta delta;
    auto& change = delta.changes.emplace_back();
    change.group = group;
    for (const auto& run : runs) change.joins.push_back({run.first, run.count, "w", meta});
    return delta;
}

/// Node a, and peers x and y that say what the test wants and read what is sent to them, or do not.
class ShareOfReplication : public ::testing::Test {
protected:
    void start(const std::function<void(Bounds&)>& bounds = {}) {
        net.adjust = [bounds](Options& options) {
            if (bounds) bounds(options.bounds);
        };
        net.on_step = [this](const std::string& node, const Core& core, const Actions& actions) {
            EXPECT_EQ(core.over_bounds(), std::nullopt);
            if (node != "a") return;
            for (const auto& action : actions)
                if (const auto* send = std::get_if<SendPeer>(&action)) sent[send->peer].push_back(send->message);
        };
        net.start("a");
        net.run(milliseconds(600));
        for (const auto& id : {x, y}) {
            proto::PeerRecord record;
            record.id = id;
            record.address = record.control = record.gossip = id.name + ":1";
            net.call("a", MessageArrived{Channel::door, ConnectionId{7}, {}, said_by(id, proto::Hello{record, {}})});
            say(id, proto::Heartbeat{}, 0);
        }
        sent.clear();
    }
    static proto::Message said_by(const NodeId& id, proto::Body body, std::uint64_t seq = 0) {
        return {{"default", id.name, id.incarnation.value, seq}, std::move(body)};
    }
    void say(const NodeId& id, proto::Body body, std::uint64_t seq = 0) {
        net.call("a", MessageArrived{Channel::gossip, {}, {}, said_by(id, std::move(body), seq)});
    }
    /// A step of node a without a tick after it, as within one turn of its loop.
    void within_turn(const NodeId& id, proto::Body body, std::uint64_t seq = 0) {
        step(MessageArrived{Channel::gossip, {}, {}, said_by(id, std::move(body), seq)});
    }
    void step(EventBody body) {
        Actions actions;
        net.core("a").step({net.now, std::move(body)}, actions);
        net.on_step("a", net.core("a"), actions);
    }
    void tick() { step(Tick{}); }
    void publish(const NodeId& id, std::uint64_t first, std::vector<proto::Delta> deltas) {
        const std::uint64_t last = first + deltas.size() - 1;
        say(id, proto::Deltas{id, Seq{first}, std::move(deltas)}, last);
    }
    std::uint64_t counter(const std::string& name) { return net.counter("a", name); }
    std::size_t members_of(const NodeId& id, const Group& group = kGroup) {
        const auto all = net.core("a").members(group, false);
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [&](const Member& member) { return member.id.node == id; }));
    }
    /// The `count`th table of x that has so many groups, each with one member that no earlier table has.
    proto::SnapshotChunk snapshot(std::uint64_t groups, std::uint64_t count) {
        GroupIndex index{nullptr, 1};
        const Bounds bounds;
        Replica::Total total;
        Replica table{x, {index, bounds, 1, total}};
        GroupUpdates none;
        proto::SnapshotChunk chunk{x, Seq{count * 10'000}, 0, 0, 1, {}, groups};
        for (std::uint64_t i = 0; i < groups; ++i) {
            const Group group{"g", std::to_string(i)};
            const MemberNumber number{count * 10'000 + i};
            table.apply(joins({{number, 1}}, group), none);
            chunk.groups.push_back({group, {{number, 1, "w", {}}}});
        }
        chunk.digest = table.digest();
        return chunk;
    }
    void take(const proto::SnapshotChunk& chunk) {
        say(x, proto::Heartbeat{}, chunk.as_of.value);
        say(x, chunk, chunk.as_of.value);
    }
    template <class Body>
    std::size_t count_sent(const NodeId& to) {
        return static_cast<std::size_t>(
            std::count_if(sent[to.name].begin(), sent[to.name].end(),
                          [](const proto::Message& message) { return std::holds_alternative<Body>(message.body); }));
    }
    std::size_t delta_bytes_to(const NodeId& to) {
        std::size_t size = 0;
        for (const auto& message : sent[to.name])
            if (const auto* deltas = std::get_if<proto::Deltas>(&message.body))
                for (const auto& delta : deltas->deltas) size += wire_size(delta);
        return size;
    }
    /// Answers every Ping to `from` since the last call, as a peer that reads what it is sent.
    void read(const NodeId& from) {
        for (const auto& message : std::exchange(sent[from.name], {}))
            if (const auto* ping = std::get_if<proto::Ping>(&message.body); ping && ping->nonce > 1)
                say(from, proto::Pong{ping->nonce, net.core("a").self(), {}, 0, 0});
    }

    const NodeId x{"x", Incarnation{5}};
    const NodeId y{"y", Incarnation{6}};
    Net net;
    std::map<std::string, std::vector<proto::Message>> sent;
};

// ---- hiding ------------------------------------------------------------------------

TEST_F(ShareOfReplication, ATableOfManyGroupsIsShownAndHiddenInPieces) {
    start([](Bounds& bounds) { bounds.table_work = 100'000; });
    std::vector<proto::Delta> deltas;
    for (std::uint64_t i = 0; i < 3000; ++i)
        deltas.push_back(joins({{MemberNumber{i + 1}, 1}}, {"g", std::to_string(i)}));
    publish(x, 1, std::move(deltas));
    net.run(milliseconds(500));
    ASSERT_EQ(net.core("a").groups().size(), 3000u);
    std::vector<std::size_t> seen;
    std::size_t changes = 0;
    net.on_step = [&](const std::string&, const Core& core, const Actions& actions) {
        std::size_t changed = 0;
        for (const auto& action : actions)
            if (const auto* change = std::get_if<GroupChanged>(&action)) changed += change->group ? 1 : 3000;
        EXPECT_LE(changed, 2 * (100'000u / kGroupWork + 1)) << "of a step that ends one turn and begins another";
        changes += changed;
        if (const auto groups = core.groups().size(); seen.empty() || seen.back() != groups) seen.push_back(groups);
    };
    for (int i = 0; i < 40; ++i) {  // y lives, so x is not only out of this node's sight
        say(y, proto::Heartbeat{});
        net.run(milliseconds(100));
    }
    EXPECT_EQ(changes, 3000u);
    EXPECT_GE(seen.size(), 7u);
    EXPECT_EQ(seen.back(), 0u);
    EXPECT_FALSE(net.core("a").is_busy());
}

TEST_F(ShareOfReplication, ATableOfManyGroupsIsReplacedInPieces) {
    start([](Bounds& bounds) { bounds.table_work = 100'000; });
    const std::uint64_t kGroups = 3000;
    take(snapshot(kGroups, 1));
    net.run(milliseconds(500));
    ASSERT_EQ(net.core("a").groups().size(), kGroups);

    std::size_t steps = 0;
    net.on_step = [&](const std::string&, const Core& core, const Actions& actions) {
        std::size_t changed = 0;
        for (const auto& action : actions) changed += std::holds_alternative<GroupChanged>(action) ? 1 : 0;
        EXPECT_LE(changed, 4 * (100'000u / kGroupWork + 1)) << "a join and a leave, of two turns";
        steps += changed > 0 ? 1 : 0;
        const auto groups = core.groups();
        EXPECT_EQ(groups.size(), kGroups);
        for (const auto& group : groups) ASSERT_EQ(group.members, 1u) << "of both tables, or of none";
    };
    take(snapshot(kGroups, 2));
    net.run(milliseconds(1000));
    EXPECT_GE(steps, 7u);
    EXPECT_EQ(counter("snapshots_taken"), 2u);
    EXPECT_FALSE(net.core("a").is_busy());
    const auto members = net.core("a").members({"g", "0"}, false);
    ASSERT_EQ(members.size(), 1u);
    EXPECT_EQ(members[0].id.number.value, 20'000u);
}

TEST_F(ShareOfReplication, ASnapshotWaitsUntilAllOfTheOneBeforeItIsShown) {
    start([](Bounds& bounds) { bounds.table_work = 100'000; });
    take(snapshot(3000, 1));
    net.run(milliseconds(500));
    for (const unsigned count : {2u, 3u}) {
        const auto chunk = snapshot(count == 2 ? 2000 : 1000, count);
        within_turn(x, proto::Heartbeat{}, chunk.as_of.value);
        within_turn(x, chunk, chunk.as_of.value);
        tick();
    }
    tick();  // which takes the third
    EXPECT_EQ(counter("snapshots_taken"), 2u);
    EXPECT_GT(net.core("a").groups().size(), 2000u);
    net.run(milliseconds(1000));
    EXPECT_EQ(counter("snapshots_taken"), 3u);
    EXPECT_EQ(net.core("a").groups().size(), 1000u);
    EXPECT_EQ(members_of(x, {"g", "7"}), 1u);
    EXPECT_FALSE(net.core("a").is_busy());
}

// ---- positions ---------------------------------------------------------------------

TEST_F(ShareOfReplication, DeltasThatDoNotExistAreNotPulledForEver) {
    start();
    publish(x, 9, {joins({{MemberNumber{1}, 2}})});
    const auto pulls_of_a_second = [&] {
        sent.clear();
        for (int i = 0; i < 20; ++i) {
            say(x, proto::Heartbeat{}, 0);
            net.run(milliseconds(50));
        }
        return count_sent<proto::Pull>(x) + count_sent<proto::Pull>(y);
    };
    EXPECT_GE(pulls_of_a_second(), 1u);
    EXPECT_EQ(pulls_of_a_second(), 0u);
    // What the log says later counts.
    publish(x, 2, {joins({{MemberNumber{3}, 1}})});
    publish(x, 1, {joins({{MemberNumber{1}, 2}})});
    EXPECT_EQ(members_of(x), 3u);
}

// ---- tables ------------------------------------------------------------------------

TEST_F(ShareOfReplication, AFrameWithTooManyMembersIsRefusedWholeAndASnapshotFollows) {
    start();
    publish(x, 1, {joins({{MemberNumber{1}, 2}})});
    std::vector<proto::NumberRun> many;
    for (std::uint64_t i = 0; i < 5; ++i) many.push_back({MemberNumber{10 + i * limits::kMembersPerCall}, 65536});
    publish(x, 2, {joins({{MemberNumber{3}, 1}}), joins(many)});
    EXPECT_EQ(counter("deltas_refused"), 1u);
    EXPECT_EQ(members_of(x), 2u);
    ASSERT_GE(count_sent<proto::Pull>(x), 1u);
    EXPECT_TRUE(std::get<proto::Pull>(sent["x"].back().body).snapshot);
    // The rest of the log is followed once the table is here.
    say(x, proto::SnapshotChunk{x, Seq{3}, 0, 0, 1, {}, 0}, 3);
    EXPECT_EQ(members_of(x), 0u);
    publish(x, 4, {joins({{MemberNumber{400'000}, 7}})});
    EXPECT_EQ(members_of(x), 7u);
    EXPECT_EQ(counter("deltas_refused"), 1u);
}

TEST_F(ShareOfReplication, NumbersThatAreNotNewAreRefused) {
    start();
    publish(x, 1, {joins({{MemberNumber{10}, 5}})});
    publish(x, 2, {joins({{MemberNumber{14}, 5}})});  // 14 has joined
    EXPECT_EQ(counter("deltas_refused"), 1u);
    publish(y, 1, {joins({{MemberNumber{20}, 1}, {MemberNumber{10}, 1}})});  // descending
    EXPECT_EQ(counter("deltas_refused"), 2u);
    EXPECT_EQ(members_of(x), 5u);
    EXPECT_EQ(members_of(y), 0u);
}

TEST_F(ShareOfReplication, NumbersOfASnapshotAreNotNewAfterwards) {
    start();
    GroupIndex index{nullptr, 1};
    const Bounds bounds;
    Replica::Total total;
    Replica table{x, {index, bounds, 1, total}};
    GroupUpdates none;
    table.apply(joins({{MemberNumber{100}, 3}}), none);
    proto::SnapshotChunk chunk{x, Seq{9}, table.digest(), 0, 1, {}, 3};
    chunk.groups.push_back({kGroup, {{MemberNumber{100}, 3, "w", {}}}});
    say(x, proto::Heartbeat{}, 9);
    say(x, chunk, 9);
    EXPECT_EQ(members_of(x), 3u);
    publish(x, 10, {joins({{MemberNumber{102}, 1}})});
    EXPECT_EQ(counter("deltas_refused"), 1u);
}

TEST_F(ShareOfReplication, ASnapshotWhoseNumbersDoNotAscendIsBroken) {
    start();
    say(x, proto::Heartbeat{}, 9);
    proto::SnapshotChunk chunk{x, Seq{9}, 0, 0, 0, {}, 3};
    chunk.groups.push_back({kGroup, {{MemberNumber{100}, 3, "w", {}}}});
    say(x, chunk, 9);
    EXPECT_EQ(count_sent<proto::SnapshotAck>(x), 1u);
    chunk.index = 1;
    chunk.groups[0].joins[0] = {MemberNumber{99}, 1, "w", {}};
    say(x, chunk, 9);
    EXPECT_EQ(counter("snapshots_broken"), 1u);
    EXPECT_EQ(count_sent<proto::SnapshotAck>(x), 1u);
}

TEST_F(ShareOfReplication, AChunkWithTooManyMembersBreaksItsSnapshot) {
    start();
    say(x, proto::Heartbeat{}, 9);
    proto::SnapshotChunk chunk{x, Seq{9}, 0, 0, 0, {}, 3};
    auto& part = chunk.groups.emplace_back();
    part.group = kGroup;
    for (std::uint64_t i = 0; i < 5; ++i) part.joins.push_back({MemberNumber{1 + i * 65536}, 65536, "w", {}});
    say(x, chunk, 9);
    EXPECT_EQ(counter("snapshots_broken"), 1u);
    EXPECT_EQ(count_sent<proto::SnapshotAck>(x), 0u);
}

TEST_F(ShareOfReplication, ATableThatIsTooLargeIsHiddenUntilItFits) {
    Net two;
    two.adjust = [](Options& options) {
        options.bounds.table_members = options.self.name == "b" ? 100 : 1000;
        options.bounds.log_deltas = 4;
    };
    two.start("a");
    two.join("a", kMe, kGroup, 90);
    two.start("b", "a");
    two.call("b", LocalWatch{WatchId{1}, {}});
    two.run(milliseconds(600));
    EXPECT_EQ(two.members("b", kGroup).size(), 90u);
    two.join("a", kMe, kGroup, 20);
    EXPECT_EQ(two.members("b", kGroup).size(), 0u);
    ASSERT_FALSE(two.watch_events.empty());
    EXPECT_EQ(two.watch_events.back().event.kind, WatchEvent::Kind::leave);
    EXPECT_EQ(two.watch_events.back().event.groups[0].members.size(), 90u);
    two.run(seconds(65));
    EXPECT_EQ(two.counter("b", "tables_refused"), 2u) << "tried again once a minute";
    EXPECT_EQ(std::count(two.notes.begin(), two.notes.end(), "b: table refused a"), 1);
    EXPECT_EQ(two.core("b").status().counters.at("tables_missing"), 0u) << "nobody waits for it";
    two.leave("a", kMe, kGroup, 60);
    two.run(seconds(65));
    EXPECT_EQ(two.members("b", kGroup), two.members("a", kGroup));
    two.join("a", kMe, kGroup, 1);
    EXPECT_EQ(two.members("b", kGroup).size(), 51u);
}

TEST_F(ShareOfReplication, ATableThatTakesTooManyBytesIsNotFollowed) {
    start([](Bounds& bounds) { bounds.table_bytes = 100'000; });
    std::uint64_t seq = 0;
    while (counter("tables_refused") == 0 && seq < 1000) {
        ++seq;
        publish(x, seq, {joins({{MemberNumber{seq}, 1}}, {"g", std::to_string(seq)}, {{"k", std::string(200, 'v')}})});
    }
    EXPECT_LT(seq, 300u);
    EXPECT_GT(seq, 100u);
    // Runs count, too: every second member of a large one leaves.
    publish(y, 1, {joins({{MemberNumber{1}, 60'000}})});
    proto::Delta leaves;
    leaves.changes.push_back({kGroup, Reason::left, {}, {}});
    for (std::uint64_t i = 2; i < 60'000; i += 2) leaves.changes[0].leaves.push_back({MemberNumber{i}, 1});
    publish(y, 2, {leaves});
    EXPECT_EQ(counter("tables_refused"), 2u);
}

TEST_F(ShareOfReplication, AllTablesTogetherAreBoundedAndSmallOnesHaveRoom) {
    start([](Bounds& bounds) {
        bounds.table_members = 1000;
        bounds.all_members = 1200;
    });
    publish(x, 1, {joins({{MemberNumber{1}, 1000}})});
    publish(y, 1, {joins({{MemberNumber{1}, 300}})});
    EXPECT_EQ(members_of(y), 300u) << "less than a third of all";
    publish(y, 2, {joins({{MemberNumber{301}, 200}})});
    EXPECT_EQ(members_of(y), 0u);
    EXPECT_EQ(counter("tables_refused"), 1u);
    EXPECT_TRUE(std::holds_alternative<proto::JoinReply>(net.join("a", kMe, kGroup, 100)));
}

TEST_F(ShareOfReplication, ANodeRefusesJoinsThatOthersWouldRefuse) {
    start([](Bounds& bounds) { bounds.table_members = 80; });
    EXPECT_TRUE(std::holds_alternative<proto::JoinReply>(net.join("a", kMe, kGroup, 70)));
    const auto refused = net.join("a", kYou, kGroup, 1);
    ASSERT_TRUE(std::holds_alternative<Error>(refused));
    EXPECT_EQ(std::get<Error>(refused).code, ErrorCode::overloaded);
    EXPECT_EQ(std::get<Error>(refused).text,
              "node 'a' may have at most 70 members: leave some first, or join at another node");
    EXPECT_EQ(counter("joins_refused_table"), 1u);
    net.leave("a", kMe, kGroup, 1);
    EXPECT_TRUE(std::holds_alternative<proto::JoinReply>(net.join("a", kYou, kGroup, 1)));
}

TEST_F(ShareOfReplication, NoFrameOfANodeHasMoreMembersThanOthersTake) {
    Net two;
    two.check_every_step = false;
    two.adjust = [](Options& options) { options.bounds.log_deltas = 4; };
    std::uint64_t most = 0;
    two.on_step = [&](const std::string&, const Core&, const Actions& actions) {
        for (const auto& action : actions) {
            const auto* publish = std::get_if<Publish>(&action);
            const auto* send = std::get_if<SendPeer>(&action);
            if (publish)
                if (const auto* deltas = std::get_if<proto::Deltas>(&publish->message.body))
                    most = std::max(most, members_in(*deltas));
            if (!send) continue;
            if (const auto* deltas = std::get_if<proto::Deltas>(&send->message.body))
                most = std::max(most, members_in(*deltas));
            if (const auto* chunk = std::get_if<proto::SnapshotChunk>(&send->message.body)) {
                std::uint64_t members = 0;
                for (const auto& part : chunk->groups)
                    for (const auto& run : part.joins) members += run.count;
                most = std::max(most, members);
            }
        }
    };
    two.start("a");
    Actions actions;  // one turn
    for (int i = 0; i < 16; ++i)
        two.core("a").step({two.now, LocalJoin{CallId{1}, kMe, {"g", std::to_string(i)}, 65536, {}, false, {}}},
                           actions);
    two.on_step("a", two.core("a"), actions);
    two.start("b", "a");
    two.run(milliseconds(600));
    EXPECT_EQ(two.core("b").status().members, 16u * 65536);
    EXPECT_GT(two.counter("b", "snapshots_taken"), 0u);
    two.join("a", kYou, kGroup, 65536);
    for (int i = 0; i < 5; ++i) two.join("a", HandlerId{3}, kGroup, 65536);
    std::vector<MemberNumber> numbers;  // more than a worker may name in one call; a process may
    for (std::uint64_t i = 1; i <= 5u * 65536; ++i) numbers.push_back(MemberNumber{17u * 65536 + i});
    two.call("a", LocalLeave{CallId{1u << 30}, HandlerId{3}, kGroup, numbers, 1});
    EXPECT_EQ(two.core("b").status().members, 17u * 65536);
    two.call("a", HandlerGone{kMe});
    two.call("a", HandlerGone{kYou});
    two.run(milliseconds(600));
    EXPECT_EQ(two.core("b").status().members, 0u);
    EXPECT_EQ(most, limits::kMembersPerFrame);
    EXPECT_EQ(two.counter("b", "deltas_refused") + two.counter("b", "snapshots_broken"), 0u);
}

// ---- work and what waits for it -----------------------------------------------------

TEST_F(ShareOfReplication, WhatDoesNotFitATurnWaitsAndOriginsTakeTurns) {
    start([](Bounds& bounds) { bounds.table_work = 100'000; });
    for (std::uint64_t seq = 1; seq <= 20; ++seq)
        within_turn(x, proto::Deltas{x, Seq{seq}, {joins({{MemberNumber{seq * 100'000}, 50'000}})}}, seq);
    within_turn(y, proto::Deltas{y, Seq{1}, {joins({{MemberNumber{1}, 3}})}}, 1);
    EXPECT_EQ(counter("deltas_applied"), 2u);
    EXPECT_LE(net.core("a").next_deadline(), net.now);
    tick();
    EXPECT_EQ(members_of(y), 3u) << "not after all of x";
    EXPECT_LE(counter("deltas_applied"), 6u);
    for (int turn = 0; turn < 12; ++turn) tick();
    EXPECT_EQ(members_of(x), 20u * 50'000);
    EXPECT_EQ(counter("pulls_sent"), 0u) << "nothing was missing";
    EXPECT_EQ(counter("gaps"), 0u);
}

TEST_F(ShareOfReplication, ChunksWaitForATurnToo) {
    Net two;
    two.adjust = [](Options& options) {
        options.bounds.table_work = options.self.name == "b" ? 1000 : 1 << 20;
        options.bounds.log_deltas = 4;
        options.bounds.chunk_bytes = 2000;
    };
    two.start("a");
    for (int i = 0; i < 200; ++i) two.join("a", kMe, {"g", std::to_string(i)}, 3);
    two.start("b", "a");
    two.run(milliseconds(600));
    EXPECT_EQ(two.core("b").groups(), two.core("a").groups());
    EXPECT_EQ(two.counter("b", "chunks_not_kept"), 0u);
    EXPECT_EQ(two.counter("a", "snapshots_sent"), 1u);
}

/// Decoded, the chunks that a sender sends at once would not fit with the least memory that a node may have.
TEST_F(ShareOfReplication, AWindowOfChunksFitsTheLeastMemory) {
    start([](Bounds& bounds) { bounds.bound_memory(std::size_t{64} << 20); });
    net.check_every_step = false;
    auto whole = snapshot(4 * 6000, 1);
    say(x, proto::Heartbeat{}, whole.as_of.value);
    const auto groups = std::exchange(whole.groups, {});
    for (std::uint64_t i = 0; i < 4; ++i) {
        auto chunk = whole;
        chunk.index = i;
        chunk.count = i == 3 ? 4 : 0;
        chunk.groups.assign(groups.begin() + static_cast<std::ptrdiff_t>(i * 6000),
                            groups.begin() + static_cast<std::ptrdiff_t>((i + 1) * 6000));
        within_turn(x, chunk, whole.as_of.value);
    }
    for (int turn = 0; turn < 60; ++turn) tick();
    EXPECT_EQ(counter("chunks_not_kept"), 0u);
    EXPECT_EQ(counter("snapshots_taken"), 1u);
}

TEST_F(ShareOfReplication, EarlyDeltasAreBoundedByTheMemoryThatTheyTake) {
    start([](Bounds& bounds) { bounds.early_bytes = 100'000; });
    for (std::uint64_t seq = 2; seq <= 200; ++seq)
        publish(x, seq, {joins({{MemberNumber{seq}, 1}}, kGroup, {{"k", std::string(200, 'v')}})});
    const auto dropped = counter("deltas_not_kept");
    EXPECT_GT(dropped, 20u);
    EXPECT_LT(dropped, 150u);
    publish(x, 1, {joins({{MemberNumber{1}, 1}})});
    EXPECT_EQ(members_of(x), 200 - dropped) << "those that were kept";
}

TEST_F(ShareOfReplication, EarlyDeltasOfAllOriginsAreBoundedTogether) {
    start([](Bounds& bounds) {
        bounds.early_bytes = 100'000;
        bounds.all_early_bytes = 100'000;
    });
    const auto flood = [&](const NodeId& id) {
        for (std::uint64_t seq = 2; seq <= 400; ++seq) publish(id, seq, {joins({{MemberNumber{seq}, 1}})});
        return counter("deltas_not_kept");
    };
    const auto first = flood(x);
    EXPECT_GT(first, 20u);
    const auto second = flood(y) - first;
    EXPECT_GT(second, first) << "half of all is left for y";
    EXPECT_LT(second, 399u);
}

TEST_F(ShareOfReplication, LogsAreBoundedByTheMemoryThatTheyTake) {
    start([](Bounds& bounds) {
        bounds.log_bytes = 50'000;
        bounds.all_log_bytes = 60'000;
    });
    for (std::uint64_t seq = 1; seq <= 300; ++seq)
        for (const auto& id : {x, y}) publish(id, seq, {joins({{MemberNumber{seq}, 1}}, {"g", std::to_string(seq)})});
    // Node y asks for what the log has not any more, and gets a snapshot.
    const auto ask = [&](std::uint64_t have) {
        say(y, proto::Pull{x, Seq{have}, false});
        return counter("snapshots_sent");
    };
    EXPECT_EQ(ask(290), 0u);
    EXPECT_EQ(ask(200), 1u);
}

// ---- pulls -------------------------------------------------------------------------

class Pulls : public ShareOfReplication {
protected:
    void start_with_log(const std::function<void(Bounds&)>& bounds) {
        start(bounds);
        net.check_every_step = false;
        for (int i = 0; i < 2000; ++i) net.join("a", kMe, kGroup, 1, {{"k", std::string(250, 'v')}});
        total = 2000 * 300;  // bytes, at least
    }
    void pull(const NodeId& id, std::uint64_t have = 0) {
        within_turn(id, proto::Pull{net.core("a").self(), Seq{have}, false});
    }
    void pass(Duration time) {
        for (const auto until = net.now + time; net.now < until;) {
            net.run(milliseconds(10));
            for (const auto& id : {x, y}) say(id, proto::Heartbeat{}, 0);
        }
    }
    std::size_t total = 0;
};

TEST_F(Pulls, AnAskerThatReadsNothingGetsNoMoreThanAWindow) {
    start_with_log([](Bounds& bounds) { bounds.answer_window = 100'000; });
    for (int i = 0; i < 100; ++i) {
        for (int j = 0; j < 5; ++j) pull(x, static_cast<std::uint64_t>(j) * 100);
        pass(milliseconds(100));
    }
    EXPECT_GE(delta_bytes_to(x), 100'000u);
    EXPECT_LT(delta_bytes_to(x), 100'000u + 2 * limits::kChunkBytes);
    // One that reads gets everything.
    pull(y);
    std::size_t read_bytes = 0;
    for (int i = 0; i < 100; ++i) {
        pass(milliseconds(10));
        read_bytes += delta_bytes_to(y);
        read(y);
    }
    EXPECT_GT(read_bytes, total);
    // And so does the first, once it reads.
    sent["x"].clear();
    std::size_t late_bytes = 0;
    for (int i = 0; i < 200; ++i) {
        if (i % 30 == 0) pull(x, i == 0 ? 0 : 2000);
        pass(milliseconds(10));
        late_bytes += delta_bytes_to(x);
        read(x);
    }
    EXPECT_GT(late_bytes, total / 4);
}

TEST_F(Pulls, ARepeatedQuestionReplacesTheOneBefore) {
    start_with_log([](Bounds&) {});
    for (int i = 0; i < 50; ++i) pull(x);
    for (int turn = 0; turn < 20; ++turn) tick();
    EXPECT_GT(delta_bytes_to(x), total);
    EXPECT_LT(delta_bytes_to(x), 2 * total);
}

TEST_F(Pulls, AnswersComeInPiecesAndAskersTakeTurns) {
    start_with_log([](Bounds& bounds) { bounds.repair_bytes_per_turn = 400'000; });
    pull(x);
    pull(y, 1990);
    tick();
    EXPECT_EQ(count_sent<proto::Deltas>(y), 1u) << "not after all of x";
    EXPECT_LT(delta_bytes_to(x), total) << "the rest is for later turns";
    EXPECT_LE(net.core("a").next_deadline(), net.now);
    for (int turn = 0; turn < 5; ++turn) tick();
    EXPECT_GT(delta_bytes_to(x), total);
}

TEST_F(Pulls, ASnapshotIsNotSentToOneWhoOnlyAcknowledges) {
    start_with_log([](Bounds& bounds) {
        bounds.answer_window = 100'000;
        bounds.chunk_bytes = 10'000;
        bounds.log_deltas = 1;
    });
    for (int i = 0; i < 500; ++i)
        net.join("a", kMe, {"g", std::to_string(i)}, 1, {{std::to_string(i), std::string(250, 'v')}});
    within_turn(x, proto::Pull{net.core("a").self(), Seq{}, true});
    for (std::uint64_t next = 1; next < 100; ++next) {
        within_turn(x, proto::SnapshotAck{net.core("a").self(), Seq{2500}, next});
        tick();
    }
    EXPECT_GE(count_sent<proto::SnapshotChunk>(x), 9u);
    EXPECT_LE(count_sent<proto::SnapshotChunk>(x), 12u);
}

}  // namespace
}  // namespace muster::cluster::test
