// A worker in a process that forks: the parent's worker in the child, and a worker of the child's own.
#include <muster/worker.hpp>

#include <gtest/gtest.h>
#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/unit/node/client/fake_node.hpp"
#include "tests/unit/node/forked.hpp"

namespace muster::client {
namespace {

using test::status_of_child;

const Group kForkGroup{"orders", "subscriptions"};

std::unique_ptr<Worker> connect(const FakeNode& node, std::string name) {
    auto worker = Worker::connect({.nodes = {node.address()}, .name = std::move(name)});
    return worker ? std::move(*worker) : nullptr;
}

class Fork : public testing::Test {
protected:
    void SetUp() override {
#if defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "the thread sanitizer does not follow forks of processes with threads";
#endif
        worker_ = connect(a_, "parent");
        ASSERT_TRUE(worker_);
        ASSERT_TRUE(worker_->join(kForkGroup, [](const Notification&) {}));
    }
    /// The parent's worker has not noticed anything.
    void TearDown() override {
        if (!worker_) return;
        EXPECT_TRUE(worker_->join(kForkGroup, {}));
        EXPECT_TRUE(a_.wait_for([](const FakeNode& n) { return n.goodbyes == 0 && n.members.size() == 2; }));
        worker_.reset();
        EXPECT_TRUE(a_.wait_for([](const FakeNode& n) { return n.goodbyes == 1; }));
    }

    FakeNode a_{"a"};
    FakeNode b_{"b"};
    std::unique_ptr<Worker> worker_;
};

TEST_F(Fork, EachCallInAChildSaysImmediatelyThatTheWorkerIsTheParents) {
    const auto closed = [](const auto& result) { return !result && result.error().code == ErrorCode::closed; };
    EXPECT_EQ(status_of_child([&] {
                  if (!closed(worker_->join(kForkGroup, {}, JoinOptions{}))) return 1;
                  if (!closed(worker_->leave(kForkGroup, 1))) return 2;
                  if (!closed(worker_->members(kForkGroup))) return 3;
                  if (!closed(worker_->groups())) return 4;
                  if (!closed(worker_->notify(NotificationKind::created, kForkGroup, {}, {}))) return 5;
                  if (!closed(worker_->post(NotificationKind::created, kForkGroup, {}).get())) return 6;
                  if (!closed(worker_->watch_all({}))) return 7;
                  if (worker_->unwatch(Watch{1})) return 8;
                  static_cast<void>(worker_->node());
                  worker_->close();
                  worker_.reset();
                  return 0;
              }),
              0);
}

TEST_F(Fork, AChildMakesAWorkerOfItsOwn) {
    EXPECT_EQ(status_of_child([&] {
                  const auto own = connect(b_, "child");
                  if (!own) return 1;
                  std::promise<void> called;
                  if (!own->join(kForkGroup, [&](const Notification&) { called.set_value(); })) return 2;
                  own->close();
                  return 0;
              }),
              0);
    EXPECT_TRUE(b_.wait_for([](const FakeNode& n) { return n.goodbyes == 1 && n.members.size() == 1; }));
}

TEST_F(Fork, AGrandchildDoesToo) {
    EXPECT_EQ(status_of_child([&] {
                  const auto own = connect(b_, "child");
                  if (!own) return 1;
                  return status_of_child([&] {
                      if (own->members(kForkGroup) || worker_->members(kForkGroup)) return 2;
                      const auto grand = connect(a_, "grandchild");
                      return grand && grand->node().id.name == "a" ? 0 : 3;
                  });
              }),
              0);
    worker_.reset();  // its node served the grandchild last
}

TEST_F(Fork, AChildOfAHandlerEndsWhenItReturnsFromIt) {
    for (const bool throws : {false, true}) {
        std::promise<int> ended;
        const auto own = connect(b_, "forks");
        ASSERT_TRUE(own);
        ASSERT_TRUE(own->join(kForkGroup, [&](const Notification&) {
            const pid_t child = ::fork();
            if (child != 0) return ended.set_value(test::status_of(child));
            if (throws) throw std::runtime_error("in the child");
        }));
        b_.notify("\xc0");
        EXPECT_EQ(ended.get_future().get(), 0) << "throws " << throws;
        EXPECT_TRUE(own->join(kForkGroup, {})) << "the parent's worker goes on";
    }
}

TEST_F(Fork, WhileOtherThreadsCall) {
    std::atomic<bool> over{false};
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i)
        callers.emplace_back([&] {
            while (!over) {
                const auto watch = worker_->watch_all({});
                if (watch) worker_->unwatch(*watch);
            }
        });
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(status_of_child([&] {
                      if (worker_->members(kForkGroup) || worker_->watch_all({})) return 1;
                      worker_->close();
                      worker_.reset();
                      return connect(b_, "child") ? 0 : 2;
                  }),
                  0);
    }
    over = true;
    for (auto& caller : callers) caller.join();
}

}  // namespace
}  // namespace muster::client
