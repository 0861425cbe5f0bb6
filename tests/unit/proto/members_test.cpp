#include <muster/members.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace muster {
namespace {

Member member(std::uint64_t number) {
    return {{{"a", Incarnation{1}}, MemberNumber{number}}, "", {}};
}

std::shared_ptr<const std::vector<Member>> list(std::size_t size = 2) {
    auto members = std::make_shared<std::vector<Member>>();
    for (std::size_t i = 1; i <= size; ++i) members->push_back(member(i));
    return members;
}

TEST(Members, AreARange) {
    const Members none;
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(none.begin(), none.end());
    const Members two({member(1), member(2)});
    EXPECT_EQ(two.size(), 2u);
    EXPECT_EQ(two.front(), member(1));
    EXPECT_EQ(two[1], member(2));
    EXPECT_EQ(two.back(), member(2));
    std::vector<Member> seen;
    for (const Member& each : two) seen.push_back(each);
    EXPECT_EQ(two, seen);
}

TEST(Members, CompareByWhatTheyShow) {
    const Members two({member(1), member(2)});
    EXPECT_EQ(two, Members({member(1), member(2)}));
    EXPECT_EQ(two, Members(two));
    EXPECT_NE(two, Members({member(1)}));
    EXPECT_NE(two, Members({member(1), member(3)}));
    EXPECT_EQ(two, (std::vector<Member>{member(1), member(2)}));
    EXPECT_NE(two, std::vector<Member>{});
    EXPECT_EQ(Members(), Members(std::vector<Member>{}));
}

TEST(Members, CopiesShareAndTheLastOneEndsTheList) {
    auto given = list();
    const std::weak_ptr<const std::vector<Member>> alive = given;
    Members first(std::move(given));
    Members second = first;
    EXPECT_EQ(second.data(), first.data());
    Members third = std::move(first);
    EXPECT_TRUE(first.empty());
    first = second;
    second = {};
    const Members& same = third;
    third = same;
    first = std::move(third);
    EXPECT_EQ(first.size(), 2u);
    EXPECT_FALSE(alive.expired());
    first = {};
    EXPECT_TRUE(alive.expired());
}

class OwnedHold : public testing::Test {
protected:
    std::weak_ptr<const std::vector<Member>> alive_;
    MembersHold* hold_ = make();

    MembersHold* make() {
        auto given = list();
        alive_ = given;
        return MembersHold::owned(std::move(given));
    }
    static void on_another_thread(const std::function<void()>& body) { std::thread(body).join(); }
};

TEST_F(OwnedHold, StaysWithoutUsesUntilItIsRetired) {
    { const Members used(*hold_); }
    EXPECT_FALSE(alive_.expired());
    MembersHold::retire(hold_);
    EXPECT_TRUE(alive_.expired());
}

TEST_F(OwnedHold, RetiredItStaysForItsUses) {
    Members used(*hold_);
    Members copied = used;
    MembersHold::retire(hold_);
    used = {};
    copied = Members(copied);
    EXPECT_FALSE(alive_.expired());
    copied = {};
    EXPECT_TRUE(alive_.expired());
}

TEST_F(OwnedHold, AUseMayEndOnAnotherThread) {
    Members used(*hold_);
    on_another_thread([&] { used = {}; });  // the count of others is below zero now
    EXPECT_FALSE(alive_.expired());
    MembersHold::retire(hold_);
    EXPECT_TRUE(alive_.expired());
}

TEST_F(OwnedHold, AUseMadeOnAnotherThreadMayEndHere) {
    Members used(*hold_);
    std::vector<Members> made;
    on_another_thread([&] { made.assign(3, used); });
    used = {};
    made.pop_back();
    MembersHold::retire(hold_);
    made.pop_back();
    EXPECT_FALSE(alive_.expired());
    made.pop_back();
    EXPECT_TRUE(alive_.expired());
}

TEST_F(OwnedHold, RetiredItEndsOnAnyThread) {
    Members used(*hold_);
    MembersHold::retire(hold_);
    on_another_thread([members = std::move(used)]() mutable { members = {}; });
    EXPECT_TRUE(alive_.expired());
}

TEST_F(OwnedHold, IsCountedRightWhenAllCopyAndDropAtOnce) {
    constexpr int kRounds = 2000;
    std::vector<std::thread> threads;
    {
        const Members used(*hold_);
        for (int i = 0; i < 3; ++i)
            threads.emplace_back([mine = used]() mutable {
                std::vector<Members> copies;
                for (int round = 0; round < kRounds; ++round) {
                    copies.assign(3, mine);
                    mine = copies[1];
                    EXPECT_EQ(mine.size(), 2u);
                }
            });
        for (int round = 0; round < kRounds; ++round) EXPECT_EQ(Members(used).size(), 2u);
    }
    MembersHold::retire(hold_);
    for (auto& thread : threads) thread.join();
    threads.clear();
    EXPECT_TRUE(alive_.expired());
}

}  // namespace
}  // namespace muster
