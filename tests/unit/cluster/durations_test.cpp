// Durations and retransmissions, as a core measures them by the times of its events.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr ConnectionId kOther{10};

std::uint64_t count(const Histogram& histogram) {
    return std::accumulate(histogram.counts().begin(), histogram.counts().end(), std::uint64_t{0});
}

class MeasuredDurations : public ::testing::Test {
protected:
    void SetUp() override {
        net.adjust = [](Options& options) { options.session.ttl = seconds(600); };
        net.start("a");
        net.start("b", "a");
        net.run(milliseconds(600));
    }
    /// A worker at b, with one member.
    void attach() {
        net.from_worker("b", kConnection, "w", {}, 0, proto::WorkerHello{});
        token = std::get<proto::WorkerWelcome>(net.take_sent(kConnection).at(0).body).token;
        net.from_worker("b", kConnection, "w", token, 1, proto::JoinRequest{kOrders, 1, {}, false, 0});
    }
    void handle(std::uint64_t received) {
        net.from_worker("b", kConnection, "w", token, 0, proto::WorkerHeartbeat{received});
    }
    const Durations& durations(const std::string& node) { return net.core(node).durations(); }
    std::uint64_t counter(const std::string& node, const std::string& name) { return net.counter(node, name); }

    Net net;
    SessionToken token;
};

TEST_F(MeasuredDurations, ADeliveryLastsUntilTheWorkerHasHandledIt) {
    attach();
    net.notify("a", kOrders, "1");
    net.run(milliseconds(300));
    net.notify("a", kOrders, "2");
    EXPECT_EQ(counter("b", "backlog_queue"), 2u);
    EXPECT_GT(counter("b", "backlog_queue_bytes"), 0u);
    net.run(milliseconds(200));
    handle(1);
    EXPECT_EQ(durations("b").delivery.sum(), milliseconds(500));
    handle(2);
    EXPECT_EQ(durations("b").delivery.sum(), milliseconds(700));
    EXPECT_EQ(count(durations("b").delivery), 2u);
    EXPECT_EQ(count(durations("a").delivery), 0u);
    EXPECT_EQ(counter("b", "backlog_queue"), 0u);
    EXPECT_EQ(counter("b", "backlog_queue_bytes"), 0u);
}

TEST_F(MeasuredDurations, AReportComesWhenTheLastMemberHasAnsweredOrTimeIsUp) {
    attach();
    net.call("a", LocalNotify{CallId{1001}, NotificationKind::created, kOrders, {}, true, seconds(60)});
    net.run(seconds(2));
    EXPECT_EQ(count(durations("a").report), 0u);
    handle(1);
    net.run(seconds(1));
    ASSERT_EQ(count(durations("a").report), 1u);
    EXPECT_GE(durations("a").report.sum(), seconds(2));
    EXPECT_LT(durations("a").report.sum(), milliseconds(2500));

    net.call("a", LocalNotify{CallId{1002}, NotificationKind::created, kOrders, {}, true, seconds(5)});
    net.run(seconds(6));
    EXPECT_EQ(count(durations("a").report), 2u);
    EXPECT_GE(durations("a").report.sum(), seconds(7) - milliseconds(500));
}

TEST_F(MeasuredDurations, ARepairLastsFromTheGapToItsEnd) {
    const auto before = durations("b").repair;
    const auto sent_before = counter("a", "repair_bytes_sent");
    bool lost = true;
    bool no_repair = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return to == "b" ? lost && std::holds_alternative<proto::Deltas>(message.body)
                         : no_repair && std::holds_alternative<proto::Pull>(message.body);
    };
    net.join("a", kMe, kOrders);
    lost = false;
    net.join("a", kMe, kOrders);
    net.run(seconds(2));
    ASSERT_TRUE(net.members("b", kOrders).empty());
    EXPECT_EQ(durations("b").repair, before);
    no_repair = false;
    net.run(seconds(1));
    ASSERT_EQ(net.members("b", kOrders).size(), 2u);
    EXPECT_EQ(count(durations("b").repair), count(before) + 1);
    EXPECT_GE(durations("b").repair.sum() - before.sum(), seconds(2));
    EXPECT_LT(durations("b").repair.sum() - before.sum(), milliseconds(2500));
    EXPECT_GT(counter("a", "repair_bytes_sent"), sent_before);
}

TEST_F(MeasuredDurations, RetransmissionsAreCounted) {
    attach();
    bool cut = true;
    net.drop = [&](const std::string& to, const proto::Message& message) {
        return cut && to == "b" && std::holds_alternative<proto::LinkData>(message.body);
    };
    for (int i = 0; i < 3; ++i) net.notify("a", kOrders, "1");
    EXPECT_EQ(counter("a", "link_queue"), 3u);
    EXPECT_GT(counter("a", "link_queue_bytes"), 0u);
    EXPECT_EQ(counter("a", "link_items_resent"), 0u);
    cut = false;
    net.run(milliseconds(350));
    EXPECT_EQ(counter("a", "link_items_resent"), 3u);
    EXPECT_EQ(counter("a", "link_queue_bytes"), 0u);

    handle(1);
    net.call("b", ConnectionLost{kConnection});
    net.from_worker("b", kOther, "w", {}, 0, proto::WorkerHello{token, 1});
    EXPECT_EQ(counter("b", "stream_items_resent"), 2u);
}

}  // namespace
}  // namespace muster::cluster::test
