// Workers that want more than they may have, or do not listen; and whoever says hello without end.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <utility>

#include "tests/integration/raw_worker.hpp"
#include "tests/integration/under_attack.hpp"

namespace muster::test {
namespace {

using std::chrono::seconds;

void expect_overloaded(const Result<Joined>& result, const std::string& what) {
    ASSERT_FALSE(result.ok()) << what;
    EXPECT_EQ(result.error().code, ErrorCode::overloaded) << result.error().text;
    EXPECT_NE(result.error().text.find(what), std::string::npos) << result.error().text;
}

TEST(HostileWorkers, WantMoreThanTheyMayHave) {
    UnderAttack attacked(
        {"--worker-members", "100", "--worker-groups", "8", "--worker-bytes", "20000", "--worker-watches", "3"});
    auto worker = Worker::connect({.nodes = {attacked.door()}, .name = "greedy"});
    ASSERT_TRUE(worker) << worker.error().text;
    const auto join = [&](const Group& group, std::uint64_t count, Meta meta = {}) {
        JoinOptions options;
        options.count = count;
        options.meta = std::move(meta);
        return (*worker)->join(
            group, [](const Notification&) {}, options);
    };
    expect_overloaded(join({"g", "0"}, 101), "100 members");
    for (int i = 0; i < 8; ++i) ASSERT_TRUE(join({"g", std::to_string(i)}, 1));
    expect_overloaded(join({"g", "8"}, 1), "8 groups");
    ASSERT_TRUE(join({"g", "0"}, 50));
    Result<Joined> last = join({"g", "0"}, 1);
    for (int i = 0; last && i < 40; ++i)
        last = join({"g", "0"}, 1, {{"k", std::string(250, 'a') + std::to_string(i)}, {"l", std::string(250, 'b')}});
    expect_overloaded(last, "20000 bytes");
    for (int i = 0; i < 3; ++i) ASSERT_TRUE((*worker)->watch({"g", "0"}, [](const WatchEvent&) {}));
    const auto watch = (*worker)->watch({"g", "0"}, [](const WatchEvent&) {});
    ASSERT_FALSE(watch);
    EXPECT_EQ(watch.error().code, ErrorCode::overloaded);
    for (const auto* name : {"joins_refused_members", "joins_refused_groups", "joins_refused_bytes", "watches_refused"})
        EXPECT_TRUE(attacked.counts(name, 1));
    // What has left makes room.
    ASSERT_TRUE((*worker)->leave({"g", "1"}, 1));
    EXPECT_TRUE(join({"g", "8"}, 1));
    attacked.expect_unharmed();
}

TEST(HostileWorkers, AskMoreThanIsAnswered) {
    UnderAttack attacked({"--worker-requests", "1024"});
    RawWorker worker(attacked.door(), "asker");
    worker.ask(proto::JoinRequest{{"a", "b"}, 1, {}, false, 0});
    // Their own member never acknowledges, so that none has an answer.
    const std::string data = "\xc0";
    for (int i = 0; i < 1200; ++i)
        ASSERT_TRUE(worker.ask(proto::NotifyRequest{NotificationKind::created, {"a", "b"}, {data}, true, 60'000}));
    EXPECT_TRUE(attacked.counts("requests_refused", 1));
    attacked.expect_unharmed();
}

TEST(HostileWorkers, AcknowledgeWhatWasNeverSent) {
    UnderAttack attacked;
    RawWorker worker(attacked.door(), "liar");
    worker.acknowledge(1'000'000);
    worker.acknowledge(~std::uint64_t{0});
    EXPECT_TRUE(attacked.counts("acks_of_unsent_stream", 2));
    // Nor does a resume begin behind what was sent.
    for (const std::uint64_t received : {std::uint64_t{1'000'000}, ~std::uint64_t{0}}) {
        const auto welcome = worker.hello({SessionToken{worker.token}, received});
        ASSERT_TRUE(welcome) << "resumed after " << received;
        EXPECT_TRUE(welcome->resumed);
    }
    attacked.expect_unharmed();
}

const Group kLarge{"large", "group"};

/// A worker with so many members of kLarge that an answer has some megabytes; nullptr, with a failure, if it cannot
/// join.
std::unique_ptr<Worker> large_crowd(const UnderAttack& attacked) {
    auto crowd = Worker::connect({.nodes = {attacked.door()}, .name = "crowd"});
    EXPECT_TRUE(crowd);
    if (!crowd) return nullptr;
    JoinOptions options;
    options.count = 20'000;
    options.meta = {{"zone", std::string(100, 'z')}};
    const auto joined = (*crowd)->join(
        kLarge, [](const Notification&) {}, options);
    EXPECT_TRUE(joined);
    return joined ? *std::move(crowd) : nullptr;
}

// A worker that never reads: answers, of which it asks for some ten gigabytes.
TEST(HostileWorkers, NeverReadAnswers) {
    UnderAttack attacked({"--connection-bytes", "16777216"});
    const auto crowd = large_crowd(attacked);
    ASSERT_TRUE(crowd);
    RawWorker asker(attacked.door(), "asker", 4096);
    for (int i = 0; i < 3000 && asker.ask(proto::MembersRequest{kLarge, false}); ++i) {
    }
    EXPECT_TRUE(attacked.counts("connections_overfull_out", 1));
    EXPECT_TRUE(asker.peer.is_ended());
    attacked.expect_unharmed(300);
}

// The same with many connections, none of which has too much by itself.
TEST(HostileWorkers, NeverReadAnswersOnManyConnections) {
    UnderAttack attacked({"--connection-bytes", "67108864", "--memory", "67108864"});
    const auto crowd = large_crowd(attacked);
    ASSERT_TRUE(crowd);
    std::deque<RawWorker> askers;
    for (int i = 0; i < 24; ++i) askers.emplace_back(attacked.door(), "asker-" + std::to_string(i), 4096);
    for (auto& asker : askers)
        for (int i = 0; i < 12; ++i) asker.ask(proto::MembersRequest{kLarge, false});
    EXPECT_TRUE(attacked.counts("connections_overfull_out", 1));
    attacked.expect_unharmed(300);
}

// A worker that never reads: notifications, while it goes on saying that it lives.
TEST(HostileWorkers, NeverReadNotifications) {
    UnderAttack attacked({"--backlog-bytes", "4194304"});
    RawWorker member(attacked.door(), "member", 4096);
    const Group flooded{"flooded", "group"};
    ASSERT_TRUE(member.ask(proto::JoinRequest{flooded, 1, {}, false, 0}));
    auto notifier = Worker::connect({.nodes = {attacked.door()}, .name = "notifier"});
    ASSERT_TRUE(notifier);
    constexpr std::size_t kBytes = 256 << 10;
    const Data data{std::string("\xc6\x00\x04\x00\x00", 5) + std::string(kBytes, 'x')};
    for (int i = 0; i < 500; ++i) {
        const auto report = (*notifier)->notify_updated(flooded, data);
        ASSERT_TRUE(report) << report.error().text;
        // The kernel ends a connection that takes nothing for 5 s; the session outlives it.
        if (i % 10 == 0) member.acknowledge(0);
    }
    // All but 16, unless the session has ended meanwhile, too, on a slow machine.
    EXPECT_TRUE(attacked.counts("notifications_dropped", 100));
    attacked.expect_unharmed(100);
}

TEST(HostileWorkers, SayHelloWithoutEnd) {
    UnderAttack attacked({"--workers", "50"});
    RawPeer one(attacked.door());
    ASSERT_TRUE(one.shake("DEALER"));
    for (int i = 0; i < 20'000; ++i)
        ASSERT_TRUE(one.send(to_frame("hello-" + std::to_string(i), 0, 0, proto::WorkerHello{})));
    attacked.expect_serving();
    EXPECT_LE(attacked.counter("workers_refused_too_many"), 0u) << "one connection, one session";
    std::vector<RawPeer> many;
    for (int i = 0; i < 200; ++i) {
        many.emplace_back(attacked.door()).shake("DEALER");
        many.back().send(to_frame("hello-" + std::to_string(i), 0, 0, proto::WorkerHello{}));
    }
    EXPECT_TRUE(eventually([&] { return attacked.counter_from_inside("workers_refused_too_many") >= 140; }));
    attacked.expect_serving();
    many.clear();
    EXPECT_TRUE(attacked.counts("workers_refused_too_many", 140));
    attacked.expect_unharmed();
}

TEST(HostileWorkers, SayHelloAsNodesWithoutEnd) {
    UnderAttack attacked({"--peers", "16"});
    RawPeer peer(attacked.door());
    ASSERT_TRUE(peer.shake("DEALER"));
    for (int i = 0; i < 5000; ++i) {
        const std::string name = "phantom-" + std::to_string(i);
        const NodeId id{name, Incarnation{7}};
        const proto::PeerRecord record{id, 0, NodeState::alive, "127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:1", {}};
        ASSERT_TRUE(peer.send(to_frame(name, 7, 0, proto::Hello{record})));
    }
    EXPECT_TRUE(attacked.counts("peers_refused", 4900));
    attacked.expect_unharmed();
}

}  // namespace
}  // namespace muster::test
