// Workers of one process and a name server that is silent: getaddrinfo() does not return for one name.
#include <muster/worker.hpp>

#include <gtest/gtest.h>

#include <netdb.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>

#include "tests/unit/node/client/fake_node.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::string_view kSilent = "silent.test";

/// The look-ups of kSilent, which do not end before the test does.
struct Silence {
    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;
    std::atomic<int> asked{0};
};

Silence& silence() {
    static auto& one = *new Silence;  // used by threads that nobody waits for
    return one;
}

class WorkerNames : public testing::Test {
protected:
    WorkerNames() { end_silence(false); }
    ~WorkerNames() override { end_silence(true); }
    static void end_silence(bool over) {
        const std::lock_guard lock(silence().mutex);
        silence().over = over;
        silence().asked = 0;
        silence().changed.notify_all();
    }
    static Result<std::unique_ptr<Worker>> connect(std::vector<std::string> nodes, milliseconds timeout) {
        Worker::Options options;
        options.nodes = std::move(nodes);
        options.connect_timeout = timeout;
        options.in_order = true;
        return Worker::connect(std::move(options));
    }
};

TEST_F(WorkerNames, ASilentNameServerCostsOnlyTheWorkerThatNeedsIt) {
    FakeNode node("a");
    const auto good = connect({node.address()}, seconds(5));
    ASSERT_TRUE(good.ok()) << good.error().text;
    const std::string silent = std::string(kSilent) + ":7100";

    auto before = steady_clock::now();
    const auto bad = connect({silent}, seconds(2));  // longer than the node waits for a heartbeat
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, ErrorCode::unreachable);
    EXPECT_NE(bad.error().text.find("not resolved: " + silent), std::string::npos) << bad.error().text;
    EXPECT_LT(steady_clock::now() - before, seconds(5)) << "connect() and the destructor";
    EXPECT_EQ(silence().asked, 1) << "one question at a time";
    EXPECT_TRUE((*good)->join({"orders", "subscriptions"}, [](const Notification&) {}).ok());
    EXPECT_TRUE(node.wait_for([](const FakeNode& n) { return n.sessions == 1 && n.resumes == 0; }))
        << "the other worker kept its connection";
}

TEST_F(WorkerNames, AnAddressBehindASilentNameIsReached) {
    FakeNode node("a");
    const auto before = steady_clock::now();
    auto worker = connect({std::string(kSilent) + ":7100", node.address()}, seconds(5));
    ASSERT_TRUE(worker.ok()) << worker.error().text;
    worker->reset();
    EXPECT_LT(steady_clock::now() - before, seconds(4));
}

TEST_F(WorkerNames, EveryAddressOfANameIsTried) {
    FakeNode node("a");
    const auto port = node.address().substr(node.address().rfind(':'));
    const auto worker = connect({"several.test" + port}, seconds(5));
    ASSERT_TRUE(worker.ok()) << worker.error().text;
}

}  // namespace
}  // namespace muster::client

// The linker's --wrap puts it in place of getaddrinfo().
extern "C" int __real_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**);        // NOLINT
extern "C" int __wrap_getaddrinfo(const char* host, const char* service, const addrinfo* hints,  // NOLINT
                                  addrinfo** found) {
    auto& silence = muster::client::silence();
    if (host != nullptr && host == muster::client::kSilent) {
        ++silence.asked;
        std::unique_lock lock(silence.mutex);
        silence.changed.wait(lock, [&] { return silence.over; });
        return EAI_AGAIN;
    }
    if (host == nullptr || std::string_view(host) != "several.test")
        return __real_getaddrinfo(host, service, hints, found);
    // An address that refuses, and then the right one.
    addrinfo numeric = *hints;
    numeric.ai_flags = AI_NUMERICHOST;
    addrinfo* last = nullptr;
    if (const int error = __real_getaddrinfo("127.0.0.9", service, &numeric, found); error != 0) return error;
    for (last = *found; last->ai_next != nullptr; last = last->ai_next) {
    }
    return __real_getaddrinfo("127.0.0.1", service, &numeric, &last->ai_next);
}
