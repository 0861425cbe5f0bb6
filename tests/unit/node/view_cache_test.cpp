#include "node/view_cache.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

View view_of(std::size_t members) {
    return std::make_shared<const std::vector<Member>>(members);
}

TEST(ViewCache, GivesTheSameViewUntilItIsDropped) {
    ViewCache cache;
    const Group group{"orders", "streams"};
    EXPECT_EQ(cache.get(group), nullptr);
    const View view = view_of(3);
    cache.put(group, view);
    EXPECT_EQ(cache.get(group).get(), view.get());
    EXPECT_EQ(cache.get({"orders", "snapshots"}), nullptr);
    cache.drop(group);
    EXPECT_EQ(cache.get(group), nullptr);
    EXPECT_EQ(view->size(), 3u);  // whoever reads it still has it
}

TEST(ViewCache, PutReplaces) {
    ViewCache cache;
    cache.put({"a", "b"}, view_of(1));
    cache.put({"a", "b"}, view_of(2));
    EXPECT_EQ(cache.size(), 1u);
    EXPECT_EQ(cache.get({"a", "b"})->size(), 2u);
}

TEST(ViewCache, IsBounded) {
    ViewCache cache(4);
    for (int i = 0; i < 100; ++i) {
        cache.put({"store", std::to_string(i)}, view_of(1));
        EXPECT_LE(cache.size(), 4u);
        EXPECT_NE(cache.get({"store", std::to_string(i)}), nullptr);
    }
}

}  // namespace
}  // namespace muster::node
