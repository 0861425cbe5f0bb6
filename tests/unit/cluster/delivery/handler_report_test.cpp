// Reports on members whose handlers run inside a node.
#include <gtest/gtest.h>

#include <variant>

#include "tests/unit/cluster/net.hpp"

namespace muster::cluster {
namespace {

using std::chrono::milliseconds;
using test::Net;

const Group kOrders{"orders", "subscriptions"};
constexpr HandlerId kMe{1};
constexpr HandlerId kYou{2};
constexpr CallId kCall{900};

/// Nodes a and b, with two members of one handler and one of another at a. Handlers take their time.
class Report : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        net.start("a");
        net.start("b", "a");
        net.run(milliseconds(600));
        net.join("a", kMe, kOrders, 2);
        net.join("a", kYou, kOrders);
        net.handlers_return = false;
        net.call(GetParam(), LocalNotify{kCall, NotificationKind::created, kOrders, {}, true, std::chrono::seconds(2)});
        ASSERT_EQ(net.awaited.size(), 2u);
        EXPECT_EQ(net.awaited[0].members, 2u);
        EXPECT_EQ(net.awaited[1].members, 1u);
        EXPECT_EQ(net.awaited[0].fan_out, net.awaited[1].fan_out);
    }
    void tell(std::uint64_t members, std::optional<MissReason> missed = {}) {
        net.call("a", HandlerOutcomes{{{net.awaited[0].fan_out, members, missed}}});
        net.run(milliseconds(20));
    }
    bool is_answered() { return net.answers.contains(kCall); }
    const NotifyReport& report() { return std::get<NotifyReport>(net.answers.at(kCall)); }

    Net net;
};

TEST_P(Report, WaitsUntilHandlersHaveReturned) {
    net.run(milliseconds(1700));
    EXPECT_FALSE(is_answered());
    net.run(milliseconds(400));
    EXPECT_EQ(report().delivered, 0u);
    EXPECT_EQ(report().missed, (std::vector<Missed>{{"a", 3, MissReason::timeout}}));
}

TEST_P(Report, AfterTheTimeoutTellsWhatIsKnown) {
    tell(1);
    net.run(std::chrono::seconds(2));
    EXPECT_EQ(report().delivered, 1u);
    EXPECT_EQ(report().missed, (std::vector<Missed>{{"a", 2, MissReason::timeout}}));
}

TEST_P(Report, IsCompleteWhenTheLastHandlerHasReturned) {
    tell(1);
    tell(1);
    EXPECT_FALSE(is_answered());
    tell(1);
    EXPECT_EQ(report().delivered, 3u);
    EXPECT_TRUE(report().missed.empty());
}

TEST_P(Report, CountsMissedMembersByReason) {
    net.call("a", HandlerOutcomes{{{net.awaited[0].fan_out, 1, MissReason::overflow},
                                   {net.awaited[0].fan_out, 1, std::nullopt},
                                   {net.awaited[0].fan_out, 1, MissReason::left}}});
    net.run(milliseconds(20));
    EXPECT_EQ(report().delivered, 1u);
    EXPECT_EQ(report().missed, (std::vector<Missed>{{"a", 1, MissReason::left}, {"a", 1, MissReason::overflow}}));
}

TEST_P(Report, IgnoresOutcomesOfUnknownFanOutsAndTooMany) {
    net.call("a", HandlerOutcomes{{{FanOutId{77}, 3, std::nullopt}, {FanOutId{}, 3, std::nullopt}}});
    EXPECT_FALSE(is_answered());
    tell(3);
    EXPECT_EQ(report().delivered, 3u);
    tell(3);
    EXPECT_EQ(report().delivered, 3u);
}

TEST_P(Report, NoOutcomeIsAskedForIfNobodyWaits) {
    net.awaited.clear();
    const auto before = net.delivered.size();
    net.call(GetParam(), LocalNotify{CallId{901}, NotificationKind::created, kOrders, {}, false, {}});
    net.run(milliseconds(20));
    EXPECT_EQ(net.delivered.size(), before + 2);
    EXPECT_TRUE(net.awaited.empty());
}

INSTANTIATE_TEST_SUITE_P(From, Report, testing::Values("a", "b"),
                         [](const auto& from) { return std::string(from.param); });

}  // namespace
}  // namespace muster::cluster
