// Whoever is stuck is stuck alone: how long healthy workers need for each other,
// before and while somebody hangs; and that the one who hung misses nothing.
#include <gtest/gtest.h>
#include <muster/node.hpp>
#include <muster/worker.hpp>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>

#include "tests/integration/bystanders.hpp"
#include "tests/integration/feed.hpp"
#include "tests/integration/listener.hpp"
#include "tests/integration/mode.hpp"
#include "tests/integration/proxied_cluster.hpp"

namespace muster::test {
namespace {

constexpr milliseconds kQuiet{2000};
constexpr milliseconds kStuck{3000};
constexpr milliseconds kStuckBeyondDetection{4000};  // a silent node is down after 2.5 s
constexpr std::size_t kInbox = 16;                   // so that a handler that blocks holds back its node, too
const std::vector<std::string> kArguments{"--session-grace", "30000"};

/// What a handler waits at while it is closed.
class Gate {
public:
    void set(bool open) {
        const std::lock_guard lock(mutex_);
        open_ = open;
        changed_.notify_all();
    }
    void pass() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
};

/// Opens it for good in the end: whose handler waits cannot be closed.
struct OpenInTheEnd {
    Gate& gate;
    ~OpenInTheEnd() { gate.set(true); }
};

struct Victim {
    std::function<void()> stick;
    std::function<void()> release;
    std::function<std::uint64_t()> arrived;  // so far
};

void expect_no_slower(const char* who, const Latency& quiet, const Latency& stuck) {
    std::printf("[ measured ] others, all well:  %s\n[ measured ] others, %s: %s\n", to_text(quiet).c_str(), who,
                to_text(stuck).c_str());
    // A queue behind the stuck one would cost its whole stay, seconds. What is allowed beside the factor is what a
    // machine with more threads than processors takes from a process at its leisure.
    EXPECT_LE(stuck.p50, 3 * quiet.p50 + milliseconds(1));
    EXPECT_LE(stuck.p99, 5 * quiet.p99 + milliseconds(20));
    EXPECT_LE(stuck.longest, 5 * quiet.longest + kStuck / 2);
}

void expect_stuck_alone(const char* who, Bystanders& others, Feed& feed, const Victim& victim, milliseconds duration) {
    const auto quiet = others.measure(kQuiet);
    victim.stick();
    const auto sent = feed.matched();
    const auto arrived = victim.arrived();
    const auto stuck = others.measure(duration);
    EXPECT_GT(feed.matched() - sent, 100u);
    EXPECT_LT(victim.arrived() - arrived, 20u) << "it was not stuck";
    victim.release();
    feed.stop();
    expect_no_slower(who, quiet, stuck);
    EXPECT_TRUE(eventually([&] { return victim.arrived() >= feed.matched(); }));
    EXPECT_EQ(victim.arrived(), feed.matched());
    for (const auto& line : feed.verdict()) ADD_FAILURE() << line;
}

/// A member of the feed's group that passes on to it what arrives.
void join_feed(Tracker& tracker, Feed& feed, Gate& gate) {
    JoinOptions options;
    options.visible = true;
    const auto joined = tracker.join(
        kFed,
        [&](const Notification& notification) {
            gate.pass();
            feed.arrived(notification.data);
        },
        options);
    ASSERT_TRUE(joined) << joined.error().text;
}

std::unique_ptr<Worker> attach(const std::string& node) {
    auto worker = Worker::connect(with_keys(Worker::Options{.nodes = {node}, .name = "fed", .inbox = kInbox}));
    EXPECT_TRUE(worker) << worker.error().text;
    return worker ? std::move(*worker) : nullptr;
}

TEST(StuckAlone, AStoppedWorker) {
    Cluster cluster(3, kArguments);
    Bystanders others(cluster.addresses());
    const auto worker = join(cluster, 1);
    Feed feed(cluster.address(0));
    std::size_t taken = 0;
    const auto arrived = [&] {
        const auto lines = worker->lines();
        for (; taken < lines.size(); ++taken) {
            const auto line = Json::parse(lines[taken]);
            if (line["event"] != "updated") continue;
            const auto stamp = line["data"].get<std::array<std::uint32_t, 2>>();
            feed.arrived(to_data({stamp[0], stamp[1]}));
        }
        return feed.count_arrived();
    };
    expect_stuck_alone("a worker stopped", others, feed,
                       {[&] { worker->signal(SIGSTOP); }, [&] { worker->signal(SIGCONT); }, arrived}, kStuck);
}

TEST(StuckAlone, AWorkerWhoseHandlerBlocks) {
    Cluster cluster(3, kArguments);
    Bystanders others(cluster.addresses());
    Gate gate;
    Feed feed(cluster.address(0));
    const auto worker = attach(cluster.address(1));
    const OpenInTheEnd guard{gate};
    join_feed(*worker, feed, gate);
    expect_stuck_alone("a handler of a worker blocks", others, feed,
                       {[&] { gate.set(false); }, [&] { gate.set(true); }, [&] { return feed.count_arrived(); }},
                       kStuck);
}

TEST(StuckAlone, AHandlerOfAnEmbeddedNodeThatBlocks) {
    key_flags("inside");  // known to the others before they start
    Cluster cluster(2, kArguments);
    Gate gate;
    Feed feed(cluster.address(0));
    auto node = Node::start(
        with_node_keys(Node::Options{.name = "inside", .listen = "127.0.0.1:0", .seeds = cluster.addresses()}));
    ASSERT_TRUE(node) << node.error().text;
    ASSERT_TRUE((*node)->wait_ready(kPatience));
    const OpenInTheEnd guard{gate};
    ASSERT_TRUE(cluster.wait_alive(0, 3));
    Bystanders others(cluster.addresses());
    others.add(**node);
    join_feed(**node, feed, gate);
    expect_stuck_alone("a handler of an embedded node blocks", others, feed,
                       {[&] { gate.set(false); }, [&] { gate.set(true); }, [&] { return feed.count_arrived(); }},
                       kStuck);
}

TEST(StuckAlone, AStoppedNode) {
    Cluster cluster(3, kArguments);
    Bystanders others({cluster.address(0), cluster.address(1)});
    Gate gate;
    Feed feed(cluster.address(0));
    const auto worker = attach(cluster.address(2));
    join_feed(*worker, feed, gate);
    expect_stuck_alone("a node stopped", others, feed,
                       {[&] { cluster.node(2).signal(SIGSTOP); }, [&] { cluster.node(2).signal(SIGCONT); },
                        [&] { return feed.count_arrived(); }},
                       kStuckBeyondDetection);
}

TEST(StuckAlone, ANodeBehindADeadLink) {
    ProxiedCluster cluster(3, 1, kArguments);
    Bystanders others({cluster.nodes().address(0), cluster.nodes().address(1)});
    Gate gate;
    Feed feed(cluster.nodes().address(0));
    const auto worker = attach(cluster.nodes().address(2));
    join_feed(*worker, feed, gate);
    expect_stuck_alone(
        "a node behind a dead link", others, feed,
        {[&] { cluster.proxy().stall("n3"); }, [&] { cluster.proxy().go_on(); }, [&] { return feed.count_arrived(); }},
        kStuckBeyondDetection);
}

}  // namespace
}  // namespace muster::test
