// The workers of a process share a connection to their node, and nothing else.
#include <gtest/gtest.h>
#include <muster/worker.hpp>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"
#include "tests/integration/mode.hpp"

namespace muster::test {
namespace {

const Group kShared{"orders", "subscriptions"};
constexpr std::size_t kWorkers = 8;

Data encoded(std::uint32_t value) {
    std::string bytes = "\xce";
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xffu);
    return {bytes};
}

std::vector<std::string> numbers(std::uint32_t count) {
    std::vector<std::string> all;
    for (std::uint32_t i = 0; i < count; ++i) all.push_back(encoded(i).msgpack);
    return all;
}

/// A worker with one member, and what that was told.
class Member {
public:
    Member(std::vector<std::string> nodes, const std::string& name) {
        Worker::Options options{.nodes = std::move(nodes), .name = name, .in_order = true};
        options.inbox = 4;
        options.on_gap = [this](const Worker::Gap&) { ++gaps_; };
        auto made = Worker::connect(with_keys(std::move(options)));
        if (!made) throw std::runtime_error(made.error().text);
        worker_ = std::move(*made);
        const auto joined = worker_->join(
            kShared, [this](const Notification& notification) { take(notification.data.msgpack); }, {.visible = true});
        if (!joined) throw std::runtime_error(joined.error().text);
    }
    ~Member() {
        release();
        worker_->close();
    }
    /// Its handler does not return until `release`.
    void block() {
        const std::lock_guard lock(mutex_);
        blocked_ = true;
    }
    void release() {
        const std::lock_guard lock(mutex_);
        blocked_ = false;
        changed_.notify_all();
    }
    /// What it was told, when that is so much, or a moment later nothing more came.
    std::vector<std::string> wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kPatience, [&] { return told_.size() >= count; });
        return told_;
    }
    [[nodiscard]] std::size_t told() {
        const std::lock_guard lock(mutex_);
        return told_.size();
    }
    [[nodiscard]] int gaps() const { return gaps_; }
    [[nodiscard]] Worker& worker() { return *worker_; }

private:
    void take(const std::string& data) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !blocked_; });
        told_.push_back(data);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool blocked_ = false;
    std::vector<std::string> told_;
    std::atomic<int> gaps_{0};
    std::unique_ptr<Worker> worker_;
};

std::vector<std::unique_ptr<Member>> members(const std::vector<std::string>& nodes) {
    std::vector<std::unique_ptr<Member>> all;
    for (std::size_t i = 0; i < kWorkers; ++i) all.push_back(std::make_unique<Member>(nodes, "m" + std::to_string(i)));
    return all;
}

void post(Worker& worker, std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i < last; ++i)
        static_cast<void>(worker.post(NotificationKind::created, kShared, encoded(i)));
}

TEST(Sharing, WorkersOfAProcessHaveOneConnectionToTheirNode) {
    const Cluster cluster(1);
    const auto door = [](Member& member) { return member.worker().status()->counters.at("connections_door"); };
    Member first({cluster.address(0)}, "first");
    const auto alone = door(first);
    const auto others = members({cluster.address(0)});
    EXPECT_EQ(door(first), alone);
    post(first.worker(), 0, 1000);
    for (const auto& member : others) EXPECT_EQ(member->wait(1000), numbers(1000));
}

TEST(Sharing, AHandlerThatBlocksHoldsBackNoOtherWorker) {
    const Cluster cluster(1);
    const auto all = members({cluster.address(0)});
    constexpr std::uint32_t kMany = 5000;  // more than may be in flight
    all[0]->block();
    post(all[1]->worker(), 0, kMany);
    for (std::size_t i = 1; i < kWorkers; ++i) EXPECT_EQ(all[i]->wait(kMany), numbers(kMany)) << i;
    EXPECT_EQ(all[0]->told(), 0u);
    all[0]->release();
    EXPECT_EQ(all[0]->wait(kMany), numbers(kMany));
    EXPECT_EQ(all[0]->gaps(), 0);
}

TEST(Sharing, WorkersThatLoseTheirNodeTogetherMissNothing) {
    Cluster cluster(2);
    const auto all = members(cluster.addresses());
    Member notifier({cluster.address(1)}, "notifier");
    constexpr std::uint32_t kHalf = 2000;
    post(notifier.worker(), 0, kHalf);
    cluster.node(0).signal(SIGKILL);
    post(notifier.worker(), kHalf, 2 * kHalf);
    for (const auto& member : all) {
        EXPECT_EQ(member->wait(2 * kHalf), numbers(2 * kHalf));
        EXPECT_EQ(member->gaps(), 0);
        EXPECT_EQ(member->worker().node().id.name, "n2");
    }
}

}  // namespace
}  // namespace muster::test
