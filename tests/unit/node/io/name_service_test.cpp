#include "node/io/name_service.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "node/io/address.hpp"
#include "node/io/resolver.hpp"
#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A name server. A look-up of a name that is held does not end before the name is let go.
class SlowServer {
public:
    std::vector<std::string> look_up(const std::string& host) {
        std::unique_lock lock(mutex_);
        ++asked_[host];
        ++running_;
        most_running_ = std::max(most_running_, running_);
        changed_.notify_all();
        changed_.wait(lock, [&] { return !held_.contains(host) && !holds_all_; });
        --running_;
        const auto found = zone_.find(host);
        return found == zone_.end() ? std::vector<std::string>{} : found->second;
    }
    void set(const std::string& host, std::vector<std::string> addresses) {
        const std::lock_guard lock(mutex_);
        zone_[host] = std::move(addresses);
    }
    void hold(const std::string& host) {
        const std::lock_guard lock(mutex_);
        held_.insert(host);
    }
    void let_go(const std::string& host) {
        const std::lock_guard lock(mutex_);
        held_.erase(host);
        changed_.notify_all();
    }
    void hold_all(bool yes) {
        const std::lock_guard lock(mutex_);
        holds_all_ = yes;
        changed_.notify_all();
    }
    int asked(const std::string& host) {
        const std::lock_guard lock(mutex_);
        return asked_[host];
    }
    bool wait_until_asked(const std::string& host, int times) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, test::kLong, [&] { return asked_[host] >= times; });
    }
    std::size_t most_running() {
        const std::lock_guard lock(mutex_);
        return most_running_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::vector<std::string>> zone_;
    std::map<std::string, int> asked_;
    std::set<std::string> held_;
    bool holds_all_ = false;
    std::size_t running_ = 0;
    std::size_t most_running_ = 0;
};

/// Never freed, like the service of a process: its threads end when they have been idle.
template <class T>
T& keep(T* made) {
    static std::vector<T*> kept;
    kept.push_back(made);
    return *made;
}

/// A loop that asks.
struct Asker {
    SlowServer& server = keep(new SlowServer);  // used by the service's threads
    NameService& service =
        keep(new NameService([&server = server](const std::string& host) { return server.look_up(host); }));
    std::atomic<int> woken{0};
    Resolver resolver{[this] { ++woken; }, service};

    /// The next result, as a list of endpoints.
    std::optional<Resolver::Found> next(Resolver& from) {
        const auto end = steady_clock::now() + test::kLong;
        while (steady_clock::now() < end) {
            auto taken = from.take(steady_clock::now());
            if (!taken.empty()) return taken.front();
            std::this_thread::sleep_for(milliseconds(1));
        }
        return std::nullopt;
    }
    std::optional<Resolver::Found> next() { return next(resolver); }
};

using Endpoints = std::vector<std::string>;

TEST(Resolver, KnowsNumbersAtOnce) {
    Asker loop;
    EXPECT_EQ(loop.resolver.ask("127.0.0.1:7100")->numeric, Endpoints{"127.0.0.1:7100"});
    EXPECT_EQ(loop.resolver.ask("[::1]:7100")->numeric, Endpoints{"[::1]:7100"});
    EXPECT_EQ(loop.resolver.ask("[fe80::1%eth0]:7100")->numeric, Endpoints{"[fe80::1%eth0]:7100"});
    EXPECT_TRUE(loop.resolver.ask("no address")->numeric.empty());
    EXPECT_EQ(loop.server.most_running(), 0u);
}

TEST(Resolver, ReturnsTheAddressesOfANameLaterAndWakesItsLoop) {
    Asker loop;
    loop.server.set("a", {"::1", "127.0.0.1"});
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    const auto found = loop.next();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->address, "a:7");
    EXPECT_EQ(found->numeric, (Endpoints{"[::1]:7", "127.0.0.1:7"}));
    EXPECT_TRUE(found->is_current);
    // The answer is there a moment before the loop is woken.
    for (const auto end = steady_clock::now() + test::kLong; loop.woken == 0 && steady_clock::now() < end;)
        std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(loop.woken, 1);
    const auto again = loop.resolver.ask("a:8");
    ASSERT_TRUE(again) << "a fresh answer is used as it is";
    EXPECT_EQ(again->numeric, (Endpoints{"[::1]:8", "127.0.0.1:8"}));
    EXPECT_EQ(loop.server.asked("a"), 1);
}

