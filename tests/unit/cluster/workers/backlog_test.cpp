// A worker's stream at its node is bounded; with each policy the worker is told exactly what it missed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

constexpr std::size_t kBacklog = 10;  // half of it may be in flight

class Backlog : public ::testing::Test {
protected:
    /// Node a, and b with a worker that has one member.
    void start(OverflowPolicy policy) {
        net.adjust = [policy](Options& options) {
            options.bounds.backlog_items = kBacklog;
            options.bounds.backlog_policy = policy;
            options.session.ttl = seconds(600);  // the test acknowledges
        };
        net.start("a");
        net.start("b", "a");
        net.run(milliseconds(600));
        hello();
        join();
        net.take_sent(kConnection);
    }
    void hello() {
        net.from_worker("b", kConnection, "w", {}, 0, proto::WorkerHello{});
        token = std::get<proto::WorkerWelcome>(net.take_sent(kConnection).at(0).body).token;
        request = 0;
    }
    void join(const Group& group = kOrders) {
        net.from_worker("b", kConnection, "w", token, ++request, proto::JoinRequest{group, 1, {}, false, 0});
    }
    void notify(int first, int last) {
        for (int i = first; i <= last; ++i) net.notify("a", kOrders, std::to_string(i));
    }
    CallId notify_and_wait(int number) {
        const CallId call{1000u + static_cast<unsigned>(number)};
        net.call("a", LocalNotify{call, NotificationKind::created, kOrders, *data_from_json(std::to_string(number)),
                                  true, seconds(60)});
        return call;
    }
    /// Takes and acknowledges the stream until no more comes. Returns its data, with "-n" for a gap of n.
    Strings drain() {
        Strings list;
        for (int rounds = 0; rounds < 100; ++rounds) {
            const auto before = received;
            for (const auto& message : net.take_sent(kConnection)) take(message, list);
            if (received == before) break;
            net.from_worker("b", kConnection, "w", token, 0, proto::WorkerHeartbeat{received});
        }
        return list;
    }
    void take(const proto::Message& message, Strings& list) {
        const auto* deliveries = std::get_if<proto::Deliveries>(&message.body);
        const auto* gap = std::get_if<proto::Gap>(&message.body);
        if (!deliveries && !gap) return;
        EXPECT_EQ(message.header.seq, received + 1);
        received += gap ? 1 : deliveries->items.size();
        if (gap) return list.push_back("-" + std::to_string(gap->missed));
        for (const auto& delivery : deliveries->items) list.push_back(to_json(delivery.notice->data));
    }

    Net net;
    SessionToken token;
    std::uint64_t request = 0;
    std::uint64_t received = 0;
};

Strings numbers(int first, int last) {
    Strings list;
    for (int i = first; i <= last; ++i) list.push_back(std::to_string(i));
    return list;
}

