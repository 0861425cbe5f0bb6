// An embedded node and what its process runs out of: descriptors, and readers of its log. And what its handlers do to
// it: exceptions, and programs that they start.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <stdexcept>
#include <thread>

#include "node/io/log_queue.hpp"
#include "tests/unit/node/child.hpp"
#include "tests/unit/node/nodes.hpp"

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

bool eventually(const std::function<bool()>& holds) {
    for (const auto until = Clock::now() + kLong; Clock::now() < until;) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

std::size_t alive(Node& node) {
    std::size_t count = 0;
    for (const auto& one : *node.nodes()) count += one.state == NodeState::alive ? 1 : 0;
    return count;
}

std::size_t lines_of(Seen<LogLine>& log, const std::string& event) {
    std::size_t count = 0;
    for (const auto& line : log.now()) count += line.event == event ? 1 : 0;
    return count;
}

/// While it lives, the process can open no more descriptors: it has used all.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit few = before_;
        few.rlim_cur = 512;
        ::setrlimit(RLIMIT_NOFILE, &few);
        for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
    }
    ~NoDescriptors() {
        for (const int fd : taken_) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
    std::vector<int> taken_;
};

TEST(EmbeddedLimits, ANodeWithoutDescriptorsGoesOnAndConnectsWhenThereAreSome) {
    Seen<LogLine> log;
    auto given = options("a", {"127.0.0.1:1"});  // nobody answers there, so it tries again
    given.on_log = [&](const LogLine& line) { log.add(line); };
    const auto a = start(given);
    ASSERT_TRUE(a);
    const auto b = Node::start(options("b", {a->address()}));
    ASSERT_TRUE(b.ok());
    {
        const NoDescriptors none;
        EXPECT_TRUE(eventually([&] { return lines_of(log, "resources_short") == 1; }));
        EXPECT_TRUE(a->join(kGroup, [](const Notification&) {}, {}).ok());
        std::this_thread::sleep_for(seconds(2));  // the time that it has to go on
        EXPECT_LT(a->loop_age(), seconds(2));
    }
    EXPECT_TRUE(eventually([&] { return alive(*a) == 2 && alive(**b) == 2; }));
    EXPECT_TRUE(eventually([&] { return lines_of(log, "resources_back") == 1; }));
    EXPECT_EQ(lines_of(log, "resources_short"), 1u);
}

