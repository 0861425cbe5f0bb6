// What is long for a worker goes in pieces: no turn makes more than its bound, and nothing is kept for those who wait.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/base/random.hpp"
#include "cluster/base/wire_size.hpp"
#include "cluster/tables/watch_update.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A worker that watches all groups, and what it is told.
class Watcher {
public:
    Watcher(Net& net, ConnectionId connection) : net_(net), connection_(connection) {
        net.from_worker("a", connection, "watcher", {}, 0, proto::WorkerHello{});
        token_ = std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
        net.from_worker("a", connection, "watcher", token_, 1, proto::WatchRequest{});
    }
    /// Takes what was sent, and acknowledges it.
    void take() {
        for (const auto& message : net_.take_sent(connection_)) {
            const auto* news = std::get_if<proto::WatchNews>(&message.body);
            if (!news) continue;
            ++frames;
            received_ = message.header.seq;
            apply(*news);
        }
        net_.from_worker("a", connection_, "watcher", token_, 0, proto::WorkerHeartbeat{received_});
    }

    std::map<MemberId, std::string> view;  // the groups of the members
    bool is_complete = false;
    std::size_t frames = 0;
    std::size_t events = 0;

private:
    void apply(const proto::WatchNews& news) {
        const bool leave = news.event.kind == WatchEvent::Kind::leave;
        if (news.event.kind != WatchEvent::Kind::snapshot) {
            EXPECT_TRUE(is_complete) << "a change before the end of the snapshot";
            ++events;
        } else if (news.last) {
            is_complete = true;
        }
        for (const auto& group : news.event.groups) {
            for (const auto& member : group.members) {
                if (leave)
                    EXPECT_EQ(view.erase(member.id), 1u) << to_string(member.id) << " left, and was not there";
                else
                    EXPECT_TRUE(view.emplace(member.id, group.group.feature).second) << to_string(member.id);
            }
        }
    }

    Net& net_;
    ConnectionId connection_;
    SessionToken token_;
    std::uint64_t received_ = 0;
};

std::map<MemberId, std::string> table(Core& core) {
    std::map<MemberId, std::string> all;
    for (const auto& info : core.groups())
        for (const auto& member : core.members(info.group, false)) all.emplace(member.id, info.group.feature);
    return all;
}

struct Turns : ::testing::Test {
    void start(const std::function<void(Bounds&)>& bounds) {
        net.check_every_step = false;
        net.adjust = [bounds](Options& options) {
            bounds(options.bounds);
            options.session.ttl = seconds(600);
        };
        net.start("a");
        net.run(milliseconds(600));
    }
    Net net;
};

