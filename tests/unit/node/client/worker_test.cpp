// The worker with its threads and sockets, against a fake node.
#include <muster/worker.hpp>

#include <gmock/gmock.h>

#include <future>
#include <mutex>
#include <thread>

#include "tests/unit/node/child.hpp"
#include "tests/unit/node/client/fake_node.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

const Group kGroup{"orders", "subscriptions"};
using Clock = std::chrono::steady_clock;

/// Collects what a handler is called with, and waits for it.
class Log {
public:
    OnNotification handler() {
        return [this](const Notification& notification) {
            const std::lock_guard lock(mutex_);
            seen_.push_back(to_json(notification.data));
            changed_.notify_all();
        };
    }
    std::vector<std::string> wait(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, seconds(10), [&] { return seen_.size() >= count; });
        return seen_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> seen_;
};

std::string number(int i) {
    return data_from_json(std::to_string(i))->msgpack;
}

std::unique_ptr<Worker> connect(std::vector<std::string> nodes, Worker::Options options = {}) {
    options.nodes = std::move(nodes);
    options.in_order = true;
    options.name = "w1";
    auto worker = Worker::connect(std::move(options));
    EXPECT_TRUE(worker) << worker.error().text;
    return std::move(*worker);
}

std::uint64_t heartbeats(FakeNode& node) {
    std::uint64_t count = 0;
    node.wait_for([&](const FakeNode& n) { return count = n.heartbeats, true; });
    return count;
}

TEST(Worker, ConnectsAndSaysGoodbye) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    EXPECT_EQ(worker->name(), "w1");
    EXPECT_EQ(worker->node().id.name, "a");
    worker.reset();
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.goodbyes == 1; }));
}

TEST(Worker, ReportsWhyItCannotConnect) {
    Worker::Options options;
    options.connect_timeout = milliseconds(300);
    options.nodes = {"127.0.0.1:1"};
    const auto before = Clock::now();
    const auto nobody = Worker::connect(options);
    EXPECT_LT(Clock::now() - before, seconds(3));
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, ErrorCode::unreachable);
    EXPECT_THAT(nobody.error().text, testing::HasSubstr("127.0.0.1:1"));

    for (const auto& bad : {"", "host", "host:0"}) {
        options.nodes = {bad};
        EXPECT_EQ(Worker::connect(options).error().code, ErrorCode::bad_request);
    }
    options.nodes = {};
    EXPECT_EQ(Worker::connect(options).error().code, ErrorCode::bad_request);
}

TEST(Worker, AKindThatDoesNotExistIsRefusedBeforeItIsSent) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    for (const int kind : {0, 4, 255}) {
        const auto wrong = static_cast<NotificationKind>(kind);
        EXPECT_EQ(worker->notify(wrong, kGroup, {}, {}).error().code, ErrorCode::bad_request);
        EXPECT_EQ(worker->post(wrong, kGroup, {}).get().error().code, ErrorCode::bad_request);
    }
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.requests.empty(); }));
}

TEST(Worker, TakesAddressesAsPeopleWriteThem) {
    FakeNode node("a");
    EXPECT_TRUE(connect({" tcp://" + node.address() + " "}));
}

TEST(Worker, AFinalRefusalEndsConnectImmediately) {
    FakeNode node("a");
    node.refuse(ErrorCode::wrong_scope, "this node serves scope 'x'");
    Worker::Options options;
    options.nodes = {node.address()};
    options.connect_timeout = seconds(60);
    const auto before = Clock::now();
    const auto worker = Worker::connect(options);
    ASSERT_FALSE(worker);
    EXPECT_EQ(worker.error().code, ErrorCode::wrong_scope);
    EXPECT_LT(Clock::now() - before, seconds(10));
}

TEST(Worker, ExceptionsOfHandlersAreCountedAndLoggedAndTheNotificationIsAcknowledged) {
    FakeNode node("a");
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<std::string> lines;
    Worker::Options options;
    options.on_log = [&](const LogLine& line) {
        const std::lock_guard lock(mutex);
        lines.push_back(line.text);
        changed.notify_all();
    };
    options.on_attachment = [](bool, const std::string&) { throw 1; };
    auto worker = connect({node.address()}, std::move(options));
    ASSERT_TRUE(worker->join(kGroup, [](const Notification&) { throw std::runtime_error("boom"); }, {}));
    node.notify(number(1));
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.received == 1; }));
    EXPECT_EQ(worker->handler_exceptions(), 2u);
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, seconds(10), [&] { return lines.size() == 2; }));
    EXPECT_THAT(lines, ElementsAre("on_attachment threw: something that is not a std::exception",
                                   "the handler of orders/subscriptions threw: boom"));
}

