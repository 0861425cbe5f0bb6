// What one worker may use of its node is bounded; what exceeds a bound is refused with a reason, and counted.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Limits : public ::testing::Test {
protected:
    void start(const std::function<void(Bounds&)>& bounds) {
        net.adjust = [bounds](Options& options) {
            bounds(options.bounds);
            options.session.ttl = seconds(600);
        };
        net.start("a");
        net.run(milliseconds(600));
        token = hello(kConnection, "w");
    }
    SessionToken hello(ConnectionId connection, const std::string& worker) {
        net.from_worker("a", connection, worker, {}, 0, proto::WorkerHello{});
        return std::get<proto::WorkerWelcome>(net.take_sent(connection).at(0).body).token;
    }
    /// Sends a request with this number, and returns its only reply.
    proto::Body ask(std::uint64_t number, proto::Body body) {
        net.from_worker("a", kConnection, "w", token, number, std::move(body));
        for (auto& message : net.take_sent(kConnection))
            if (message.header.seq == number && !std::holds_alternative<proto::Deliveries>(message.body))
                return std::move(message.body);
        return {};
    }
    proto::Body join(const Group& group, std::uint64_t count = 1, Meta meta = {}) {
        return ask(++request, proto::JoinRequest{group, count, std::move(meta), false, 0});
    }
    proto::Body leave(const Group& group, std::uint64_t count) {
        return ask(++request, proto::LeaveRequest{group, {}, count});
    }
    static bool is_overloaded(const proto::Body& body) {
        const auto* error = std::get_if<proto::ErrorReply>(&body);
        return error && error->code == ErrorCode::overloaded;
    }
    static bool is_joined(const proto::Body& body) { return std::holds_alternative<proto::JoinReply>(body); }
    std::uint64_t count(const std::string& name) {
        const auto counters = net.core("a").status().counters;
        const auto found = counters.find(name);
        return found == counters.end() ? 0 : found->second;
    }

    Net net;
    SessionToken token;
    std::uint64_t request = 0;
};

TEST_F(Limits, GroupsOfOneOwner) {
    start([](Bounds& bounds) { bounds.groups_per_owner = 2; });
    EXPECT_TRUE(is_joined(join({"g", "1"})));
    EXPECT_TRUE(is_joined(join({"g", "2"})));
    EXPECT_TRUE(is_joined(join({"g", "2"})));
    EXPECT_TRUE(is_overloaded(join({"g", "3"})));
    EXPECT_EQ(count("joins_refused_groups"), 1u);
    leave({"g", "1"}, 1);
    EXPECT_TRUE(is_joined(join({"g", "3"})));
}

TEST_F(Limits, MembersOfOneOwner) {
    start([](Bounds& bounds) { bounds.members_per_owner = 10; });
    EXPECT_TRUE(is_overloaded(join(kOrders, 11)));
    EXPECT_TRUE(is_joined(join(kOrders, 10)));
    EXPECT_TRUE(is_overloaded(join({"g", "1"})));
    EXPECT_EQ(count("joins_refused_members"), 2u);
}

TEST_F(Limits, MetadataOfEachMemberIsCountedWhileItStands) {
    start([](Bounds& bounds) { bounds.bytes_per_owner = 2320; });
    const Meta meta{{"k", std::string(250, 'm')}};
    EXPECT_TRUE(is_joined(join(kOrders, 3, meta)));
    EXPECT_TRUE(is_joined(join(kOrders, 3, meta)));
    EXPECT_TRUE(is_overloaded(join(kOrders, 3, meta)));
    EXPECT_TRUE(is_joined(join(kOrders, 1, meta)));
    EXPECT_TRUE(is_overloaded(join(kOrders, 1, meta)));
    EXPECT_EQ(count("joins_refused_bytes"), 2u);
    leave(kOrders, 1);
    EXPECT_TRUE(is_joined(join(kOrders, 1, meta)));
    EXPECT_TRUE(is_overloaded(join(kOrders, 1, meta)));
}

TEST_F(Limits, CountsEachOwnerForItself) {
    start([](Bounds& bounds) { bounds.groups_per_owner = 1; });
    EXPECT_TRUE(is_joined(join({"g", "1"})));
    constexpr ConnectionId kOther{10};
    const auto other = hello(kOther, "w");
    net.from_worker("a", kOther, "w", other, 1, proto::JoinRequest{{"g", "2"}, 1, {}, false, 0});
    EXPECT_TRUE(is_joined(net.take_sent(kOther).back().body));
}

TEST_F(Limits, WatchesOfOneWorker) {
    start([](Bounds& bounds) { bounds.watches_per_session = 2; });
    ask(1, proto::WatchRequest{kOrders});
    ask(2, proto::WatchRequest{kOrders});
    EXPECT_TRUE(is_overloaded(ask(3, proto::WatchRequest{kOrders})));
    EXPECT_EQ(count("watches_refused"), 1u);
}

