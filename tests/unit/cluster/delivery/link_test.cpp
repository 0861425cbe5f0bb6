// Links between nodes: what their bounds, their policy and their retention do to notifications.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Strings = std::vector<std::string>;

const Group kStock{"stock", "streams"};
constexpr std::size_t kLinkItems = 8;  // half of them may be in flight

class Link : public ::testing::Test {
protected:
    void start(std::function<void(Options&)> adjust = {}) {
        net.adjust = [adjust](Options& options) {
            options.bounds.link_items = kLinkItems;
            if (adjust) adjust(options);
        };
        net.start("a");
        net.start("b", "a");
        net.start("c", "a");
        net.run(milliseconds(600));
        net.join("b", kMe, kOrders);
        net.drop = [this](const std::string& to, const proto::Message& message) {
            const auto* relay = std::get_if<proto::Relay>(&message.body);
            const bool for_b = to == "b" || (relay && relay->to == "b");
            return (b_cut_off && (for_b || message.header.origin == "b")) ||
                   (link_cut && for_b && (relay || std::holds_alternative<proto::LinkData>(message.body)));
        };
    }
    /// Notifications `first` … `last` from a, with these numbers as their data.
    void notify(int first, int last, const Group& group = kOrders) {
        for (int i = first; i <= last; ++i) net.notify("a", group, std::to_string(i));
    }
    CallId notify_and_wait(int number) {
        const CallId call{1000u + static_cast<unsigned>(number)};
        net.call("a", LocalNotify{call, NotificationKind::created, kOrders, *data_from_json(std::to_string(number)),
                                  true, seconds(5)});
        return call;
    }
    /// What a handler of b received: the data, and "-n" for a gap of n.
    Strings got(HandlerId handler = kMe) const {
        Strings list;
        for (const auto& one : net.delivered)
            if (one.node == "b" && one.handler == handler)
                list.push_back(one.missed ? "-" + std::to_string(one.missed) : to_json(one.notification.data));
        return list;
    }
    NotifyReport report_of(CallId call) { return std::get<NotifyReport>(net.answers.at(call)); }

    Net net;
    bool link_cut = false;
    bool b_cut_off = false;
};

TEST_F(Link, WhenFullDropsTheOldestUnsentAndTellsTheirNumber) {
    start();
    int first = 1;
    for (const int too_many : {1, 2, 17}) {
        net.delivered.clear();
        link_cut = true;
        const int last = first + static_cast<int>(kLinkItems) + too_many - 1;
        notify(first, last);
        link_cut = false;
        net.run(seconds(3));
        Strings expected;
        for (int i = first; i < first + 4; ++i) expected.push_back(std::to_string(i));  // were in flight
        expected.push_back("-" + std::to_string(too_many));
        for (int i = last - 3; i <= last; ++i) expected.push_back(std::to_string(i));
        EXPECT_EQ(got(), expected) << too_many;
        first = last + 1;
    }
}

TEST_F(Link, TellsEachMemberOfTheGroupOfALossAndNoOther) {
    start();
    net.join("b", kMe, kOrders, 2);  // three now
    net.join("b", kYou, kStock);
    link_cut = true;
    notify(1, 4);            // in flight
    notify(5, 7);            // will be dropped
    notify(11, 12, kStock);  // the second of these too
    notify(21, 24, kStock);
    link_cut = false;
    net.run(seconds(3));
    EXPECT_EQ(got(kMe), (Strings{"1", "2", "3", "4", "-9"}));  // 3 notifications, 3 members
    EXPECT_EQ(got(kYou), (Strings{"-2", "21", "22", "23", "24"}));
}

TEST_F(Link, ReportsADroppedNoticeImmediately) {
    start();
    link_cut = true;
    notify(1, 4);
    const CallId dropped = notify_and_wait(5);
    const CallId kept = notify_and_wait(6);
    notify(7, 8);
    EXPECT_FALSE(net.answers.contains(dropped));
    notify(9, 9);
    ASSERT_TRUE(net.answers.contains(dropped));
    EXPECT_EQ(report_of(dropped).delivered, 0u);
    EXPECT_EQ(report_of(dropped).missed, (std::vector<Missed>{{"b", 1, MissReason::overflow}}));
    link_cut = false;
    net.run(seconds(3));
    EXPECT_EQ(report_of(kept).delivered, 1u);
    EXPECT_EQ(report_of(kept).missed, std::vector<Missed>{});
}