TEST(Worker, ProgramsThatHandlersStartCanBeSignalled) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<pid_t> started;
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification&) { started.set_value(test::start_program()); }, {}));
    node.notify(number(1));
    EXPECT_TRUE(test::ends_on_sigterm(started.get_future().get()));
}

TEST(Worker, CallsAHandlerOncePerMemberAndAcknowledgesWhenItReturned) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<void> release;
    auto released = release.get_future().share();
    std::promise<void> entered;
    std::vector<std::uint64_t> called;
    JoinOptions two;
    two.count = 2;
    const auto joined = worker->join(
        kGroup,
        [&](const Notification& notification) {
            ASSERT_EQ(notification.members.size(), 1u);
            called.push_back(notification.members[0].value);
            if (called.size() == 1) entered.set_value();
            released.wait();
        },
        two);
    ASSERT_TRUE(joined);
    ASSERT_EQ(joined->members.size(), 2u);
    node.notify(number(1));
    entered.get_future().wait();
    const auto beats = heartbeats(node);
    EXPECT_TRUE(node.wait_for([&](const FakeNode& n) { return n.heartbeats > beats + 2; }));
    EXPECT_TRUE(
        node.wait_for([](const FakeNode& n) { return n.received == 0; }));  // heartbeats do not acknowledge it yet
    release.set_value();
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.received == 1; }));
    worker->close();  // no handler writes to `called` any more
    EXPECT_THAT(called, ElementsAre(joined->members[0].number.value, joined->members[1].number.value));
}

TEST(Worker, HandlersMayMakeCalls) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<std::size_t> groups;
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification&) {
        const auto answer = worker->groups();
        EXPECT_TRUE(worker->leave(kGroup));
        groups.set_value(answer ? answer->size() : 0);
    }));
    node.notify(number(1));
    auto result = groups.get_future();
    ASSERT_EQ(result.wait_for(seconds(10)), std::future_status::ready);
    EXPECT_EQ(result.get(), 1u);
}

TEST(Worker, ACallToANodeThatDoesNotAnswerTakesItsTimeout) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    node.stop_answering();
    NotifyOptions options;
    options.timeout = milliseconds(200);
    const auto before = Clock::now();
    const auto report = worker->notify_created(kGroup, {}, options);
    const auto took = Clock::now() - before;
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::timeout);
    EXPECT_GE(took, milliseconds(200));
    EXPECT_LT(took, seconds(3));
}

TEST(Worker, AfterAKilledNodeItIsAttachedToTheNextWithinASecond) {
    auto a = std::make_unique<FakeNode>("a");
    FakeNode b("b");
    Log log;
    auto worker = connect({a->address(), b.address()});
    const auto joined = worker->join(kGroup, log.handler());
    ASSERT_TRUE(joined);
    const auto before = Clock::now();
    a.reset();
    ASSERT_TRUE(b.wait_for([](const FakeNode& n) { return n.members.size() == 1; }));
    EXPECT_LT(Clock::now() - before, seconds(2));  // the ttl: it need not wait so long
    b.notify(number(5));
    EXPECT_THAT(log.wait(1), ElementsAre("5"));
    EXPECT_EQ(worker->node().id.name, "b");
    EXPECT_THAT(*worker->leave(kGroup, joined->members), ElementsAre(joined->members[0]));
}

TEST(Worker, LeavesASilentNodeAfterTheTtl) {
    FakeNode a("a", milliseconds(400));
    FakeNode b("b");
    auto worker = connect({a.address(), b.address()});
    a.fall_silent();
    EXPECT_TRUE(b.wait_for([](const FakeNode& n) { return n.sessions == 1; }));
}

TEST(Worker, ResumesAfterABrokenConnectionWithoutLossOrRepeat) {
    FakeNode node("a");
    Log log;
    auto worker = connect({node.address()});
    ASSERT_TRUE(worker->join(kGroup, log.handler()));
    std::vector<std::string> expected;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 200; ++i) {
            node.notify(number(round * 200 + i));
            expected.push_back(std::to_string(round * 200 + i));
        }
        node.break_connections();
    }
    EXPECT_EQ(log.wait(600), expected);
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.received == 600; }));
    EXPECT_EQ(log.wait(600).size(), 600u);
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.resumes >= 1 && n.sessions == 1; }));
}

