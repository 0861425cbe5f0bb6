// What becomes of notifications to handlers inside a node, and what is reported of it.
#include <gtest/gtest.h>
#include <muster/node.hpp>

#include <future>
#include <stdexcept>
#include <string>

#include "tests/unit/node/nodes.hpp"
#include "tests/unit/node/support.hpp"

namespace muster {
namespace {

using test::kGroup;
using test::kLong;
using test::options;
using test::Seen;
using test::start;
using test::visible;

const NotifyOptions kWait{.wait = true, .timeout = kLong};

Data data(char n) {
    return Data{std::string(1, n)};
}

/// A node with two joins. The handler of the first, which has `members` members, blocks in its first call until
/// let_go(). A notification that the second has handled is in the first one's inbox, or was refused. Gaps are written
/// as "-n".
class Busy {
public:
    explicit Busy(Node::Options given, std::uint64_t members = 1) {
        given.on_gap = [this](const Group& group, std::uint64_t missed) {
            EXPECT_EQ(group, kGroup);
            handled.add("-" + std::to_string(missed));
            if (gap_throws) throw std::runtime_error("a user's fault");
        };
        node = start(std::move(given));
        const auto first = node->join(
            kGroup,
            [this](const Notification& n) {
                entered.add(1);
                opened_.wait();
                handled.add(n.data.msgpack);
            },
            visible(members));
        EXPECT_TRUE(first.ok());
        EXPECT_TRUE(node->join(
                            kGroup, [this](const Notification& n) { passed.add(n.data.msgpack); }, visible())
                        .ok());
        blocked = first->members;
        // The handler is called, and blocks.
        EXPECT_TRUE(node->notify_created(kGroup, data('0')).ok());
        EXPECT_EQ(entered.wait_for(1).size(), 1u);
        sent_ = 1;
        passed.wait_for(1);
    }
    ~Busy() {
        if (!open_) let_go();
        node->close();
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

    /// Starts a notify that waits. Returns when it has reached the inbox.
    std::future<NotifyReport> notify(Node& from, char n) {
        auto report =
            std::async(std::launch::async, [&from, n] { return *from.notify_created(kGroup, data(n), kWait); });
        ++sent_;
        EXPECT_EQ(passed.wait_for(sent_).size(), sent_);
        return report;
    }
    void let_go() {
        open_ = true;
        gate_.set_value();
    }

    Seen<int> entered;
    Seen<std::string> handled;
    Seen<std::string> passed;
    std::vector<MemberId> blocked;
    bool gap_throws = false;
    std::unique_ptr<Node> node;

private:
    std::size_t sent_ = 0;
    bool open_ = false;
    std::promise<void> gate_;
    std::shared_future<void> opened_ = gate_.get_future().share();
};

TEST(EmbeddedDelivery, CountsAMemberWhenItsHandlerHasReturned) {
    Busy busy(options("a"));
    const auto hasty = busy.node->notify_created(kGroup, data('1'), {true, std::chrono::milliseconds(50)});
    ASSERT_TRUE(hasty.ok());
    EXPECT_EQ(hasty->matched, 2u);
    std::uint64_t late = 0;
    for (const auto& missed : hasty->missed) {
        EXPECT_EQ(missed.reason, MissReason::timeout);
        late += missed.members;
    }
    EXPECT_GE(late, 1u);
    EXPECT_EQ(hasty->delivered + late, 2u);
    busy.passed.wait_for(2);

    auto patient = std::async(std::launch::async, [&] { return *busy.node->notify_created(kGroup, data('2'), kWait); });
    EXPECT_EQ(busy.passed.wait_for(3).size(), 3u);
    EXPECT_EQ(patient.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    busy.let_go();
    const NotifyReport report = patient.get();
    EXPECT_EQ(report.delivered, 2u);
    EXPECT_TRUE(report.missed.empty());
    EXPECT_EQ(busy.handled.now(), (std::vector<std::string>{"0", "1", "2"}));
}

TEST(EmbeddedDelivery, DroppedNotificationsAreReportedExactly) {
    for (const std::size_t members : {1u, 2u, 300u}) {
        auto given = options("a");
        given.queues.inbox.items = members;
        Busy busy(std::move(given), members);
        const auto other = start(options("b", {busy.node->address()}));
        ASSERT_EQ(other->members(kGroup)->size(), members + 1);
        auto near = busy.notify(*busy.node, '1');
        auto far = busy.notify(*other, '2');  // pushes the first out
        auto last = busy.notify(*busy.node, '3');
        for (auto* report : {&near, &far}) {
            const NotifyReport dropped = report->get();
            EXPECT_EQ(dropped.matched, members + 1);
            EXPECT_EQ(dropped.delivered, 1u);
            EXPECT_EQ(dropped.missed, (std::vector<Missed>{{"a", members, MissReason::overflow}}));
        }
        busy.let_go();
        EXPECT_EQ(last.get().delivered, members + 1);
        auto expected = std::vector<std::string>(members, "0");
        expected.push_back("-" + std::to_string(2 * members));
        expected.insert(expected.end(), members, "3");
        EXPECT_EQ(busy.handled.now(), expected);
    }
}

TEST(EmbeddedDelivery, ARefusedNotificationIsReportedImmediatelyAndTheGapInOrder) {
    auto given = options("a");
    given.queues.inbox.items = 1;
    given.queues.inbox.policy = OverflowPolicy::refuse_newest;
    Busy busy(std::move(given));
    auto taken = busy.notify(*busy.node, '1');
    const NotifyReport refused = busy.notify(*busy.node, '2').get();
    EXPECT_EQ(refused.delivered, 1u);
    EXPECT_EQ(refused.missed, (std::vector<Missed>{{"a", 1, MissReason::overflow}}));
    busy.let_go();
    EXPECT_EQ(taken.get().delivered, 2u);
    EXPECT_EQ(busy.handled.wait_for(3), (std::vector<std::string>{"0", "1", "-1"}));
}

TEST(EmbeddedDelivery, TheInboxIsBoundedInBytes) {
    auto given = options("a");
    given.queues.inbox.bytes = 2000;
    Busy busy(std::move(given));
    const Data large{"\xda\x05\xdc" + std::string(1500, 'x')};  // str 16, 1500 bytes
    auto first = std::async(std::launch::async, [&] { return *busy.node->notify_created(kGroup, large, kWait); });
    EXPECT_EQ(busy.passed.wait_for(2).size(), 2u);
    ASSERT_TRUE(busy.node->notify_created(kGroup, large).ok());
    EXPECT_EQ(first.get().missed, (std::vector<Missed>{{"a", 1, MissReason::overflow}}));
}

TEST(EmbeddedDelivery, AMemberThatLeavesBeforeItsCallIsMissedAsLeft) {
    Busy busy(options("a"));
    auto report = busy.notify(*busy.node, '1');
    ASSERT_TRUE(busy.node->leave(kGroup, busy.blocked).ok());  // does not wait for the handler
    const NotifyReport left = report.get();
    EXPECT_EQ(left.delivered, 1u);
    EXPECT_EQ(left.missed, (std::vector<Missed>{{"a", 1, MissReason::left}}));
    busy.let_go();
    busy.node->close();
    EXPECT_EQ(busy.handled.now(), std::vector<std::string>{"0"});
}

TEST(EmbeddedDelivery, ThrowingAndEmptyHandlersCountAsDelivered) {
    const auto node = start(options("a"));
    ASSERT_TRUE(node->join(kGroup, [](const Notification&) { throw std::runtime_error("a user's fault"); }).ok());
    ASSERT_TRUE(node->join(kGroup, {}).ok());
    const auto report = node->notify_created(kGroup, data('1'), kWait);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->delivered, 2u);
    EXPECT_TRUE(report->missed.empty());
    EXPECT_EQ(node->status()->counters.at("handler_exceptions"), 1u);
}

TEST(EmbeddedDelivery, AnOnGapThatThrowsIsCountedToo) {
    auto given = options("a");
    given.queues.inbox.items = 1;
    Busy busy(std::move(given));
    busy.gap_throws = true;
    auto dropped = busy.notify(*busy.node, '1');
    auto last = busy.notify(*busy.node, '2');
    EXPECT_EQ(dropped.get().delivered, 1u);
    busy.let_go();
    EXPECT_EQ(last.get().delivered, 2u);
    EXPECT_EQ(busy.handled.now(), (std::vector<std::string>{"0", "-1", "2"}));
    EXPECT_EQ(busy.node->status()->counters.at("handler_exceptions"), 1u);
}

TEST(EmbeddedDelivery, TenBlockedHandlersDoNotDelayTheEleventh) {
    std::promise<void> gate;
    auto opened = gate.get_future().share();
    Seen<int> entered;
    const auto node = start(options("a"));
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(node->join(kGroup,
                               [&](const Notification&) {
                                   entered.add(1);
                                   opened.wait();
                               })
                        .ok());
    ASSERT_TRUE(node->notify_created(kGroup, data('1')).ok());
    EXPECT_EQ(entered.wait_for(10).size(), 10u);
    const Group other{"orders", "snapshots"};
    ASSERT_TRUE(node->join(other, [](const Notification&) {}).ok());
    const auto report = node->notify_created(other, data('2'), kWait);
    EXPECT_EQ(report->delivered, 1u);
    gate.set_value();
}

TEST(EmbeddedDelivery, RefusesWrongOptions) {
    const auto why = [](auto spoil) {
        auto given = options("a");
        spoil(given);
        const auto node = Node::start(std::move(given));
        EXPECT_FALSE(node.ok());
        return node.ok() ? Error{} : node.error();
    };
    const Error policy = why([](Node::Options& given) { given.queues.inbox.policy = OverflowPolicy::disconnect; });
    EXPECT_EQ(policy.code, ErrorCode::bad_request);
    EXPECT_NE(policy.text.find("drop_oldest or refuse_newest"), std::string::npos) << policy.text;
    EXPECT_EQ(why([](Node::Options& given) { given.queues.inbox.items = 0; }).code, ErrorCode::bad_request);
    EXPECT_EQ(why([](Node::Options& given) { given.queues.inbox.bytes = 0; }).code, ErrorCode::bad_request);
    EXPECT_EQ(why([](Node::Options& given) { given.limits.max_handler_threads = 1; }).code, ErrorCode::bad_request);
    EXPECT_EQ(why([](Node::Options& given) { given.limits.max_handler_threads = 5000; }).code, ErrorCode::bad_request);
    EXPECT_EQ(why([](Node::Options& given) { given.timing.busy_poll = std::chrono::hours(1); }).code,
              ErrorCode::bad_request);
}

}  // namespace
}  // namespace muster