TEST_F(Link, DropsBeyondItsBoundInBytes) {
    start([](Options& options) {
        options.bounds.link_items = 1000;
        options.bounds.link_bytes = 10000;
    });
    link_cut = true;
    const std::string large = '"' + std::string(2000, 'x') + '"';
    for (int i = 0; i < 10; ++i) net.notify("a", kOrders, large);
    link_cut = false;
    net.run(seconds(3));
    const auto list = got();
    ASSERT_EQ(list.size(), 5u);  // four fit, and the count of the others
    EXPECT_EQ(list[3], "-6");    // three were in flight: sending stops at half of link_bytes
}

TEST_F(Link, WhenFullRefusesTheWholeCallIfThatIsThePolicy) {
    start([](Options& options) { options.bounds.link_policy = OverflowPolicy::refuse_newest; });
    net.join("c", kMe, kOrders);
    link_cut = true;
    notify(1, static_cast<int>(kLinkItems));
    net.delivered.clear();
    const auto refused = net.notify("a", kOrders, "99");
    ASSERT_TRUE(std::holds_alternative<Error>(refused));
    EXPECT_EQ(std::get<Error>(refused).code, ErrorCode::overloaded);
    EXPECT_NE(std::get<Error>(refused).text.find("node b is full, and nothing was sent"), std::string::npos);
    EXPECT_TRUE(net.delivered.empty()) << "c must not get what b cannot get";
    link_cut = false;
    net.run(seconds(3));
    EXPECT_EQ(got(), (Strings{"1", "2", "3", "4", "5", "6", "7", "8"}));
    EXPECT_TRUE(std::holds_alternative<NotifyReport>(net.notify("a", kOrders, "9")));
}

TEST_F(Link, KeepsNoticesForAPeerThatIsDown) {
    start();
    b_cut_off = true;
    notify(1, 6);
    net.run(seconds(4));
    ASSERT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_TRUE(got().empty());
    b_cut_off = false;
    net.run(seconds(5));
    EXPECT_EQ(got(), (Strings{"1", "2", "3", "4", "5", "6"}));
}

TEST_F(Link, TurnsUnacknowledgedNoticesIntoLossesAfterTheRetention) {
    start([](Options& options) { options.timing.link_retention = seconds(1); });
    notify(1, 1);
    net.run(milliseconds(100));  // acknowledged at the next tick
    b_cut_off = true;
    notify(2, 7);
    net.run(seconds(5));
    ASSERT_EQ(net.core("a").nodes()[1].state, NodeState::down);
    EXPECT_EQ(net.core("a").status().counters.at("link_items_given_up"), 6u);
    b_cut_off = false;
    net.run(seconds(5));
    notify(8, 8);
    std::uint64_t missed = 0;
    Strings data;
    for (const auto& text : got()) {
        if (text[0] == '-')
            missed += std::stoull(text.substr(1));
        else
            data.push_back(text);
    }
    EXPECT_EQ(missed, 6u);
    EXPECT_EQ(data, (Strings{"1", "8"}));
}

TEST_F(Link, ANoticeThatArrivedBeforeItWasGivenUpIsNoLoss) {
    start([](Options& options) { options.timing.link_retention = seconds(1); });
    // b hears a, but a does not hear b: nothing is acknowledged.
    net.drop = [this](const std::string&, const proto::Message& message) {
        return b_cut_off && message.header.origin == "b";
    };
    b_cut_off = true;
    notify(1, 6);
    net.run(seconds(6));
    EXPECT_EQ(got(), (Strings{"1", "2", "3", "4"}));
    EXPECT_EQ(net.core("a").status().counters.at("link_items_given_up"), 6u);
    b_cut_off = false;
    net.run(seconds(5));
    EXPECT_EQ(got(), (Strings{"1", "2", "3", "4", "-2"}));
}

