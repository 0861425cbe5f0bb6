// "Subscribe, then publish" loses nothing: who joins visibly gets what any node is told a moment later.
#include <gtest/gtest.h>
#include <muster/worker.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>

#include "tests/integration/cluster.hpp"
#include "tests/integration/mode.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

const Group kGroup{"orders", "subscriptions"};
constexpr int kRounds = 10'000;

/// What one member was told, by notifier.
class Heard {
public:
    void tell(const Notification& notification) {
        const std::lock_guard lock(mutex_);
        ++by_[notification.from_worker];
        changed_.notify_all();
    }
    /// Waits until it has heard of two.
    std::map<std::string, int> both() {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, kPatience, [this] { return by_.size() == 2; });
        return by_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, int> by_;
};

/// A worker at a node, with a thread that notifies the group whenever it is told to.
class Notifier {
public:
    Notifier(const std::string& node, const std::string& name) {
        auto made = Worker::connect(with_keys(Worker::Options{.nodes = {node}, .name = name}));
        if (!made) throw std::runtime_error(made.error().text);
        worker_ = std::move(*made);
        thread_ = std::thread([this] {
            for (go_.acquire(); !stop_; go_.acquire()) {
                report_ = worker_->notify_created(kGroup, Data{});
                done_.release();
            }
        });
    }
    ~Notifier() {
        stop_ = true;
        go_.release();
        thread_.join();
    }
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    [[nodiscard]] Worker& worker() { return *worker_; }
    void begin() { go_.release(); }
    Result<NotifyReport> report() {
        done_.acquire();
        return report_;
    }

private:
    std::unique_ptr<Worker> worker_;
    std::binary_semaphore go_{0};
    std::binary_semaphore done_{0};
    bool stop_ = false;
    Result<NotifyReport> report_{NotifyReport{}};
    std::thread thread_;
};

struct Visible : testing::Test {
    /// One joins, the others notify at once; false when anything was missed.
    void round(std::size_t joining) {
        auto& joiner = notifiers[joining]->worker();
        const auto heard = std::make_shared<Heard>();
        JoinOptions options;
        options.visible = true;
        options.timeout = kPatience;
        const auto joined = joiner.join(
            kGroup, [heard](const Notification& n) { heard->tell(n); }, options);
        ASSERT_TRUE(joined) << joined.error().text;
        ASSERT_EQ(joined->unseen, 0u);
        std::map<std::string, int> expected;
        for (std::size_t i = 0; i < notifiers.size(); ++i)
            if (i != joining) notifiers[i]->begin();
        for (std::size_t i = 0; i < notifiers.size(); ++i) {
            if (i == joining) continue;
            const auto report = notifiers[i]->report();
            ASSERT_TRUE(report) << report.error().text;
            ASSERT_GE(report->matched, 1u);
            expected[notifiers[i]->worker().name()] = 1;
        }
        ASSERT_EQ(heard->both(), expected);
        const auto left = joiner.leave(kGroup, joined->members);
        ASSERT_TRUE(left) << left.error().text;
        ASSERT_EQ(left->size(), 1u);
    }

    Cluster cluster{3};
    std::array<std::unique_ptr<Notifier>, 3> notifiers{std::make_unique<Notifier>(cluster.address(0), "at-n1"),
                                                       std::make_unique<Notifier>(cluster.address(1), "at-n2"),
                                                       std::make_unique<Notifier>(cluster.address(2), "at-n3")};
};

TEST_F(Visible, TenThousandTimesBothOthersReachTheNewMember) {
    const auto since = Clock::now();
    for (int i = 0; i < kRounds; ++i) {
        round(static_cast<std::size_t>(i) % notifiers.size());
        if (HasFatalFailure()) {
            std::printf("in round %d\n", i);
            return;
        }
    }
    const std::chrono::duration<double> took = Clock::now() - since;
    std::printf("[ measured ] %d rounds of join --visible, two notify, two deliveries, leave: %.0f a second\n", kRounds,
                kRounds / took.count());
}

}  // namespace
}  // namespace muster::test
