#include "node/handlers/inbox.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <numeric>
#include <vector>

#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

using IntInbox = Inbox<int>;
using test::kLong;

/// Blocks threads that pass until it is opened.
class Gate {
public:
    void pass() { opened_.wait(); }
    void open() { promise_.set_value(); }

private:
    std::promise<void> promise_;
    std::shared_future<void> opened_ = promise_.get_future().share();
};

/// Holds the only thread of a pool at a gate, and waits for what it has done.
struct Held {
    Gate gate;
    std::promise<void> entered;
    std::vector<int> seen;
    std::vector<std::uint64_t> dropped;
    std::promise<void> finished;

    IntInbox::Run run(int last) {
        return [this, last](const int& item) {
            if (item == 0) {
                entered.set_value();
                gate.pass();
            }
            seen.push_back(item);
            if (item == last) finished.set_value();
        };
    }
    void wait(std::promise<void>& promise) {
        ASSERT_EQ(promise.get_future().wait_for(kLong), std::future_status::ready);
    }
};

TEST(Inbox, RunsItemsInOrderAndInboxesInParallel) {
    constexpr int kStrands = 20;
    constexpr int kItems = 2000;
    HandlerPool pool({.threads = 3});
    std::vector<std::vector<int>> seen(kStrands);
    std::atomic<int> left = kStrands;
    std::promise<void> all;
    std::vector<std::shared_ptr<IntInbox>> inboxes;
    for (auto& own : seen)
        inboxes.push_back(std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int& item) {
            own.push_back(item);  // not guarded: a strand runs one item at a time
            if (item == kItems - 1 && --left == 0) all.set_value();
        }));
    for (int i = 0; i < kItems; ++i)
        for (auto& inbox : inboxes) inbox->push(i, 1, 1);
    ASSERT_EQ(all.get_future().wait_for(kLong), std::future_status::ready);
    for (const auto& own : seen) {
        ASSERT_EQ(own.size(), static_cast<std::size_t>(kItems));
        EXPECT_TRUE(std::is_sorted(own.begin(), own.end()));
    }
}

TEST(Inbox, ABlockedInboxDoesNotStopOthers) {
    HandlerPool pool({.threads = 2});
    Held stuck;
    auto blocked = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, stuck.run(1));
    blocked->push(0, 1, 1);
    stuck.wait(stuck.entered);
    blocked->push(1, 1, 1);
    std::promise<void> other_ran;
    auto other = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int&) { other_ran.set_value(); });
    other->push(5, 1, 1);
    EXPECT_EQ(other_ran.get_future().wait_for(kLong), std::future_status::ready);
    EXPECT_TRUE(stuck.seen.empty());
    stuck.gate.open();
    stuck.wait(stuck.finished);
    EXPECT_EQ(stuck.seen, (std::vector<int>{0, 1}));
}