TEST_F(Link, NumbersContinueWithALifeThatWasForgotten) {
    start([](Options& options) {
        options.bounds.link_items = 100;
        options.timing.link_retention = seconds(1);
        options.timing.forget_after = seconds(5);
    });
    notify(1, 50);
    net.notify("b", kOrders, "51");
    net.join("a", kMe, kOrders);
    net.notify("b", kOrders, "52");
    b_cut_off = true;
    net.run(seconds(12));
    ASSERT_EQ(net.core("a").nodes().size(), 2u) << "a has not forgotten b";
    b_cut_off = false;
    net.run(seconds(8));
    ASSERT_EQ(net.core("a").nodes().size(), 3u);
    net.delivered.clear();
    notify(60, 61);
    net.run(seconds(1));
    EXPECT_EQ(got(), (Strings{"60", "61"}));
    net.delivered.clear();
    net.notify("b", kOrders, "62");
    net.run(seconds(1));
    EXPECT_EQ(net.delivered.size(), 2u) << "one at a, one at b";
}

TEST_F(Link, AReportIsAboutTheMatchedMembers) {
    start();
    const auto joined = net.join("b", kYou, kOrders, 2);
    ASSERT_TRUE(std::holds_alternative<proto::JoinReply>(joined));
    net.drop = [](const std::string& to, const proto::Message& message) {
        return to == "a" && std::holds_alternative<proto::Deltas>(message.body);
    };
    net.leave("b", kYou, kOrders, 1);
    net.join("b", kYou, kOrders, 5);
    ASSERT_EQ(net.members("a", kOrders).size(), 3u);
    const auto report = std::get<NotifyReport>(net.notify("a", kOrders, "1", true));
    EXPECT_EQ(report.matched, 3u);
    EXPECT_EQ(report.delivered, 2u);
    EXPECT_EQ(report.missed, (std::vector<Missed>{{"b", 1, MissReason::left}}));
    EXPECT_EQ(got(kYou).size(), 1u) << "the newer ones get it as well";
}

/// If the node dies before it has told of the loss, the worker must send the call again.
TEST_F(Link, ACallIsNotSettledWhileAPeerIsNotToldThatItsNoticeWasLost) {
    start([](Options& options) { options.timing.link_retention = seconds(5); });
    constexpr ConnectionId kWorker{9};
    net.from_worker("a", kWorker, "w", {}, 0, proto::WorkerHello{{}, 0, 7});
    const auto token = std::get<proto::WorkerWelcome>(net.take_sent(kWorker).at(0).body).token;
    std::uint64_t settled = 0;
    const auto settled_after = [&](Duration time) {
        for (; time > Duration(0); time -= seconds(1)) {
            net.run(seconds(1));
            net.from_worker("a", kWorker, "w", token, 0, proto::WorkerHeartbeat{});
        }
        for (const auto& message : net.take_sent(kWorker))
            if (const auto* beat = std::get_if<proto::NodeHeartbeat>(&message.body))
                settled = std::max(settled, beat->settled);
        return settled;
    };
    b_cut_off = true;
    for (std::uint64_t call = 1; call <= 3; ++call)
        net.from_worker("a", kWorker, "w", token, call,
                        proto::NotifyRequest{NotificationKind::created, kOrders, *data_from_json("1"), false, 0, call});
    EXPECT_EQ(settled_after(seconds(15)), 0u);
    EXPECT_EQ(net.counter("a", "link_items_given_up"), 3u);
    // A peer that is dead for good does not keep calls unsettled for ever.
    EXPECT_EQ(settled_after(seconds(30)), 3u);
    b_cut_off = false;
    EXPECT_EQ(settled_after(seconds(5)), 3u);
    EXPECT_EQ(got(), (Strings{"-1", "-1", "-1"}));
}

TEST_F(Link, IgnoresAcknowledgementsOfUnsentItems) {
    start();
    const NodeId a = net.core("a").self();
    const NodeId b = net.core("b").self();
    link_cut = true;
    notify(1, 6);
    for (const std::uint64_t number : {std::uint64_t{5}, std::uint64_t{1000}, UINT64_MAX}) {
        proto::Message forged{{"default", "b", b.incarnation.value, 0}, proto::LinkAck{a, number}};
        net.call("a", MessageArrived{Channel::control, {}, {}, forged});
    }
    EXPECT_EQ(net.core("a").status().counters.at("acks_of_unsent_links"), 3u);
    link_cut = false;
    net.run(seconds(3));
    EXPECT_EQ(got(), (Strings{"1", "2", "3", "4", "5", "6"}));
}

}  // namespace
}  // namespace muster::cluster::test
