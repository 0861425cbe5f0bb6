// What a node says about its progress while it still copies the tables of other nodes.
#include <gtest/gtest.h>

#include <deque>
#include <limits>

#include "cluster/replication/sync_progress.hpp"
#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Progress, IsTheShareOfMembersThatArePresent) {
    SyncProgress progress;
    EXPECT_TRUE(progress.is_complete());
    progress.add(true, 300, 300);
    EXPECT_TRUE(progress.is_complete());
    progress.add(false, 100, 700);
    EXPECT_EQ(to_text(progress), "40 %: 400 of 1000 members, 1 of 2 tables");
    EXPECT_EQ(to_text(progress, seconds(12)), "40 %: 400 of 1000 members, 1 of 2 tables; 12 s so far, some 18 s left");
}

TEST(Progress, IsIncompleteWhileATableOfUnknownSizeIsMissing) {
    SyncProgress progress;
    progress.add(true, 0, 0);
    progress.add(false, 0, 0);
    EXPECT_FALSE(progress.is_complete());
    EXPECT_EQ(to_text(progress), "50 %: 0 of 0 members, 1 of 2 tables");
    progress.add(true, 1000, 1000);
    EXPECT_EQ(to_text(progress, seconds(1)), "99 %: 1000 of 1000 members, 2 of 3 tables; 1 s so far, some 0 s left");
}

TEST(Progress, DoesNotOverflowByWhatOthersClaim) {
    constexpr auto most = std::numeric_limits<std::uint64_t>::max();
    SyncProgress progress;
    for (int i = 0; i < 4096; ++i) progress.add(false, 1000, most);
    progress.add(false, most, 10);
    EXPECT_EQ(to_text(progress, std::chrono::hours(1000)).substr(0, 5), "0 %: ");
}

/// Node b starts next to node a, whose 120 members need many chunks. The chunks to b are held until let_through().
class SlowStart : public testing::Test {
protected:
    SlowStart() {
        net.start("a");
        for (int i = 0; i < 60; ++i)
            net.join("a", kMe, {"store", std::to_string(i)}, 2, {{"key", std::string(200, 'x')}});
        net.drop = [this](const std::string& to, const proto::Message& message) {
            if (to != "b" || !std::holds_alternative<proto::SnapshotChunk>(message.body)) return false;
            held.push_back(message);
            return true;
        };
        net.on_step = [this](const std::string& node, const Core&, const Actions& actions) {
            for (const auto& action : actions)
                if (const auto* note = std::get_if<Note>(&action); note && note->kind == Note::Kind::syncing)
                    logged.push_back(node + ": " + note->text);
        };
        net.start("b", "a");
    }

    void let_through(std::size_t chunks) {
        for (; chunks > 0 && !held.empty(); --chunks) {
            auto message = std::move(held.front());
            held.pop_front();
            net.call("b", MessageArrived{Channel::control, {}, {}, std::move(message)});
        }
    }
    std::string refusal() {
        net.from_worker("b", ConnectionId{5}, "w", {}, 0, proto::WorkerHello{});
        const auto heard = net.take_sent(ConnectionId{5});
        const auto* refuse = heard.empty() ? nullptr : std::get_if<proto::Refuse>(&heard.front().body);
        return refuse == nullptr ? "none" : std::string(to_string(refuse->code)) + ": " + refuse->text;
    }
    std::uint64_t level(const char* name) { return net.core("b").status().counters.at(name); }

    Net net{[](Options& options) {
        options.bounds.log_deltas = 1;
        options.bounds.chunk_bytes = 2048;
    }};
    std::deque<proto::Message> held;
    std::vector<std::string> logged;
};

TEST_F(SlowStart, ShowsProgressToWorkersAndInItsStatus) {
    net.run(milliseconds(20));
    ASSERT_GE(held.size(), 2u);
    const auto& chunk = std::get<proto::SnapshotChunk>(held.front().body);
    std::uint64_t first = 0;
    for (const auto& part : chunk.groups)
        for (const auto& run : part.joins) first += run.count;
    EXPECT_EQ(chunk.members, 120u);
    ASSERT_GT(first, 0u);
    ASSERT_LT(first, 60u);
    let_through(1);
    EXPECT_FALSE(net.core("b").is_ready());
    EXPECT_EQ(refusal(), "not_ready: this node has not synced yet (" + std::to_string(first * 100 / 120) +
                             " %: " + std::to_string(first) + " of 120 members, 0 of 1 tables): try again shortly");
    EXPECT_EQ(level("tables_missing"), 1u);
    EXPECT_EQ(level("members_missing"), 120 - first);
    EXPECT_TRUE(logged.empty()) << "the first log line comes after a second";

    net.drop = nullptr;
    net.run(seconds(1));
    EXPECT_TRUE(net.core("b").is_ready());
    EXPECT_EQ(refusal(), "none");
    EXPECT_EQ(level("tables_missing"), 0u);
    EXPECT_EQ(level("members_missing"), 0u);
}

TEST_F(SlowStart, LogsProgressLessAndLessOften) {
    net.run(milliseconds(20));
    let_through(1);
    net.run(milliseconds(900));
    EXPECT_EQ(logged.size(), 0u);
    net.run(milliseconds(200));
    ASSERT_EQ(logged.size(), 1u);
    EXPECT_EQ(logged[0].substr(0, 3), "b: ");
    EXPECT_NE(logged[0].find(" of 120 members, 0 of 1 tables; 1 s so far, some "), std::string::npos) << logged[0];
    net.run(seconds(59));
    EXPECT_EQ(logged.size(), 8u) << "after 1, 3, 7, 15, 25, 35, 45 and 55 s";

    net.drop = nullptr;
    net.run(seconds(5));
    logged.clear();
    net.run(seconds(30));
    EXPECT_TRUE(logged.empty()) << "all tables are complete";
}

}  // namespace
}  // namespace muster::cluster::test