TEST_F(Limits, RequestsWithoutAnAnswer) {
    start([](Bounds& bounds) { bounds.requests_per_session = 3; });
    join(kOrders);
    const proto::NotifyRequest waits{NotificationKind::created, kOrders, {}, true, 60'000};
    for (std::uint64_t number = 2; number <= 4; ++number) ask(number, waits);
    EXPECT_TRUE(is_overloaded(ask(5, waits)));
    EXPECT_TRUE(is_overloaded(ask(5, waits))) << "repeated, from memory";
    EXPECT_EQ(count("requests_refused"), 1u);
    EXPECT_EQ(count("notifications"), 3u);
}

TEST_F(Limits, KeepsLongAnswersWithinABoundButTheLatestAlways) {
    start([](Bounds& bounds) { bounds.answer_bytes_kept = 10'000; });
    for (int i = 0; i < 3; ++i) {
        join(kOrders, 1000);
        leave(kOrders, 1000);  // answers of eight bytes a member
    }
    const auto repeated = [&](std::uint64_t number) { return ask(number, proto::LeaveRequest{kOrders, {}, 1000}); };
    EXPECT_TRUE(std::holds_alternative<proto::LeaveReply>(repeated(6)));
    const auto forgotten = repeated(2);
    ASSERT_TRUE(std::holds_alternative<proto::ErrorReply>(forgotten));
    EXPECT_EQ(std::get<proto::ErrorReply>(forgotten).code, ErrorCode::refused);
    EXPECT_EQ(count("deltas_committed"), 6u) << "nothing was done twice";
}

/// Many sessions of one key are one user. Each of these takes as much as it gets, and then somebody else comes.
class Shared : public Limits {
protected:
    void start_with(const std::function<void(Bounds&)>& bounds) {
        net.worker_key = {Sender::Role::worker, "greedy"};
        start(bounds);
    }
    /// The answer to the first request of a new session; nothing if the hello is refused.
    std::optional<proto::Body> ask_anew(const std::string& key, const proto::Body& body) {
        net.worker_key = {Sender::Role::worker, key};
        const ConnectionId connection{++last_connection};
        net.from_worker("a", connection, key, {}, 0, proto::WorkerHello{});
        const auto hello = net.take_sent(connection).at(0).body;
        const auto* welcome = std::get_if<proto::WorkerWelcome>(&hello);
        if (!welcome) return std::nullopt;
        net.from_worker("a", connection, key, welcome->token, 1, body);
        for (auto& message : net.take_sent(connection))
            if (message.header.seq == 1) return std::move(message.body);
        return proto::Body{};  // it waits
    }
    std::uint64_t last_connection = 100;
};

TEST_F(Shared, PlacesForSessions) {
    start_with([](Bounds& bounds) { bounds.sessions = 10; });
    int taken = 1;
    while (taken < 20 && ask_anew("greedy", proto::StatusRequest{})) ++taken;
    EXPECT_EQ(taken, 5);
    EXPECT_TRUE(ask_anew("modest", proto::StatusRequest{}));
    EXPECT_EQ(count("workers_refused_too_many"), 1u);
}

TEST_F(Shared, PlacesForWaits) {
    start_with([](Bounds& bounds) { bounds.pending_reports = 40; });
    join(kOrders);
    const proto::NotifyRequest waits{NotificationKind::created, kOrders, {}, true, 60'000};
    int taken = 0;
    while (taken < 100 && !is_overloaded(*ask_anew("greedy", waits))) ++taken;
    EXPECT_EQ(taken, 20);
    EXPECT_FALSE(is_overloaded(*ask_anew("modest", waits)));
    const proto::JoinRequest visible{kOrders, 1, {}, true, 60'000};
    EXPECT_FALSE(is_overloaded(*ask_anew("modest", visible)));
    EXPECT_EQ(count("waits_refused"), 1u);
}

TEST_F(Shared, Memory) {
    start_with([](Bounds& bounds) { bounds.memory = 1'000'000; });
    const proto::JoinRequest large{kOrders, 100, {{"k", std::string(200, 'm')}}, false, 0};
    int taken = 0;
    while (taken < 100 && is_joined(*ask_anew("greedy", large))) ++taken;
    EXPECT_GT(taken, 5);
    EXPECT_LT(taken, 20);
    EXPECT_TRUE(is_joined(*ask_anew("modest", large)));
    EXPECT_EQ(count("joins_refused_memory"), 1u);
    EXPECT_LT(count("memory_used"), count("memory_limit") * 2 / 3);
    // Members leave room for what is sent to them.
    const proto::NotifyRequest notify{NotificationKind::created, kOrders, {"\xc0"}, false, 0};
    EXPECT_TRUE(std::holds_alternative<proto::NotifyReply>(*ask_anew("modest", notify)));
    EXPECT_EQ(count("notifications_dropped"), 0u);
}

TEST_F(Shared, WithoutKeysEachSessionIsSomebody) {
    start([](Bounds& bounds) { bounds.sessions = 10; });
    for (std::uint64_t i = 1; i < 10; ++i) hello(ConnectionId{100 + i}, "w");
    net.from_worker("a", ConnectionId{200}, "w", {}, 0, proto::WorkerHello{});
    EXPECT_TRUE(std::holds_alternative<proto::Refuse>(net.take_sent(ConnectionId{200}).at(0).body));
}

struct QueryLimits : Limits, testing::WithParamInterface<proto::Body> {};

TEST_P(QueryLimits, AnswersTakeTurns) {
    start([](Bounds& bounds) {
        bounds.answer_bytes_per_turn = 20;
        bounds.requests_per_session = 4;
    });
    join(kOrders, 100);
    net.run(milliseconds(200));
    // One turn: the core is stepped without a tick in between.
    Actions actions;
    const auto step = [&](std::uint64_t number) {
        proto::Message message{{"default", "w", token.value, number}, GetParam()};
        net.core("a").step({net.now, MessageArrived{Channel::door, kConnection, {}, std::move(message)}}, actions);
    };
    const auto answers = [&] {
        std::size_t replies = 0;
        std::size_t errors = 0;
        for (const auto& action : actions) {
            const auto* send = std::get_if<SendDoor>(&action);
            const bool is_error = send && std::holds_alternative<proto::ErrorReply>(send->message.body);
            errors += is_error ? 1 : 0;
            replies += send && !is_error ? 1 : 0;
        }
        return std::pair(replies, errors);
    };
    for (std::uint64_t number = 10; number < 16; ++number) step(number);
    EXPECT_EQ(answers(), std::pair(std::size_t{1}, std::size_t{1})) << "four wait, and one is too many";
    EXPECT_EQ(count("queries_refused"), 1u);
    EXPECT_LE(net.core("a").next_deadline(), net.now) << "the others are due";
    for (std::size_t turn = 2; turn <= 5; ++turn) {
        net.core("a").step({net.now, Tick{}}, actions);
        EXPECT_EQ(answers().first, turn);
    }
}

INSTANTIATE_TEST_SUITE_P(Of, QueryLimits,
                         testing::Values(proto::MembersRequest{kOrders, false}, proto::GroupsRequest{},
                                         proto::NodesRequest{}, proto::StatusRequest{}));

TEST_F(Limits, ChangingMetadataDoesNotFillTheLog) {
    start([](Bounds& bounds) { bounds.log_bytes = 64 << 10; });
    net.start("b", "a");
    net.run(seconds(1));
    // Some 8 KiB each.
    Meta meta;
    for (int i = 0; i < 16; ++i) meta[std::string(250, static_cast<char>('a' + i))] = std::string(250, 'x');
    for (int i = 0; i < 50; ++i) {
        meta[std::string(250, 'a')] = std::to_string(i);
        join(kOrders, 1, meta);
        leave(kOrders, 1);
    }
    // A node that missed them all gets a snapshot: the log keeps only the last few.
    proto::Message pull{{"default", "b", 2, 0}, proto::Pull{net.core("a").self(), Seq{1}, false}};
    pull.header.incarnation = net.core("b").self().incarnation.value;
    Actions actions;
    net.core("a").step({net.now, MessageArrived{Channel::control, {}, {}, std::move(pull)}}, actions);
    EXPECT_EQ(count("snapshots_sent"), 1u);
}

TEST_F(Limits, CountsAndIgnoresAcknowledgementsOfUnsentItems) {
    start([](Bounds&) {});
    join(kOrders);
    net.notify("a", kOrders, "1");
    for (const std::uint64_t received : {std::uint64_t{2}, ~std::uint64_t{0}})
        net.from_worker("a", kConnection, "w", token, 0, proto::WorkerHeartbeat{received});
    EXPECT_EQ(count("acks_of_unsent_stream"), 2u);
    net.take_sent(kConnection);
    net.notify("a", kOrders, "2");
    const auto heard = net.take_sent(kConnection);
    ASSERT_FALSE(heard.empty());
    EXPECT_EQ(heard.back().header.seq, 2u);
}

TEST_F(Limits, CountsRefusalsByReason) {
    start([](Bounds& bounds) { bounds.sessions = 1; });
    constexpr ConnectionId kOther{10};
    net.from_worker("a", kOther, "x", {}, 0, proto::WorkerHello{});
    EXPECT_EQ(count("workers_refused_too_many"), 1u);
    net.from_worker("a", kOther, "x", SessionToken{12345}, 1, proto::GroupsRequest{});
    EXPECT_EQ(count("workers_refused_unknown_session"), 1u);
}

}  // namespace
}  // namespace muster::cluster::test
