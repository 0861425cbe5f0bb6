// How far a worker has come in a group, and which calls it has had there.
#include "node/client/positions.hpp"

#include <gmock/gmock.h>

#include "node/client/lives.hpp"

namespace muster::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Position = proto::RejoinRequest::Position;

const NodeId kNodeA{"a", Incarnation{1}};
const NodeId kNodeB{"b", Incarnation{2}};
constexpr std::uint64_t kSomeGroup = 1;
constexpr std::uint64_t kSomeLife = 9;

TEST(Positions, KeepTheHighestNumberOfEachNode) {
    Positions positions;
    positions.advance(kNodeB, 7);
    positions.advance(kNodeA, 3);
    positions.advance(kNodeA, 5);
    positions.advance(kNodeA, 4);
    positions.advance({"a", Incarnation{8}}, 1);
    EXPECT_THAT(positions.list(),
                ElementsAre(Position{kNodeA, 5}, Position{{"a", Incarnation{8}}, 1}, Position{kNodeB, 7}));
}

TEST(Positions, IgnoreNotificationsWithoutANumber) {
    Positions positions;
    positions.advance(kNodeA, 0);
    EXPECT_THAT(positions.list(), IsEmpty());
}

TEST(Positions, GiveUpTheNodeThatWasHeardLongestAgo) {
    Positions positions;
    for (std::uint64_t i = 1; i <= Positions::kMost; ++i) positions.advance({"a", Incarnation{i}}, 1);
    positions.advance(kNodeA, 2);
    positions.advance(kNodeB, 1);
    const auto list = positions.list();
    EXPECT_EQ(list.size(), Positions::kMost);
    EXPECT_EQ(list[0], (Position{kNodeA, 2}));
    EXPECT_EQ(list[1].node.incarnation, Incarnation{3});
    EXPECT_EQ(list.back(), (Position{kNodeB, 1}));
}

proto::Notice call_of(std::uint64_t number, bool repeated, std::uint64_t seq = 0, std::uint64_t life = kSomeLife) {
    proto::Notice notice;
    notice.from_node = kNodeA;
    notice.from_worker = "w2";
    notice.life = life;
    notice.call = number;
    notice.seq = seq != 0 ? seq : 100 + number;
    notice.repeated = repeated;
    return notice;
}

TEST(Lives, OnlyARepeatedCallThatIsNotHigherIsDropped) {
    Lives lives;
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, false)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200)), proto::Copy::had);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(4, true, 201)), proto::Copy::late);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(4, false, 202)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(6, true, 203)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(6, true, 204)), proto::Copy::had);
}

TEST(Lives, ThePartsOfOneNotificationDoNotRepeatEachOther) {
    Lives lives;
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200)), proto::Copy::fresh);
    auto other = call_of(5, true, 200);
    other.from_node = kNodeB;
    EXPECT_EQ(lives.accept(kSomeGroup, other), proto::Copy::had);
}

TEST(Lives, GroupsAndLivesDoNotMeetEachOther) {
    Lives lives;
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, false)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(2, call_of(5, true)), proto::Copy::fresh);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 0, 10)), proto::Copy::fresh);
}

TEST(Lives, ANotificationWithoutALifeOrAWorkerIsNeverDropped) {
    Lives lives;
    auto from_node = call_of(5, true);
    from_node.from_worker.clear();
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(lives.accept(kSomeGroup, from_node), proto::Copy::fresh);
        EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 0, 0)), proto::Copy::fresh);
    }
    EXPECT_EQ(lives.size(), 0u);
}

TEST(Lives, AGroupThatIsForgottenTakesTheCallAgain) {
    Lives lives;
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, false)), proto::Copy::fresh);
    lives.forget(kSomeGroup);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200)), proto::Copy::fresh);
}

TEST(Lives, TheOneThatWasSilentForLongestIsForgotten) {
    Lives lives;
    for (std::uint64_t life = 1; life <= Lives::kMost; ++life) lives.accept(kSomeGroup, call_of(5, false, 0, life));
    lives.accept(kSomeGroup, call_of(6, false, 0, 1));
    lives.accept(kSomeGroup, call_of(5, false, 0, 1'000'000));
    EXPECT_EQ(lives.size(), Lives::kMost);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200, 1)), proto::Copy::had);
    EXPECT_EQ(lives.accept(kSomeGroup, call_of(5, true, 200, 2)), proto::Copy::fresh);
}

}  // namespace
}  // namespace muster::client
