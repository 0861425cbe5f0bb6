#include "node/engine/view_cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace muster::node {
namespace {

std::vector<Member> list_of(std::size_t members) {
    return std::vector<Member>(members);
}

TEST(ViewCache, GivesTheSameViewUntilItIsDropped) {
    ViewCache cache;
    const Group group{"orders", "streams"};
    EXPECT_EQ(cache.get(group), nullptr);
    const View view = cache.put(group, list_of(3));
    EXPECT_EQ(cache.get(group), view);
    EXPECT_EQ(cache.get({"orders", "snapshots"}), nullptr);
    cache.drop({"orders", "snapshots"});
    EXPECT_TRUE(view->is_current());
    cache.drop(group);
    EXPECT_EQ(cache.get(group), nullptr);
    EXPECT_FALSE(view->is_current());
    EXPECT_EQ(view->members.size(), 3u);  // whoever reads it still has it
}

TEST(ViewCache, AGroupWithoutMembersHasAViewToo) {
    ViewCache cache;
    const Group group{"orders", "streams"};
    const View view = cache.put(group, {});
    EXPECT_EQ(cache.get(group), view);
    cache.drop(group);
    EXPECT_FALSE(view->is_current());
    const View next = cache.put(group, list_of(1));
    EXPECT_EQ(cache.get(group), next);
}

TEST(ViewCache, ClearingOutdatesEveryView) {
    ViewCache cache;
    const View one = cache.put({"a", "b"}, list_of(1));
    const View none = cache.put({"a", "c"}, {});
    cache.clear();
    EXPECT_EQ(cache.size(), 0u);
    EXPECT_FALSE(one->is_current());
    EXPECT_FALSE(none->is_current());
}

TEST(ViewCache, IsBoundedAndEmptyGroupsDisplaceNoOthers) {
    ViewCache cache(4);
    const View first = cache.put({"first", "one"}, list_of(1));
    for (int i = 0; i < 100; ++i) {
        cache.put({"empty", std::to_string(i)}, {});
        EXPECT_LE(cache.size(), 5u);
    }
    EXPECT_TRUE(first->is_current());
    for (int i = 0; i < 100; ++i) {
        const Group group{"store", std::to_string(i)};
        cache.put(group, list_of(1));
        EXPECT_LE(cache.size(), 8u);
        EXPECT_NE(cache.get(group), nullptr);
    }
    EXPECT_FALSE(first->is_current()) << "a view that the cache does not know may be out of date unseen";
}

}  // namespace
}  // namespace muster::node
