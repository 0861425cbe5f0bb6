#include "node/engine/thread_views.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace muster::node {
namespace {

constexpr EngineNumber kEngine{1'000'001};  // far from those of real engines in this process
constexpr EngineNumber kOther{1'000'002};
const Group kViewed{"orders", "streams"};

View view_of(const Group& group, std::size_t members) {
    return std::make_shared<GroupView>(group, std::vector<Member>(members));
}

/// Runs a function on a new thread, which has no views yet.
template <class Body>
void on_a_thread(const Body& body) {
    std::thread(body).join();
}

TEST(ThreadViews, FindsWhatItKeeps) {
    on_a_thread([] {
        const auto hash = group_hash(kViewed);
        EXPECT_EQ(ThreadViews::find(kEngine, kViewed, hash), nullptr);
        const Members members = ThreadViews::keep(kEngine, hash, view_of(kViewed, 3));
        EXPECT_EQ(members.size(), 3u);
        MembersHold* hold = ThreadViews::find(kEngine, kViewed, hash);
        ASSERT_NE(hold, nullptr);
        EXPECT_EQ(Members(*hold).data(), members.data());
    });
}

TEST(ThreadViews, EnginesOfOneProcessShareNothing) {
    on_a_thread([] {
        const auto hash = group_hash(kViewed);
        ThreadViews::keep(kEngine, hash, view_of(kViewed, 1));
        EXPECT_EQ(ThreadViews::find(kOther, kViewed, hash), nullptr);
        ThreadViews::keep(kOther, hash, view_of(kViewed, 2));
        EXPECT_EQ(ThreadViews::find(kEngine, kViewed, hash)->list().size(), 1u);
        EXPECT_EQ(ThreadViews::find(kOther, kViewed, hash)->list().size(), 2u);
    });
}

TEST(ThreadViews, EqualHashesDoNotMixGroups) {
    on_a_thread([] {
        const Group collides{"invoices", "streams"};
        ThreadViews::keep(kEngine, 7, view_of(kViewed, 1));
        EXPECT_EQ(ThreadViews::find(kEngine, collides, 7), nullptr);
        ThreadViews::keep(kEngine, 7, view_of(collides, 2));
        EXPECT_EQ(ThreadViews::find(kEngine, collides, 7)->list().size(), 2u);
    });
}

TEST(ThreadViews, OutdatedViewsAreNotFoundAndAreReplacedFirst) {
    on_a_thread([] {
        const auto hash = group_hash(kViewed);
        const auto old = std::make_shared<GroupView>(kViewed, std::vector<Member>(1));
        const Members kept = ThreadViews::keep(kEngine, hash, old);
        old->outdated = true;
        EXPECT_EQ(ThreadViews::find(kEngine, kViewed, hash), nullptr);
        ThreadViews::keep(kEngine, hash, view_of(kViewed, 2));
        EXPECT_EQ(ThreadViews::find(kEngine, kViewed, hash)->list().size(), 2u);
        EXPECT_EQ(kept.size(), 1u);
    });
}

TEST(ThreadViews, OneSetKeepsAsManyAsItHasWays) {
    on_a_thread([] {
        std::vector<std::weak_ptr<const GroupView>> views;
        const auto group = [](std::size_t i) { return Group{"store", std::to_string(i)}; };
        const auto hash = [](std::size_t i) { return i * ThreadViews::kSets; };  // all in one set
        constexpr std::size_t kGroups = 3 * ThreadViews::kWays;
        for (std::size_t i = 0; i < kGroups; ++i) {
            const View view = view_of(group(i), i + 1);
            views.push_back(view);
            EXPECT_EQ(ThreadViews::keep(kEngine, hash(i), view).size(), i + 1);
        }
        for (std::size_t i = 0; i < kGroups; ++i) {
            const bool is_kept = i >= kGroups - ThreadViews::kWays;
            EXPECT_EQ(ThreadViews::find(kEngine, group(i), hash(i)) != nullptr, is_kept) << i;
            EXPECT_EQ(views[i].expired(), !is_kept) << i;
        }
    });
}

TEST(ThreadViews, EndWithTheThreadExceptViewsInUse) {
    std::weak_ptr<const GroupView> unused;
    std::weak_ptr<const GroupView> used;
    Members members;
    on_a_thread([&] {
        const Group other{"orders", "snapshots"};
        View view = view_of(kViewed, 1);
        unused = view;
        ThreadViews::keep(kEngine, group_hash(kViewed), view);
        view = view_of(other, 2);
        used = view;
        members = ThreadViews::keep(kEngine, group_hash(other), view);
    });
    EXPECT_TRUE(unused.expired());
    EXPECT_FALSE(used.expired());
    EXPECT_EQ(members.size(), 2u);
    members = {};
    EXPECT_TRUE(used.expired());
}

/// Looks a group up when its thread ends, after the thread's views are deleted.
struct LooksUpLate {
    Members* members = nullptr;
    std::weak_ptr<const GroupView>* seen = nullptr;
    ~LooksUpLate() {
        if (members == nullptr) return;
        const View view = view_of(kViewed, 5);
        *seen = view;
        EXPECT_EQ(ThreadViews::find(kEngine, kViewed, group_hash(kViewed)), nullptr);
        *members = ThreadViews::keep(kEngine, group_hash(kViewed), view);
    }
};

TEST(ThreadViews, AThreadThatEndsStillGetsMembers) {
    Members members;
    std::weak_ptr<const GroupView> seen;
    on_a_thread([&] {
        thread_local LooksUpLate late;
        late.members = &members;
        late.seen = &seen;
        ThreadViews::keep(kEngine, group_hash(kViewed), view_of(kViewed, 1));
    });
    EXPECT_EQ(members.size(), 5u);
    members = {};
    EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace muster::node