TEST(Inbox, DropsTheOldestAndReportsHowMany) {
    HandlerPool pool({.threads = 1});
    Held held;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{3, 1000}, held.run(9),
                                            [&](std::uint64_t missed) { held.dropped.push_back(missed); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    for (int i = 1; i < 10; ++i) inbox->push(i, 1, 1);
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(held.seen, (std::vector<int>{0, 7, 8, 9}));
    EXPECT_EQ(held.dropped, std::vector<std::uint64_t>{6});
}

TEST(Inbox, ReportsEachDroppedItemOnce) {
    for (const int many : {1, 2, 1000}) {
        HandlerPool pool({.threads = 1});
        Held held;
        std::vector<int> missed;
        auto inbox = std::make_shared<IntInbox>(
            pool, IntInbox::Limits{1, 1000}, held.run(many + 1), [&](std::uint64_t n) { held.dropped.push_back(n); },
            [&](const int& item, MissReason reason) {
                EXPECT_EQ(reason, MissReason::overflow);
                missed.push_back(item);
            });
        inbox->push(0, 1, 1);
        held.wait(held.entered);
        for (int i = 1; i <= many + 1; ++i) inbox->push(i, 1, 1);
        held.gate.open();
        held.wait(held.finished);
        EXPECT_EQ(held.seen, (std::vector<int>{0, many + 1}));
        EXPECT_EQ(held.dropped, std::vector<std::uint64_t>{static_cast<std::uint64_t>(many)});
        std::vector<int> expected(static_cast<std::size_t>(many));
        std::iota(expected.begin(), expected.end(), 1);
        EXPECT_EQ(missed, expected);
    }
}

TEST(Inbox, RefusesTheNewestAndReportsTheGapInOrder) {
    HandlerPool pool({.threads = 1});
    Held held;
    std::vector<std::pair<int, MissReason>> missed;
    auto inbox = std::make_shared<IntInbox>(
        pool, IntInbox::Limits{2, 1000, OverflowPolicy::refuse_newest}, held.run(5),
        [&](std::uint64_t n) { held.seen.push_back(-static_cast<int>(n)); },
        [&](const int& item, MissReason reason) { missed.emplace_back(item, reason); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    for (int i = 1; i <= 4; ++i) inbox->push(i, 1, 1);  // 3 and 4 find no room
    EXPECT_EQ(missed, (std::vector<std::pair<int, MissReason>>{{3, MissReason::overflow}, {4, MissReason::overflow}}));
    inbox->clear();
    inbox->push(5, 1, 1);
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(held.seen, (std::vector<int>{0, -2, 5}));
}

TEST(Inbox, ReportsAGapAfterTheLastItem) {
    HandlerPool pool({.threads = 1});
    Held held;
    std::promise<std::uint64_t> told;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{1, 1000, OverflowPolicy::refuse_newest}, held.run(1),
                                            [&](std::uint64_t n) { told.set_value(n); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    for (int i = 1; i <= 3; ++i) inbox->push(i, 1, 1);
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(told.get_future().get(), 2u);
}

/// Numbers of losses come from other nodes.
TEST(Inbox, AGapNeverWrapsAround) {
    HandlerPool pool({.threads = 1});
    Held held;
    std::vector<std::uint64_t> told;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{1, 1000, OverflowPolicy::drop_oldest}, held.run(3),
                                            [&](std::uint64_t n) { told.push_back(n); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    inbox->lose(UINT64_MAX);
    inbox->lose(12);
    for (int i = 1; i <= 3; ++i) inbox->push(i, 1, 1);  // 1 and 2 are dropped after the loss
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(told, (std::vector<std::uint64_t>{UINT64_MAX}));
}

TEST(Inbox, ItemsOfAnAbandonedInboxAreMissedAsLeft) {
    HandlerPool pool({.threads = 1});
    Held held;
    std::vector<std::pair<int, MissReason>> missed;
    auto inbox =
        std::make_shared<IntInbox>(pool, IntInbox::Limits{}, held.run(99), IntInbox::OnGap{},
                                   [&](const int& item, MissReason reason) { missed.emplace_back(item, reason); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    inbox->push(1, 1, 1);
    inbox->push(2, 1, 1);
    inbox->abandon();  // does not wait for the item under way
    inbox->push(3, 1, 1);
    EXPECT_TRUE(held.seen.empty());
    held.gate.open();
    inbox->close();
    EXPECT_EQ(held.seen, std::vector<int>{0});
    EXPECT_EQ(missed, (std::vector<std::pair<int, MissReason>>{
                          {1, MissReason::left}, {2, MissReason::left}, {3, MissReason::left}}));
}

TEST(Inbox, BoundsBytesAndWeight) {
    HandlerPool pool({.threads = 1});
    Held held;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{100, 10}, held.run(3),
                                            [&](std::uint64_t missed) { held.dropped.push_back(missed); });
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    inbox->push(1, 5, 6);
    inbox->push(2, 1, 6);    // its bytes push the first out
    inbox->push(3, 1, 500);  // alone, it is taken whatever its size
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(held.seen, (std::vector<int>{0, 3}));
    EXPECT_EQ(held.dropped, std::vector<std::uint64_t>{6});
}

TEST(Inbox, OfferRefusesInsteadOfDropping) {
    HandlerPool pool({.threads = 1});
    Held held;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{2, 1000}, held.run(7));
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    EXPECT_TRUE(inbox->offer(1, 1, 1));
    EXPECT_TRUE(inbox->offer(2, 1, 1));
    EXPECT_FALSE(inbox->offer(3, 1, 1));
    inbox->clear();
    EXPECT_TRUE(inbox->offer(7, 1, 1));
    held.gate.open();
    held.wait(held.finished);
    EXPECT_EQ(held.seen, (std::vector<int>{0, 7}));
}

TEST(Inbox, CloseWaitsForTheRunningItem) {
    HandlerPool pool({.threads = 1});
    Held held;
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, held.run(99));
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    std::atomic<bool> closed = false;
    std::thread closer([&] {
        inbox->close();
        closed = true;
        EXPECT_EQ(held.seen, std::vector<int>{0});
    });
    EXPECT_FALSE(closed);
    held.gate.open();
    closer.join();
    inbox->push(2, 1, 1);
    pool.stop();
    EXPECT_EQ(held.seen, std::vector<int>{0});
}

TEST(Inbox, CloseFromARunningItemDoesNotWaitForIt) {
    HandlerPool pool({.threads = 1});
    std::vector<int> seen;
    std::promise<void> closed;
    std::shared_ptr<IntInbox> inbox;
    Gate pushed;
    inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, [&](const int& item) {
        pushed.pass();
        inbox->close();
        seen.push_back(item);
        closed.set_value();
    });
    inbox->push(1, 1, 1);
    inbox->push(2, 1, 1);
    pushed.open();
    ASSERT_EQ(closed.get_future().wait_for(kLong), std::future_status::ready);
    pool.stop();
    EXPECT_EQ(seen, std::vector<int>{1});
}

TEST(Inbox, RunsNothingAfterThePoolHasStopped) {
    Held held;
    HandlerPool pool({.threads = 1});
    auto inbox = std::make_shared<IntInbox>(pool, IntInbox::Limits{}, held.run(99));
    inbox->push(0, 1, 1);
    held.wait(held.entered);
    std::thread stopper([&] { pool.stop(); });
    held.gate.open();
    stopper.join();
    const auto seen = held.seen.size();
    inbox->push(3, 1, 1);
    EXPECT_EQ(held.seen.size(), seen);
}

}  // namespace
}  // namespace muster::node
