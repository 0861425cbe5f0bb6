// Two nodes with real sockets, one of whose publications are lost on purpose.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "node/node_impl.hpp"
#include "tests/unit/node/nodes.hpp"

namespace muster {
namespace {

using test::kGroup;

template <class Predicate>
bool eventually(const Predicate& holds) {
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    while (std::chrono::steady_clock::now() < end) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

std::size_t members_at(Node::Impl& node) {
    return node.engine->ask([](const cluster::Core& core) { return core.members(kGroup, false).size(); });
}

TEST(LostGossip, LostDeltasAreRepairedWithoutARestart) {
    std::atomic<bool> losing{false};
    std::atomic<int> lost{0};
    auto a = Node::Impl::start(test::options("a"), [&](const proto::Message& message) {
        if (!losing || !std::holds_alternative<proto::Deltas>(message.body)) return false;
        ++lost;
        return true;
    });
    ASSERT_TRUE(a);
    auto b = Node::Impl::start(test::options("b", {(*a)->address}));
    ASSERT_TRUE(b);
    const auto join = [&] {
        cluster::LocalJoin event;
        event.handler = cluster::HandlerId{1};
        event.group = kGroup;
        return (*a)->engine->call(std::move(event), std::chrono::seconds(5));
    };
    join();
    ASSERT_TRUE(eventually([&] { return members_at(**b) == 1; }));

    losing = true;  // the last deltas: only a heartbeat can tell that they exist
    join();
    join();
    ASSERT_TRUE(eventually([&] { return lost > 0; }));
    EXPECT_TRUE(eventually([&] { return members_at(**b) == 3; }));

    const int before = lost;  // one in the middle: the next delta shows the gap
    join();
    ASSERT_TRUE(eventually([&] { return lost > before; }));
    losing = false;
    join();
    EXPECT_TRUE(eventually([&] { return members_at(**b) == 5; }));
    const auto counters = (*b)->engine->ask([](const cluster::Core& core) { return core.status().counters; });
    EXPECT_GE(counters.at("pulls_sent"), 2u);
}

}  // namespace
}  // namespace muster
