#include "node/client/roster.hpp"

#include <gmock/gmock.h>

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Group kGroup{"s", "f"};
const NodeId kA{"a", Incarnation{1}};
const NodeId kB{"b", Incarnation{2}};

std::vector<proto::NumberRun> run(std::uint64_t first, std::uint64_t count) {
    return {{MemberNumber{first}, count}};
}

struct Two : Roster {
    Two() {
        attached_to(kA);
        handler = std::make_shared<const OnNotification>([](const Notification&) {});
        ids = add({kGroup, {}, handler, {}}, run(3, 2));
    }
    Handler handler;
    std::vector<MemberId> ids;
};

TEST(Roster, FindsTheHandlerOfAMember) {
    Two r;
    EXPECT_TRUE(r.find({MemberNumber{3}, MemberNumber{4}}).all_known);
    EXPECT_EQ(r.find({MemberNumber{4}}).targets->at(0).handler, r.handler);
    EXPECT_FALSE(r.find({MemberNumber{4}, MemberNumber{5}}).all_known);
    EXPECT_EQ(r.find({MemberNumber{4}, MemberNumber{5}}).targets->size(), 1u);
}

proto::Notice numbered(std::uint64_t group_seq) {
    proto::Notice notice;
    notice.group = kGroup;
    notice.from_node = kB;
    notice.group_seq = group_seq;
    return notice;
}

TEST(Roster, PositionsAreForgottenWithTheLastMember) {
    Two r;
    EXPECT_EQ(r.accept(r.find({MemberNumber{3}}), numbered(7)), proto::Copy::fresh);
    r.remove(r.pick(kGroup, 1));
    EXPECT_THAT(r.positions(kGroup), ElementsAre(proto::RejoinRequest::Position{kB, 7}));
    r.remove(r.pick(kGroup, 1));
    EXPECT_THAT(r.positions(kGroup), IsEmpty());
    r.add({kGroup, {}, r.handler, {}}, run(9, 1));
    EXPECT_THAT(r.positions(kGroup), IsEmpty());
}

TEST(Roster, ANotificationForNoMemberDoesNotAdvance) {
    Two r;
    EXPECT_EQ(r.accept(r.find({MemberNumber{99}}), numbered(7)), proto::Copy::fresh);
    EXPECT_THAT(r.positions(kGroup), IsEmpty());
}

TEST(Roster, CachedTargetsAreDroppedWhenAMemberLeaves) {
    Two r;
    const std::vector<MemberNumber> both{MemberNumber{3}, MemberNumber{4}};
    EXPECT_EQ(r.find(both).targets->size(), 2u);
    r.remove(r.pick(kGroup, 1));
    EXPECT_EQ(r.find(both).targets->size(), 1u);
    r.remove(r.pick(kGroup, 1));
    const std::weak_ptr<const OnNotification> handler = std::exchange(r.handler, nullptr);
    EXPECT_TRUE(handler.expired());
}

TEST(Roster, AMemberPickedIsNotPickedAgainUntilPutBack) {
    Two r;
    const auto picked = r.pick(kGroup, 5);
    EXPECT_EQ(picked.size(), 2u);
    EXPECT_THAT(r.pick(kGroup, 1), IsEmpty());
    r.put_back(picked);
    EXPECT_EQ(r.pick(kGroup, 1).size(), 1u);
}

TEST(Roster, ARemovedMemberIsNotFoundAnyMore) {
    Two r;
    EXPECT_THAT(r.remove(r.pick(kGroup, 2)), ElementsAre(r.ids[1], r.ids[0]));
    EXPECT_EQ(r.size(), 0u);
    EXPECT_FALSE(r.find({MemberNumber{3}}).all_known);
    EXPECT_THAT(r.pick(kGroup, r.ids), IsEmpty());
    r.session_ended();
    EXPECT_THAT(r.absent(), IsEmpty());
}

TEST(Roster, NumbersOfAnotherNodeDoNotNameMembersOfThisSession) {
    Two r;
    r.session_ended();
    r.attached_to(kB);
    ASSERT_EQ(r.absent().size(), 1u);
    r.rejoined(r.absent()[0].join, run(30, 2));
    EXPECT_THAT(r.pick(kGroup, std::vector<MemberId>{{kA, MemberNumber{30}}}), IsEmpty());
    EXPECT_EQ(r.pick(kGroup, std::vector<MemberId>{{kB, MemberNumber{30}}}).size(), 1u);
}

TEST(Roster, AReplyWithTooFewNumbersLeavesTheRestAbsent) {
    Two r;
    r.session_ended();
    r.rejoined(r.absent()[0].join, run(30, 1));
    ASSERT_EQ(r.absent().size(), 1u);
    EXPECT_EQ(r.absent()[0].count, 1u);
}

TEST(Roster, AReplyAddsAtMostTheMembersOfOneCall) {
    Roster r;
    r.attached_to(kA);
    std::vector<proto::NumberRun> runs;
    for (std::uint64_t i = 0; i < 3; ++i) runs.push_back({MemberNumber{1 + i * 65536}, 65536});
    EXPECT_EQ(r.add({kGroup, {}, nullptr, {}}, runs).size(), 65536u);
}

}  // namespace
}  // namespace muster::client