TEST(Worker, AFullInboxStopsReadingButNotHeartbeatsOrCalls) {
    FakeNode node("a", milliseconds(500));
    Worker::Options options;
    options.inbox = 4;
    auto worker = connect({node.address()}, std::move(options));
    std::promise<void> release;
    auto released = release.get_future().share();
    Log log;
    const auto count = log.handler();
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification& notification) {
        released.wait();
        count(notification);
    }));
    std::vector<std::string> expected;
    for (int i = 0; i < 500; ++i) {
        node.notify(number(i));
        expected.push_back(std::to_string(i));
    }
    const auto beats = heartbeats(node);
    ASSERT_TRUE(node.wait_for([&](const FakeNode& n) { return n.heartbeats > beats + 10; }));  // longer than two ttls
    EXPECT_TRUE(worker->groups());
    release.set_value();
    EXPECT_EQ(log.wait(500), expected);
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.sessions == 1 && n.resumes == 0; }));
}

TEST(Worker, AfterUnwatchNoEventIsHandled) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::atomic<bool> inside{false};
    std::promise<void> entered;
    std::atomic<int> events{0};
    const auto watch = worker->watch(kGroup, [&](const WatchEvent&) {
        if (++events > 1) return;
        inside = true;
        entered.set_value();
        std::this_thread::sleep_for(milliseconds(100));
        inside = false;
    });
    ASSERT_TRUE(watch);
    entered.get_future().wait();
    for (int i = 0; i < 10; ++i) node.push(proto::WatchNews{1, {}, true});
    EXPECT_TRUE(worker->unwatch(*watch));
    EXPECT_FALSE(inside);
    const int seen = events;
    EXPECT_FALSE(worker->unwatch(*watch));
    // Items are handled in order: when this one is, the watch's events were.
    Log log;
    ASSERT_TRUE(worker->join(kGroup, log.handler()));
    node.notify(number(1));
    log.wait(1);
    EXPECT_EQ(events, seen);
}

TEST(Worker, ReportsGapsAndAttachments) {
    FakeNode node("a");
    std::promise<std::uint64_t> missed;
    std::promise<std::string> attached;
    Worker::Options options;
    options.on_gap = [&](std::uint64_t count) { missed.set_value(count); };
    options.on_attachment = [&](bool yes, const std::string& text) {
        if (yes) attached.set_value(text);
    };
    auto worker = connect({node.address()}, std::move(options));
    node.push(proto::Gap{12});
    EXPECT_EQ(missed.get_future().get(), 12u);
    EXPECT_EQ(attached.get_future().get(), "attached to a at " + node.address());
}

TEST(Worker, AGapSaysWhetherMoreMayBeLost) {
    FakeNode node("a");
    std::promise<Worker::Gap> told;
    Worker::Options options;
    options.on_gap = [&](const Worker::Gap& gap) { told.set_value(gap); };
    auto worker = connect({node.address()}, std::move(options));
    node.push(proto::Gap{0, true});
    const auto gap = told.get_future().get();
    EXPECT_EQ(gap.missed, 0u);
    EXPECT_TRUE(gap.at_least);
}

TEST(Worker, MovesWhenItsNodeAsks) {
    FakeNode a("a");
    FakeNode b("b");
    Worker::Options options;
    options.in_order = true;
    auto worker = connect({a.address(), b.address()}, std::move(options));
    Log log;
    ASSERT_TRUE(worker->join(kGroup, log.handler()));
    a.notify(number(1));
    log.wait(1);
    a.move();
    ASSERT_TRUE(a.wait_for([](const FakeNode& node) { return node.goodbyes == 1; }));
    EXPECT_EQ(worker->node().id.name, "b");
    b.notify(number(2));
    log.wait(2);
    EXPECT_EQ(a.received, 1u);
    EXPECT_TRUE(b.wait_for([](const FakeNode& node) { return node.received == 1; }));
}

TEST(Worker, AHandlerMayCloseItsWorker) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<void> closed;
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification&) {
        worker->close();
        EXPECT_EQ(worker->groups().error().code, ErrorCode::closed);
        closed.set_value();
    }));
    node.notify(number(1));
    ASSERT_EQ(closed.get_future().wait_for(seconds(10)), std::future_status::ready);
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.goodbyes == 1; }));
}

