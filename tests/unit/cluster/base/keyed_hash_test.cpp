#include "cluster/base/keyed_hash.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace muster::cluster::test {
namespace {

std::uint32_t upper_half(const Group& group, std::uint64_t secret) {
    return static_cast<std::uint32_t>(keyed_hash(group, secret) >> 32);
}

// What collides under one secret must not collide under another, or a secret would be of no use.
TEST(KeyedHash, CollisionsDependOnTheSecret) {
    std::map<std::uint32_t, std::string> seen;
    std::vector<std::pair<Group, Group>> colliding;
    Random random(1);
    for (int i = 0; i < 300'000; ++i) {
        const std::string name = std::to_string(random.next());
        const auto [at, is_new] = seen.emplace(upper_half({"store", name}, 1), name);
        if (!is_new) colliding.push_back({{"store", at->second}, {"store", name}});
    }
    ASSERT_GE(colliding.size(), 1u) << "300,000 names have some ten collisions in 32 bits";
    EXPECT_LE(colliding.size(), 100u);
    for (const auto& [one, other] : colliding) EXPECT_NE(upper_half(one, 2), upper_half(other, 2));
}

TEST(KeyedHash, TellsApartWhereOneTextEndsAndTheNextBegins) {
    const std::string zeros(9, '\0');
    std::set<std::uint64_t> hashes;
    std::size_t tried = 0;
    for (std::size_t a = 0; a <= zeros.size(); ++a)
        for (std::size_t b = 0; b <= zeros.size(); ++b, ++tried)
            hashes.insert(keyed_hash({zeros.substr(0, a), zeros.substr(0, b)}, 3));
    for (const Group& group : {Group{"ab", "c"}, Group{"a", "bc"}, Group{"abc", ""}, Group{"", "abc"}}) {
        hashes.insert(keyed_hash(group, 3));
        ++tried;
    }
    EXPECT_EQ(hashes.size(), tried);
}

}  // namespace
}  // namespace muster::cluster::test
