// What a notify call that waits is answered, by what its target nodes say.
#include "cluster/delivery/reports.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <variant>

namespace muster::cluster {
namespace {

using std::chrono::seconds;

const NodeId kNear{"near", Incarnation{1}};
const NodeId kFar{"far", Incarnation{1}};
constexpr CallId kPendingCall{7};

/// A call that matched 3 members at node near and 2 at node far, and waits for 5 s.
class PendingReports : public testing::Test {
protected:
    /// The answer to the call, if there is one.
    std::optional<NotifyReport> answer() {
        const auto answers = reports.take_answers();
        if (answers.empty()) return std::nullopt;
        EXPECT_EQ(answers.size(), 1u);
        EXPECT_EQ(answers[0].first, Caller(kPendingCall));
        return std::get<NotifyReport>(answers[0].second);
    }
    void report(const NodeId& from, std::uint64_t delivered, std::vector<Missed> missed = {}) {
        reports.take(from, {ticket, delivered, std::move(missed)});
    }

    Context ctx{Options{}};
    Reports reports{ctx};
    std::uint64_t ticket =
        reports.open(kPendingCall, {5, 2, true, 0, {}}, {{kNear, 3, {}}, {kFar, 2, {}}}, seconds(5), ctx.own_share);
};

TEST_F(PendingReports, AddsUpWhatEachNodeReports) {
    report(kNear, 3);
    EXPECT_EQ(answer(), std::nullopt);
    report(kFar, 1, {{"another name", 1, MissReason::overflow}});
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 4, {{"far", 1, MissReason::overflow}}}));
}

TEST_F(PendingReports, CountsMembersThatANodeDoesNotReportAsLeft) {
    report(kNear, 1);
    report(kFar, 2);
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 3, {{"near", 2, MissReason::left}}}));
}

TEST_F(PendingReports, CountsNoMoreMembersThanWereMatched) {
    report(kNear, UINT64_MAX, {{"", 5, MissReason::overflow}});
    report(kFar, 1, {{"", UINT64_MAX, MissReason::timeout}, {"", UINT64_MAX, MissReason::overflow}});
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 4, {{"far", 1, MissReason::timeout}}}));
}

TEST_F(PendingReports, TakesOneReportOfEachTargetAndNoOther) {
    report({"stranger", Incarnation{1}}, 5);
    report(kNear, 3);
    report(kNear, 3);
    reports.take(kFar, {ticket + 1, 2, {}});
    EXPECT_EQ(answer(), std::nullopt);
    report(kFar, 2);
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 5, {}}));
    report(kFar, 2);
    EXPECT_EQ(answer(), std::nullopt);
}

TEST_F(PendingReports, CountsAllMembersOfANodeThatGoesDownAsMissed) {
    report(kFar, 2);
    reports.on(Transition{Transition::Kind::down, kNear, {}});
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 2, {{"near", 3, MissReason::node_down}}}));
}

TEST_F(PendingReports, CountsTheMembersOfADroppedNoticeAsMissed) {
    report(kNear, 3);
    reports.dropped(kFar, {ticket, ticket + 1});
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 3, {{"far", 2, MissReason::overflow}}}));
}

TEST_F(PendingReports, AnswersWithWhatItKnowsAfterTheTimeout) {
    report(kNear, 3);
    ctx.now += seconds(5) - Duration(1);
    reports.tick();
    EXPECT_EQ(answer(), std::nullopt);
    ctx.now += Duration(1);
    reports.tick();
    EXPECT_EQ(answer(), (NotifyReport{5, 2, true, 3, {{"far", 2, MissReason::timeout}}}));
}

}  // namespace
}  // namespace muster::cluster
