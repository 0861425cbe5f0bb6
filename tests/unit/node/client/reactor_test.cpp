#include "node/client/reactor.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <thread>

namespace muster::client {
namespace {

using namespace std::chrono_literals;
using Registration = std::shared_ptr<Reactor::Registration>;

Instant now() {
    return std::chrono::steady_clock::now();
}

constexpr auto kFarOff = 1h;

/// Calls a function in each turn, and counts the turns.
class Counted : public Reactor::Task {
public:
    explicit Counted(std::function<std::optional<Instant>(int turns)> each) : each_(std::move(each)) {}

    std::optional<Instant> turn() override {
        const int count = turns_ + 1;
        const auto next = each_(count);
        turns_ = count;
        return next;
    }
    [[nodiscard]] int turns() const { return turns_; }
    [[nodiscard]] const Registration& registration() const { return registration_; }

private:
    const std::function<std::optional<Instant>(int turns)> each_;
    std::atomic<int> turns_{0};
    const Registration registration_ = std::make_shared<Reactor::Registration>(*this);
};

/// Waits until the task has had so many turns. If they never come, the test times out.
void wait_for(const Counted& task, int turns) {
    while (task.turns() < turns) std::this_thread::yield();
}

TEST(Reactor, ATaskGetsItsFirstTurnWithoutBeingWoken) {
    Reactor reactor;
    Counted task([](int) { return std::nullopt; });
    reactor.add(task.registration());
    reactor.wait_until_ended(task.registration());
    EXPECT_EQ(task.turns(), 1);
}

TEST(Reactor, ATaskGetsATurnAtItsDeadline) {
    Reactor reactor;
    const auto begin = now();
    Counted task([&](int turns) { return turns == 1 ? std::optional(begin + 20ms) : std::nullopt; });
    reactor.add(task.registration());
    reactor.wait_until_ended(task.registration());
    EXPECT_EQ(task.turns(), 2);
    EXPECT_GE(now() - begin, 20ms);
}

TEST(Reactor, EveryWakeUpIsFollowedByATurnThatBeginsAfterIt) {
    Reactor reactor;
    constexpr int kTimes = 20'000;
    std::atomic<int> told = 0;
    std::atomic<int> seen = 0;
    Counted task([&](int) -> std::optional<Instant> {
        seen = told.load();
        return seen == kTimes ? std::nullopt : std::optional(now() + kFarOff);
    });
    reactor.add(task.registration());
    std::thread other([&] {
        for (int i = 0; i < kTimes / 2; ++i) ++told, reactor.wake(task.registration());
    });
    for (int i = 0; i < kTimes / 2; ++i) ++told, reactor.wake(task.registration());
    other.join();
    reactor.wait_until_ended(task.registration());
    EXPECT_EQ(seen, kTimes);
}

TEST(Reactor, TasksCanWakeEachOther) {
    Reactor reactor;
    constexpr int kTimes = 5'000;
    Counted* left = nullptr;
    Counted* right = nullptr;
    const auto passed_to = [&](Counted*& other) {
        return [&](int turns) -> std::optional<Instant> {
            reactor.wake(other->registration());
            return turns < kTimes ? std::optional(now() + kFarOff) : std::nullopt;
        };
    };
    Counted a(passed_to(right));
    Counted b(passed_to(left));
    left = &a, right = &b;
    reactor.add(a.registration());
    reactor.add(b.registration());
    reactor.wait_until_ended(a.registration());
    while (b.turns() < kTimes)
        reactor.wake(b.registration());  // it may be one turn behind, and `a` does not wake it any more
    reactor.wait_until_ended(b.registration());
    EXPECT_EQ(a.turns(), kTimes);
}

TEST(Reactor, DescriptorsAreWatchedByEdges) {
    Reactor reactor;
    const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    std::atomic<bool> over = false;
    Counted task([&](int turns) -> std::optional<Instant> {
        if (turns == 1 && !reactor.listen(*task.registration(), fd, Reactor::Ready::to_read)) ADD_FAILURE();
        return over ? std::nullopt : std::optional(now() + kFarOff);
    });
    reactor.add(task.registration());
    wait_for(task, 1);
    ::eventfd_write(fd, 1);  // never read
    wait_for(task, 2);
    ::eventfd_write(fd, 1);
    wait_for(task, 3);
    Counted other([](int turns) { return turns < 50 ? std::optional(now()) : std::nullopt; });
    reactor.add(other.registration());
    reactor.wait_until_ended(other.registration());
    EXPECT_EQ(task.turns(), 3);
    over = true;
    reactor.wake(task.registration());
    reactor.wait_until_ended(task.registration());
    ::close(fd);
}

TEST(Reactor, ATaskThatHasEndedGetsNoMoreTurns) {
    Reactor reactor;
    Counted task([](int) { return std::nullopt; });
    reactor.add(task.registration());
    reactor.wait_until_ended(task.registration());
    reactor.wake(task.registration());
    Counted other([](int) { return std::nullopt; });
    reactor.add(other.registration());
    reactor.wait_until_ended(other.registration());
    EXPECT_EQ(task.turns(), 1);
}

TEST(Reactor, WaitingOnItsOwnThreadRunsTheOtherTaskToItsEnd) {
    Reactor reactor;
    Counted inner([](int turns) { return turns < 3 ? std::optional(now() + kFarOff) : std::nullopt; });
    Counted outer([&](int) {
        reactor.wait_until_ended(inner.registration());
        return std::nullopt;
    });
    reactor.add(inner.registration());
    reactor.add(outer.registration());
    reactor.wait_until_ended(outer.registration());
    EXPECT_EQ(inner.turns(), 3);
}

TEST(Reactor, SharedReturnsOneReactorWhileItHasAnOwner) {
    auto first = Reactor::shared();
    EXPECT_EQ(first, Reactor::shared());
    const std::weak_ptr<Reactor> gone = first;
    first.reset();
    EXPECT_TRUE(gone.expired());
    EXPECT_NE(Reactor::shared(), nullptr);
}

}  // namespace
}  // namespace muster::client
