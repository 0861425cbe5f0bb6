// How many answers are made for many callers.
#include "node/daemon/shared_answer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace muster::daemon {
namespace {

using std::chrono::milliseconds;

TEST(SharedAnswer, IsMadeOnceForAllWhoWait) {
    std::promise<void> begun;
    std::promise<void> go_on;
    int made = 0;
    SharedAnswer<int> answer([&] {
        if (++made == 1) {
            begun.set_value();
            go_on.get_future().wait();
        }
        return made;
    });
    auto first = std::async(std::launch::async, [&] { return *answer.get(); });
    begun.get_future().wait();
    std::atomic<int> asking = 0;
    std::vector<std::future<int>> others;
    for (int i = 0; i < 10; ++i)
        others.push_back(std::async(std::launch::async, [&] {
            ++asking;
            return *answer.get();
        }));
    while (asking < 10) std::this_thread::yield();
    std::this_thread::sleep_for(milliseconds(100));  // until they wait; if not, they may get a third answer
    go_on.set_value();
    EXPECT_EQ(first.get(), 1);
    for (auto& other : others) EXPECT_GE(other.get(), 2) << "it was begun before the call";
    EXPECT_LE(made, 3);
}

TEST(SharedAnswer, IsFreshForEachCallOfOne) {
    int made = 0;
    SharedAnswer<int> answer([&] { return ++made; });
    for (int i = 1; i < 10; ++i) EXPECT_EQ(*answer.get(), i);
}

TEST(SharedAnswer, RestsBetweenTwo) {
    std::vector<std::chrono::steady_clock::time_point> begun;
    SharedAnswer<int> answer([&] {
        begun.push_back(std::chrono::steady_clock::now());
        std::this_thread::sleep_for(milliseconds(10));
        return 0;
    });
    for (int i = 0; i < 3; ++i) answer.get();
    EXPECT_GE(begun[1] - begun[0], milliseconds(110));
    EXPECT_GE(begun[2] - begun[1], milliseconds(110));
}

TEST(SharedAnswer, IsTriedAgainAfterAnException) {
    int made = 0;
    SharedAnswer<int> answer([&] {
        if (++made == 1) throw std::runtime_error("as planned");
        return made;
    });
    EXPECT_THROW(answer.get(), std::runtime_error);
    EXPECT_EQ(*answer.get(), 2);
}

}  // namespace
}  // namespace muster::daemon