/// Starts a node with so many descriptors more than those that are open. Exit status: 0 if it started, 1 for the error
/// of a shortage.
[[noreturn]] void start_with(rlim_t more) {
    rlim_t highest = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        highest = std::max<rlim_t>(highest, std::stoul(entry.path().filename()));
    int fd = 0;
    while ((fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && static_cast<rlim_t>(fd) <= highest) continue;
    ::close(fd);                                               // now all below it are taken
    const rlimit few{highest + 1 + more, highest + 1 + more};  // both: a node raises the soft limit to the hard one
    ::setrlimit(RLIMIT_NOFILE, &few);
    auto node = Node::start(options("a"));
    if (node) (*node)->close();
    std::_Exit(node ? 0 : node.error().code == ErrorCode::overloaded ? 1 : 2);
}

TEST(EmbeddedLimits, AStartWithTooFewDescriptorsIsAnError) {
    // In processes of their own, because not even root can always raise a hard limit again.
    for (rlim_t more = 0; more <= 40; more += 4) EXPECT_EXIT(start_with(more), testing::ExitedWithCode(1), "");
    EXPECT_EXIT(start_with(100), testing::ExitedWithCode(0), "");
}

/// Metadata of some 8 KiB that no other number has.
Meta large_meta(int number) {
    Meta meta;
    for (int at = 0; at < 16; ++at)
        meta[std::to_string(at) + std::string(250, 'k')] = std::to_string(number) + std::string(250, 'v');
    return meta;
}

TEST(EmbeddedLimits, MemoryBoundsTheTablesOfOtherNodesToo) {
    const auto large = start(options("large"));
    ASSERT_TRUE(large);
    constexpr int kJoins = 5000;  // 40 MB, where half of 64 MiB may be taken
    for (int number = 0; number < kJoins; ++number)
        ASSERT_TRUE(large
                        ->join(
                            kGroup, [](const Notification&) {}, many(1, large_meta(number)))
                        .ok());
    const auto other = start(options("other", {large->address()}));
    ASSERT_TRUE(other->join({"orders", "small"}, [](const Notification&) {}, {}).ok());

    Seen<LogLine> log;
    auto given = options("small", {large->address()});
    given.limits.memory = std::size_t{64} << 20;
    given.on_log = [&](const LogLine& line) { log.add(line); };
    const auto small = start(given);
    ASSERT_TRUE(small);
    EXPECT_TRUE(eventually([&] { return lines_of(log, "table_refused") > 0; }));
    EXPECT_TRUE(eventually([&] { return small->members({"orders", "small"})->size() == 1; }));
    EXPECT_EQ(small->members(kGroup)->size(), 0u);
    EXPECT_EQ(other->members(kGroup)->size(), std::size_t{kJoins});
}

TEST(EmbeddedLimits, TheAgeOfTheLoopWaitsForNothing) {
    const auto a = start(options("a"));
    ASSERT_TRUE(a);
    std::promise<void> runs;
    std::promise<void> go_on;
    const auto released = go_on.get_future().share();
    ASSERT_TRUE(a->join(kGroup,
                        [&](const Notification&) {
                            runs.set_value();
                            released.wait();
                        },
                        {})
                    .ok());
    ASSERT_TRUE(a->notify(NotificationKind::created, kGroup, {}, {}).ok());
    runs.get_future().wait();
    auto closing = std::async(std::launch::async, [&] { a->close(); });  // waits for the handler
    EXPECT_TRUE(eventually([&] { return !a->status().ok(); }));
    const auto asked = Clock::now();
    EXPECT_GT(a->loop_age(), seconds(-1));
    EXPECT_FALSE(a->latencies().ok());
    EXPECT_LT(Clock::now() - asked, seconds(2));
    EXPECT_EQ(closing.wait_for(seconds(0)), std::future_status::timeout);
    go_on.set_value();
}

TEST(EmbeddedLimits, AnOnLogThatBlocksStopsNeitherTheNodeNorItsEnd) {
    struct Gate {
        std::promise<void> release;
        std::shared_future<void> released = release.get_future().share();
        std::promise<void> returned;
    };
    const auto gate = std::make_shared<Gate>();
    auto given = options("a");
    given.on_log = [gate](const LogLine&) {
        gate->released.wait();
        gate->returned.set_value();
        throw std::runtime_error("thrown by on_log");
    };
    auto a = start(given);
    ASSERT_TRUE(a);
    const auto b = start(options("b", {a->address()}));
    ASSERT_TRUE(b);
    EXPECT_TRUE(eventually([&] { return alive(*a) == 2 && alive(*b) == 2; }));
    std::this_thread::sleep_for(seconds(3));  // longer than a node may be silent
    EXPECT_EQ(alive(*b), 2u);
    EXPECT_LT(a->loop_age(), seconds(2));
    const auto before = Clock::now();
    a.reset();
    EXPECT_LT(Clock::now() - before, seconds(5));
    gate->release.set_value();
    gate->returned.get_future().wait();
}

TEST(EmbeddedLimits, ExceptionsOfHandlersAreCountedAndLoggedAndCountAsDelivered) {
    Seen<LogLine> log;
    auto given = options("a");
    given.on_log = [&](const LogLine& line) { log.add(line); };
    const auto a = start(given);
    ASSERT_TRUE(a);
    ASSERT_TRUE(a->join(kGroup, [](const Notification&) { throw std::runtime_error("boom"); }, {}).ok());
    ASSERT_TRUE(a->watch(kGroup, [](const WatchEvent&) { throw 1; }).ok());
    NotifyOptions wait;
    wait.wait = true;
    wait.timeout = kLong;
    const auto report = a->notify(NotificationKind::created, kGroup, {}, wait);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->delivered, 1u);
    EXPECT_TRUE(eventually([&] { return lines_of(log, "handler_threw") == 2; }));
    EXPECT_EQ(a->counters()->at("handler_exceptions"), 2u);
    bool says_what = false;
    for (const auto& line : log.now())
        says_what = says_what || line.text == "the handler of orders/streams threw: boom";
    EXPECT_TRUE(says_what);
}

TEST(EmbeddedLimits, ProgramsThatUserCodeStartsCanBeSignalled) {
    Seen<pid_t> children;
    auto given = options("a");
    std::atomic<bool> logged = false;
    given.on_log = [&](const LogLine&) {
        if (!logged.exchange(true)) children.add(start_program());
    };
    const auto a = start(given);
    ASSERT_TRUE(a);
    ASSERT_TRUE(a->join(kGroup, [&](const Notification&) { children.add(start_program()); }, {}).ok());
    ASSERT_TRUE(a->notify(NotificationKind::created, kGroup, {}, {}).ok());
    const auto started = children.wait_for(2);
    ASSERT_EQ(started.size(), 2u);
    for (const pid_t child : started) EXPECT_TRUE(ends_on_sigterm(child));
}

TEST(EmbeddedLimits, TheApplicationsBlockedSignalsStayBlockedInHandlers) {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    std::promise<std::pair<bool, bool>> blocked;
    {
        const auto a = start(options("a"));
        ASSERT_TRUE(a);
        ASSERT_TRUE(a->join(kGroup,
                            [&](const Notification&) {
                                sigset_t mask;
                                pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                                blocked.set_value({sigismember(&mask, SIGUSR1) == 1, sigismember(&mask, SIGTERM) == 1});
                            },
                            {})
                        .ok());
        ASSERT_TRUE(a->notify(NotificationKind::created, kGroup, {}, {}).ok());
        EXPECT_EQ(blocked.get_future().get(), std::pair(true, false));
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace muster::test
