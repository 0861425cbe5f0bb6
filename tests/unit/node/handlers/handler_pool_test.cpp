// How a pool gets around handlers that block.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "node/handlers/inbox.hpp"
#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

using IntInbox = Inbox<int>;
using test::kLong;
using test::Seen;

/// Handlers that all block at their first item until they are released.
class Blocked {
public:
    explicit Blocked(HandlerPool& pool) : pool_(pool) {}
    ~Blocked() {
        if (!open_) let_go();
    }
    void add(int count) {
        for (int i = 0; i < count; ++i) {
            inboxes_.push_back(std::make_shared<IntInbox>(pool_, IntInbox::Limits{}, [this](const int& item) {
                entered.add(item);
                opened_.wait();
                left.add(item);
            }));
            inboxes_.back()->push(static_cast<int>(inboxes_.size()), 1, 1);
        }
    }
    void let_go() {
        open_ = true;
        gate_.set_value();
    }

    Seen<int> entered;
    Seen<int> left;

private:
    HandlerPool& pool_;
    std::vector<std::shared_ptr<IntInbox>> inboxes_;
    bool open_ = false;
    std::promise<void> gate_;
    std::shared_future<void> opened_ = gate_.get_future().share();
};

bool comes_to(const HandlerPool& pool, std::size_t threads) {
    const auto end = std::chrono::steady_clock::now() + kLong;
    while (pool.threads() != threads && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return pool.threads() == threads;
}

TEST(HandlerPool, TenBlockedHandlersDoNotDelayTheEleventh) {
    HandlerPool pool({.threads = 2});
    Blocked blocked(pool);
    blocked.add(10);
    EXPECT_EQ(blocked.entered.wait_for(10).size(), 10u);
    std::promise<void> ran;
    auto other = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int&) { ran.set_value(); });
    const auto begun = std::chrono::steady_clock::now();
    other->push(1, 1, 1);
    ASSERT_EQ(ran.get_future().wait_for(kLong), std::future_status::ready);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(5));
    EXPECT_TRUE(blocked.left.now().empty());
    EXPECT_GE(pool.threads(), 11u);
    blocked.let_go();
    EXPECT_EQ(blocked.left.wait_for(10).size(), 10u);
}

TEST(HandlerPool, EndsThreadsThatWereIdle) {
    HandlerPool pool({.threads = 2, .patience = std::chrono::milliseconds(1), .linger = std::chrono::milliseconds(20)});
    for (int round = 0; round < 3; ++round) {
        Blocked blocked(pool);
        blocked.add(8);
        EXPECT_EQ(blocked.entered.wait_for(8).size(), 8u);
        EXPECT_GE(pool.threads(), 8u);
        blocked.let_go();
        EXPECT_EQ(blocked.left.wait_for(8).size(), 8u);
        EXPECT_TRUE(comes_to(pool, 2)) << pool.threads();
    }
}

TEST(HandlerPool, ASlowHandlerYieldsAfterEachCall) {
    HandlerPool pool({.threads = 1, .max_threads = 1});
    Blocked blocked(pool);
    blocked.add(1);
    EXPECT_EQ(blocked.entered.wait_for(1).size(), 1u);
    std::vector<int> order;  // of the one thread
    std::promise<void> done;
    const auto slow = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int& item) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than a turn
        order.push_back(item);
        if (item == 3) done.set_value();
    });
    const auto quick =
        std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int& item) { order.push_back(-item); });
    for (int i = 1; i <= 3; ++i) slow->push(i, 1, 1);
    quick->push(1, 1, 1);
    blocked.let_go();
    ASSERT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
    EXPECT_EQ(order, (std::vector<int>{1, -1, 2, 3}));
}

TEST(HandlerPool, StartsAtMostMaxThreads) {
    HandlerPool pool({.threads = 1, .max_threads = 3, .patience = std::chrono::milliseconds(1)});
    Blocked blocked(pool);
    blocked.add(6);
    EXPECT_EQ(blocked.entered.wait_for(3).size(), 3u);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // many times what it takes to start another
    EXPECT_EQ(pool.threads(), 3u);
    EXPECT_EQ(blocked.entered.now().size(), 3u);
    blocked.let_go();
    EXPECT_EQ(blocked.left.wait_for(6).size(), 6u);
}

// A thread that looks for work is not woken, and must not be counted on by two.
TEST(HandlerPool, APollingThreadTakesOneStrand) {
    HandlerPool pool({.threads = 2, .patience = std::chrono::hours(1), .busy_poll = std::chrono::hours(1)});
    for (int round = 0; round < 100; ++round) {
        Blocked blocked(pool);
        blocked.add(2);
        EXPECT_EQ(blocked.entered.wait_for(2).size(), 2u);
        blocked.let_go();
        EXPECT_EQ(blocked.left.wait_for(2).size(), 2u);
    }
}

TEST(HandlerPool, StopsWhileItHasGrown) {
    HandlerPool pool({.threads = 1, .patience = std::chrono::milliseconds(1)});
    Blocked blocked(pool);
    blocked.add(5);
    EXPECT_EQ(blocked.entered.wait_for(5).size(), 5u);
    std::thread stopper([&] { pool.stop(); });
    blocked.let_go();
    stopper.join();
    EXPECT_EQ(blocked.left.now().size(), 5u);
}

}  // namespace
}  // namespace muster::node