TEST_F(Turns, ASnapshotOfAllGroupsNeedsNoRoomInTheBacklog) {
    start([](Bounds& bounds) { bounds.backlog_bytes = 200'000; });
    for (int group = 0; group < 3000; ++group)
        net.join("a", kMe, {"s", std::to_string(group)}, 10, {{"zone", std::string(100, 'z')}});
    Watcher watcher(net, kConnection);
    const auto waits = [&] { return net.core("a").status().counters["backlog_queue_bytes"]; };
    for (int i = 0; i < 5; ++i) net.pump();
    EXPECT_LE(waits(), 200'000u) << "while nobody takes it";
    for (int round = 0; round < 1000 && !watcher.is_complete; ++round) watcher.take();
    EXPECT_TRUE(watcher.is_complete);
    EXPECT_EQ(watcher.view.size(), 30'000u);
    EXPECT_GT(watcher.frames, 20u);
    EXPECT_EQ(net.counter("a", "workers_given_up"), 0u);
}

TEST_F(Turns, WhatChangesDuringASnapshotOfAllGroupsIsToldOnce) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        net = Net{};
        start([](Bounds& bounds) {
            bounds.chunk_bytes = 300;
            bounds.backlog_items = 120;
        });
        Random random(seed);
        std::set<int> joined;
        const auto change = [&] {
            const auto group = static_cast<int>(random.below(200));
            if (random.below(100) < 60)
                net.join("a", HandlerId{1 + random.below(3)}, {"s", std::to_string(group)}, 1 + random.below(20));
            else
                net.leave("a", HandlerId{1 + random.below(3)}, {"s", std::to_string(group)}, 1 + random.below(20));
        };
        for (int i = 0; i < 300; ++i) change();
        Watcher watcher(net, kConnection);
        for (int round = 0; round < 2000 && !watcher.is_complete; ++round) {
            if (round < 60) change();
            watcher.take();
        }
        for (int i = 0; i < 20; ++i) change();
        for (int round = 0; round < 200; ++round) watcher.take();
        EXPECT_TRUE(watcher.is_complete);
        EXPECT_TRUE(watcher.view == table(net.core("a"))) << "seed " << seed;
        EXPECT_GT(watcher.events, 5u);
        EXPECT_EQ(net.counter("a", "workers_given_up"), 0u);
    }
}

TEST_F(Turns, AWatcherThatTakesNothingIsGivenUp) {
    start([](Bounds& bounds) {
        bounds.chunk_bytes = 300;
        bounds.backlog_items = 20;
    });
    for (int group = 0; group < 500; ++group) net.join("a", kMe, {"s", std::to_string(group)});
    Watcher watcher(net, kConnection);
    for (int i = 0; i < 100; ++i) net.join("a", kMe, {"s", "0"});
    EXPECT_EQ(net.counter("a", "workers_given_up"), 1u);
}

TEST_F(Turns, ALongAnswerLeavesRoomForHeartbeats) {
    start([](Bounds& bounds) { bounds.answer_bytes_per_turn = 50'000; });
    net.join("a", kMe, kOrders, 60'000);
    Watcher worker(net, kConnection);
    Actions actions;
    std::size_t members = 0;
    std::size_t turns = 0;
    std::size_t most = 0;
    const auto count = [&] {
        std::size_t now = 0;
        for (const auto& action : std::exchange(actions, {})) {
            const auto* send = std::get_if<SendDoor>(&action);
            const auto* reply = send ? std::get_if<proto::MembersReply>(&send->message.body) : nullptr;
            if (reply) now += reply->members.size();
        }
        most = std::max(most, now);
        members += now;
        ++turns;
    };
    net.from_worker("a", ConnectionId{10}, "w", {}, 0, proto::WorkerHello{});
    const auto token = std::get<proto::WorkerWelcome>(net.take_sent(ConnectionId{10}).at(0).body).token;
    Core& core = net.core("a");
    core.step({net.now, MessageArrived{Channel::door,
                                       ConnectionId{10},
                                       {},
                                       {{"default", "w", token.value, 1}, proto::MembersRequest{kOrders, false}}}},
              actions);
    count();
    while (members < 60'000 && turns < 1000) {
        ASSERT_LE(core.next_deadline(), net.now) << "the rest is due";
        core.step({net.now, Tick{}}, actions);
        count();
    }
    EXPECT_EQ(members, 60'000u);
    EXPECT_GT(turns, 10u);
    EXPECT_LE(most, 60'000u / 10);
}

TEST(WatchUpdate, ItsPartsGiveTheWhole) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Random random(seed);
        OwnerTable owners(seed);
        WatchUpdate update;
        for (std::uint64_t groups = random.below(5); groups > 0; --groups) {
            GroupRuns& group = update.groups.emplace_back(Group{"s", std::to_string(groups)});
            std::uint64_t next = 1;
            for (std::uint64_t runs = 1 + random.below(6); runs > 0; --runs) {
                const auto count = static_cast<std::uint32_t>(1 + random.below(30));
                const auto owner = owners.acquire("w" + std::to_string(random.below(3)), {}, 1);
                group.add({runs > 3 ? "a" : "b", Incarnation{1}}, {MemberNumber{next}, count, owner}, owners);
                next += count + random.below(3);
            }
        }
        const WatchEvent whole = update.whole();
        WatchEvent joined{update.kind, update.reason, {}};
        const std::size_t most = 1 + random.below(600);
        for (WatchUpdate::Place at; at != update.end();) {
            std::size_t size = 0;
            const auto to = update.cut(at, most, size);
            ASSERT_GT(to, at);
            for (auto& group : update.part(at, to).groups) {
                const bool goes_on = !joined.groups.empty() && joined.groups.back().group == group.group;
                if (!goes_on) joined.groups.push_back({group.group, {}});
                auto& members = joined.groups.back().members;
                members.insert(members.end(), group.members.begin(), group.members.end());
            }
            at = to;
        }
        ASSERT_EQ(joined, whole) << "seed " << seed;
    }
}

}  // namespace
}  // namespace muster::cluster::test