TEST(Resolver, ANameThatDoesNotResolveHasNoAddresses) {
    Asker loop;
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    const auto found = loop.next();
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->numeric.empty());
    EXPECT_FALSE(found->is_current);
}

TEST(Resolver, UsesTheLastGoodAnswerWhileTheNameServerIsSilent) {
    Asker loop;
    loop.server.set("a", {"127.0.0.1"});
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    ASSERT_TRUE(loop.next());
    std::this_thread::sleep_for(Resolver::kFresh + milliseconds(10));
    loop.server.hold("a");
    EXPECT_FALSE(loop.resolver.ask("a:7")) << "it is looked up again";
    EXPECT_LE(loop.resolver.deadline(), steady_clock::now() + Resolver::kPatience);
    const auto found = loop.next();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->numeric, Endpoints{"127.0.0.1:7"});
    EXPECT_FALSE(found->is_current);
    EXPECT_EQ(loop.resolver.ask("a:7", Resolver::Accept::last)->numeric, Endpoints{"127.0.0.1:7"});
    EXPECT_EQ(loop.server.asked("a"), 2) << "one question at a time";
    loop.server.let_go("a");
}

TEST(Resolver, KeepsTheLastGoodAnswerWhenTheNameIsGone) {
    Asker loop;
    loop.server.set("a", {"127.0.0.1"});
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    ASSERT_TRUE(loop.next());
    loop.server.set("a", {});
    std::this_thread::sleep_for(Resolver::kFresh + milliseconds(10));
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    const auto found = loop.next();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->numeric, Endpoints{"127.0.0.1:7"});
    EXPECT_FALSE(found->is_current);
}

TEST(Resolver, EndsWhileALookUpIsUnderWay) {
    Asker loop;
    loop.server.hold("a");
    {
        Resolver other([] { FAIL() << "the loop is gone"; }, loop.service);
        EXPECT_FALSE(other.ask("a:7"));
        ASSERT_TRUE(loop.server.wait_until_asked("a", 1));
    }
    EXPECT_FALSE(loop.resolver.ask("a:7"));
    loop.server.let_go("a");
    EXPECT_TRUE(loop.next());
    EXPECT_EQ(loop.server.asked("a"), 1) << "both asked the same question";
}

TEST(NameService, NamesThatDoNotResolveDoNotDelayOthers) {
    Asker loop;
    for (int i = 0; i < 100; ++i) (void)loop.resolver.ask("bad" + std::to_string(i) + ":1");
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(loop.server.wait_until_asked("bad" + std::to_string(i), 1));
    while (loop.resolver.deadline() != Resolver::Instant::max()) ASSERT_TRUE(loop.next());
    for (int i = 0; i < 100; ++i)
        while (loop.service.known("bad" + std::to_string(i)).pending) std::this_thread::yield();
    loop.server.set("good", {"127.0.0.1"});
    for (int i = 0; i < 100; ++i) loop.server.hold("bad" + std::to_string(i));
    (void)loop.resolver.take(steady_clock::now());
    for (int i = 0; i < 100; ++i) (void)loop.resolver.ask("bad" + std::to_string(i) + ":1");
    EXPECT_FALSE(loop.resolver.ask("good:1"));
    const auto found = loop.next();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->address, "good:1");
    EXPECT_LE(loop.server.most_running(), NameService::kMaxThreads);
    for (int i = 0; i < 100; ++i) loop.server.let_go("bad" + std::to_string(i));
}

TEST(NameService, RefusesNamesBeyondItsBound) {
    Asker loop;
    loop.server.hold_all(true);
    for (std::size_t i = 0; i < NameService::kMaxNames; ++i)
        ASSERT_FALSE(loop.resolver.ask("n" + std::to_string(i) + ":1"));
    const auto refused = loop.resolver.ask("one-more:1");
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->numeric.empty());
    loop.server.hold_all(false);
}

TEST(NameService, WaitsNoLongerThanItIsAskedTo) {
    EXPECT_EQ(resolve_within("::1", milliseconds(0)), std::vector<std::string>{"::1"});
    EXPECT_TRUE(resolve_within("no such host", std::chrono::duration_cast<milliseconds>(test::kLong)).empty());
}

}  // namespace
}  // namespace muster::node