TEST(Worker, TheLastHandledItemIsAcknowledgedBeforeTheGoodbye) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<void> entered;
    std::promise<void> release;
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification&) {
        entered.set_value();
        release.get_future().wait();
    }));
    node.notify(number(1));
    entered.get_future().wait();
    auto closed = std::async(std::launch::async, [&] { worker->close(); });
    release.set_value();
    closed.wait();
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.goodbyes == 1; }));
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.received == 1; }));
}

TEST(Worker, ABlockedHandlerDoesNotHoldBackTheGoodbye) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::promise<void> entered;
    std::promise<void> release;
    ASSERT_TRUE(worker->join(kGroup, [&](const Notification&) {
        entered.set_value();
        release.get_future().wait();
    }));
    node.notify(number(1));
    entered.get_future().wait();
    auto closed = std::async(std::launch::async, [&] { worker->close(); });
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.goodbyes == 1; }));
    release.set_value();
    closed.wait();
}

TEST(Worker, CloseEndsCallsThatWait) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    node.stop_answering();
    auto waiting = std::async(std::launch::async, [&] { return worker->groups().error().code; });
    ASSERT_TRUE(node.wait_for([](const FakeNode& n) { return n.requests.size() == 1; }));
    worker->close();
    EXPECT_EQ(waiting.get(), ErrorCode::closed);
    EXPECT_EQ(worker->groups().error().code, ErrorCode::closed);
}

TEST(Worker, ManyThreadsMayCallConcurrently) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::vector<std::thread> threads;
    std::atomic<int> done{0};
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) done += worker->notify_created(kGroup, {}).ok() ? 1 : 0;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(done, 400);
}

TEST(Worker, PostsAreSentInOrderAndEachHasItsReport) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    std::vector<std::future<Result<NotifyReport>>> reports;
    for (int i = 0; i < 2000; ++i) reports.push_back(worker->post(NotificationKind::created, kGroup, Data{number(i)}));
    for (auto& report : reports) EXPECT_TRUE(report.get());
    std::vector<std::string> asked;
    node.wait_for([&](const FakeNode& n) {
        for (const auto& request : n.requests)
            if (const auto* notify = std::get_if<proto::NotifyRequest>(&request))
                asked.push_back(to_json(notify->data));
        return true;
    });
    ASSERT_EQ(asked.size(), 2000u);
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(asked[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST(Worker, APostWaitsAtTheBoundForItsTimeoutAndLeavesRoomForCalls) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    node.stop_answering();
    NotifyOptions patient;
    patient.timeout = seconds(30);
    const auto post = [&](const NotifyOptions& options) {
        return worker->post(NotificationKind::created, kGroup, {}, options);
    };
    std::vector<std::future<Result<NotifyReport>>> reports;
    for (int i = 0; i < 512; ++i) reports.push_back(post(patient));
    NotifyOptions brief;
    brief.timeout = milliseconds(20);
    EXPECT_EQ(post(brief).get().error().code, ErrorCode::overloaded);
    EXPECT_EQ(worker->notify_created(kGroup, {}, brief).error().code, ErrorCode::timeout);
    auto waiting = std::async(std::launch::async, [&] { return post(patient).get(); });
    worker->close();
    EXPECT_EQ(waiting.get().error().code, ErrorCode::closed);
    for (auto& report : reports) EXPECT_EQ(report.get().error().code, ErrorCode::closed);
    EXPECT_EQ(post(brief).get().error().code, ErrorCode::closed);
    EXPECT_EQ(worker->post(NotificationKind::created, {"", ""}, {}).get().error().code, ErrorCode::bad_request);
}

TEST(Worker, RefusesInvalidArgumentsWithoutARequest) {
    FakeNode node("a");
    auto worker = connect({node.address()});
    EXPECT_EQ(worker->members({"", "f"}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(worker->members({"s", std::string(256, 'x')}).error().code, ErrorCode::bad_request);
    EXPECT_EQ(worker->notify_created(kGroup, Data{"\xc1"}).error().code, ErrorCode::bad_request);
    JoinOptions options;
    options.count = 65537;
    EXPECT_EQ(worker->join(kGroup, {}, options).error().code, ErrorCode::bad_request);
    options.count = 1;
    for (int i = 0; i < 17; ++i) options.meta[std::to_string(i)] = "";
    EXPECT_EQ(worker->join(kGroup, {}, options).error().code, ErrorCode::bad_request);
    EXPECT_EQ(worker->leave(kGroup, std::vector<MemberId>{}).error().code, ErrorCode::not_joined);
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.requests.empty(); }));
}

}  // namespace
}  // namespace muster::client
