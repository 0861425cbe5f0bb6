#include "node/engine/engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

const Group kGroup{"orders", "streams"};

cluster::Options options() {
    cluster::Options options;
    options.self = {"a", Incarnation{1}};
    options.address = "127.0.0.1:1";
    options.control = "127.0.0.1:2";
    options.gossip = "127.0.0.1:3";
    return options;
}

cluster::LocalJoin join(std::uint64_t count = 1) {
    cluster::LocalJoin event;
    event.handler = cluster::HandlerId{1};
    event.group = kGroup;
    event.count = count;
    return event;
}

TEST(Engine, AnswersOnTheCallersThreadAndUpdatesTheView) {
    Engine engine(options(), std::make_shared<Wakeup>());
    EXPECT_TRUE(engine.members(kGroup)->empty());
    const auto result = engine.call(join(3), std::chrono::seconds(1));
    ASSERT_TRUE(std::holds_alternative<proto::JoinReply>(result));
    const Members view = *engine.members(kGroup);
    EXPECT_EQ(view.size(), 3u);
    EXPECT_EQ(engine.members(kGroup)->data(), view.data()) << "nothing has changed, so nothing is made anew";
    engine.call(join(), std::chrono::seconds(1));
    EXPECT_EQ(engine.members(kGroup)->size(), 4u);
    EXPECT_EQ(view.size(), 3u);
}

/// A peer that says hello and nothing else.
void meet_silent_peer(Engine& engine) {
    const NodeId peer{"b", Incarnation{5}};
    const proto::PeerRecord record{peer, 0, NodeState::alive, "127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6", Seq{0}};
    const proto::Message hello{{"default", peer.name, peer.incarnation.value, 0}, proto::Hello{record}};
    engine.step(cluster::MessageArrived{cluster::Channel::door, cluster::ConnectionId{1}, {}, hello});
    ASSERT_EQ(engine.ask([](const cluster::Core& core) { return core.nodes().size(); }), 2u);
}

TEST(Engine, ACallWithoutAnAnswerEndsAfterItsPatience) {
    Engine engine(options(), std::make_shared<Wakeup>());
    engine.step(cluster::Tick{});
    meet_silent_peer(engine);
    auto visible = join();
    visible.visible = true;
    visible.timeout = std::chrono::hours(1);
    const auto result = engine.call(std::move(visible), std::chrono::milliseconds(50));
    ASSERT_TRUE(std::holds_alternative<Error>(result));
    EXPECT_EQ(std::get<Error>(result).code, ErrorCode::timeout);
}

TEST(Engine, ACallIsAnsweredByALaterStep) {
    Engine engine(options(), std::make_shared<Wakeup>());
    engine.step(cluster::Tick{});
    meet_silent_peer(engine);
    std::atomic<bool> answered = false;
    std::thread caller([&] {
        auto visible = join();
        visible.visible = true;
        visible.timeout = std::chrono::milliseconds(1);
        const auto result = engine.call(std::move(visible), test::kLong);
        EXPECT_EQ(std::get<proto::JoinReply>(result).unseen, 1u);
        answered = true;
    });
    // The clock goes on by itself; the core answers once the time it was given is over.
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    while (!answered && std::chrono::steady_clock::now() < end) {
        engine.step(cluster::Tick{});
        std::this_thread::yield();
    }
    caller.join();
    EXPECT_TRUE(answered);
}

TEST(Engine, CloseAnswersWaitingCalls) {
    Engine engine(options(), std::make_shared<Wakeup>());
    engine.step(cluster::Tick{});
    meet_silent_peer(engine);
    std::thread caller([&] {
        auto visible = join();
        visible.visible = true;
        visible.timeout = std::chrono::hours(1);
        const auto result = engine.call(std::move(visible), test::kLong);
        EXPECT_EQ(std::get<Error>(result).code, ErrorCode::closed);
    });
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    while (engine.members(kGroup)->empty() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    engine.close({ErrorCode::closed, "over"});
    caller.join();
}

TEST(Engine, AClosedEngineAnswersClosed) {
    Engine engine(options(), std::make_shared<Wakeup>());
    engine.step(cluster::Tick{});
    engine.close({ErrorCode::closed, "over"});
    const auto result = engine.call(join(), std::chrono::seconds(1));
    ASSERT_TRUE(std::holds_alternative<Error>(result));
    EXPECT_EQ(std::get<Error>(result), (Error{ErrorCode::closed, "over"}));
    EXPECT_EQ(engine.members(kGroup).error(), (Error{ErrorCode::closed, "over"}));
    EXPECT_FALSE(engine.post(cluster::LocalWatch{cluster::WatchId{1}, kGroup}));
    EXPECT_FALSE(engine.wait_ready(std::chrono::milliseconds(0)));
    cluster::Actions actions;
    engine.take(actions);
    const bool goodbye = std::any_of(actions.begin(), actions.end(), [](const cluster::Action& action) {
        const auto* published = std::get_if<cluster::Publish>(&action);
        return published != nullptr && std::holds_alternative<proto::Goodbye>(published->message.body);
    });
    EXPECT_TRUE(goodbye);
}

TEST(Engine, CallersWaitWhileTheOutboxIsFull) {
    Engine engine(options(), std::make_shared<Wakeup>());
    engine.step(cluster::Tick{});
    engine.call(join(), std::chrono::seconds(1));
    cluster::LocalNotify event;
    event.group = kGroup;
    // Each notify delivers one item, so this many overfill it, if the loop takes nothing.
    constexpr std::size_t kCalls = Engine::kOutboxActions + 100;
    std::atomic<std::size_t> done = 0;
    std::thread caller([&] {
        for (; done < kCalls; ++done) engine.call(event, std::chrono::seconds(1));
    });
    const auto end = std::chrono::steady_clock::now() + test::kLong;
    std::size_t most = 0;
    cluster::Actions actions;
    while (done < kCalls && std::chrono::steady_clock::now() < end) {
        if (done < Engine::kOutboxActions - 50 && most == 0) {
            std::this_thread::yield();
            continue;  // let it fill
        }
        engine.take(actions);
        most = std::max(most, actions.size());
        actions.clear();
    }
    caller.join();
    EXPECT_EQ(done, kCalls);
    EXPECT_GT(most, 0u);
    EXPECT_LE(most, Engine::kOutboxActions + 10);
}

}  // namespace
}  // namespace muster::node