Strings operator+(Strings a, const Strings& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST_F(Backlog, WhenFullDropsTheOldestUnsentAndTellsTheirNumber) {
    start(OverflowPolicy::drop_oldest);
    int first = 1;
    for (const int too_many : {1, 2, 31}) {
        const int last = first + static_cast<int>(kBacklog) + too_many - 1;
        notify(first, last);
        EXPECT_EQ(drain(),
                  numbers(first, first + 4) + Strings{"-" + std::to_string(too_many)} + numbers(last - 4, last))
            << too_many;
        first = last + 1;
    }
}

TEST_F(Backlog, WhenFullRefusesTheNewestAndTellsTheirNumber) {
    start(OverflowPolicy::refuse_newest);
    int first = 1;
    for (const int too_many : {1, 2, 31}) {
        const int last_kept = first + static_cast<int>(kBacklog) - 1;
        notify(first, last_kept + too_many);
        EXPECT_EQ(drain(), numbers(first, last_kept) + Strings{"-" + std::to_string(too_many)}) << too_many;
        first = last_kept + too_many + 1;
        notify(first, first);
        EXPECT_EQ(drain(), numbers(first, first)) << "after the gap it goes on";
        ++first;
    }
}

TEST_F(Backlog, WhenFullEndsTheSessionIfThatIsThePolicy) {
    start(OverflowPolicy::disconnect);
    net.call("a", LocalWatch{WatchId{1}, kOrders});
    notify(1, static_cast<int>(kBacklog));
    EXPECT_EQ(net.members("a", kOrders).size(), 1u);
    const CallId call = notify_and_wait(99);
    EXPECT_TRUE(net.members("a", kOrders).empty());
    EXPECT_EQ(net.watch_events.back().event.reason, Reason::worker_down);
    const auto heard = net.take_sent(kConnection);
    ASSERT_FALSE(heard.empty());
    const auto* refusal = std::get_if<proto::Refuse>(&heard.back().body);
    ASSERT_NE(refusal, nullptr);
    EXPECT_EQ(refusal->code, ErrorCode::overloaded);
    ASSERT_TRUE(net.answers.contains(call));
    EXPECT_EQ(std::get<NotifyReport>(net.answers.at(call)).missed,
              (std::vector<Missed>{{"b", 1, MissReason::overflow}}));
}

TEST_F(Backlog, ReportsAnOverflowWithEitherPolicy) {
    for (const auto policy : {OverflowPolicy::drop_oldest, OverflowPolicy::refuse_newest}) {
        net = Net();
        received = 0;
        start(policy);
        notify(1, 5);
        const CallId sixth = notify_and_wait(6);
        notify(7, static_cast<int>(kBacklog));
        const CallId last = notify_and_wait(50);
        const CallId dropped = policy == OverflowPolicy::drop_oldest ? sixth : last;
        const CallId kept = policy == OverflowPolicy::drop_oldest ? last : sixth;
        ASSERT_TRUE(net.answers.contains(dropped));
        EXPECT_EQ(std::get<NotifyReport>(net.answers.at(dropped)).missed,
                  (std::vector<Missed>{{"b", 1, MissReason::overflow}}));
        EXPECT_FALSE(net.answers.contains(kept)) << "delivered is what the worker has handled";
        drain();
        ASSERT_TRUE(net.answers.contains(kept));
        EXPECT_EQ(std::get<NotifyReport>(net.answers.at(kept)).delivered, 1u);
    }
}

TEST_F(Backlog, TellsALossOnALinkInItsPlace) {
    start(OverflowPolicy::drop_oldest);
    notify(1, 2);
    const NodeId a = net.core("a").self();
    const NodeId b = net.core("b").self();
    proto::LinkData data{b, 3, 0, {proto::NoticesLost{kOrders, 7}}};
    net.call("b", MessageArrived{Channel::control, {}, {}, {{"default", "a", a.incarnation.value, 0}, data}});
    EXPECT_EQ(drain(), (Strings{"1", "2", "-7"}));
    data = {b, 4, 0, {proto::NoticesLost{kOrders, UINT64_MAX}, proto::NoticesLost{kOrders, 12}}};
    net.call("b", MessageArrived{Channel::control, {}, {}, {{"default", "a", a.incarnation.value, 0}, data}});
    EXPECT_EQ(drain(), (Strings{"-18446744073709551615"}));
    EXPECT_EQ(net.counter("b", "notifications_lost_on_links"), UINT64_MAX);
}

TEST_F(Backlog, LossesInAFullBacklogStayWithinTheBounds) {
    start(OverflowPolicy::drop_oldest);
    const NodeId a = net.core("a").self();
    const NodeId b = net.core("b").self();
    int notified = 0;
    std::uint64_t link = 0;
    for (; notified < 20; ++notified, ++link) {
        net.notify("a", kOrders, std::to_string(notified));
        // These take the numbers of what a sends next, so b ignores that as a repeat, as if a had dropped it.
        proto::LinkData data{b, ++link + 1, 0, {proto::NoticesLost{kOrders, 1}}};
        net.call("b", MessageArrived{Channel::control, {}, {}, {{"default", "a", a.incarnation.value, 0}, data}});
        ASSERT_EQ(net.core("b").over_bounds(), std::nullopt);
    }
    std::uint64_t missed = 0;
    std::uint64_t taken = 0;
    for (const auto& text : drain()) {
        if (text[0] == '-')
            missed += std::stoull(text.substr(1));
        else
            ++taken;
    }
    EXPECT_GT(taken, 0u);
    EXPECT_LE(missed + taken, 40u);
}

TEST_F(Backlog, EndsTheSessionOfAWorkerThatDoesNotTakeItsWatches) {
    start(OverflowPolicy::drop_oldest);
    net.from_worker("b", kConnection, "w", token, ++request, proto::WatchRequest{kOrders});
    for (std::uint64_t i = 0; i < kBacklog; ++i) net.join("a", HandlerId{1}, kOrders);
    const auto heard = net.take_sent(kConnection);
    EXPECT_TRUE(std::holds_alternative<proto::Refuse>(heard.back().body));
    EXPECT_EQ(net.core("b").status().workers, 0u);
}

}  // namespace
}  // namespace muster::cluster::test
