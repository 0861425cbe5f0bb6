#include <muster/group.hpp>

#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <random>
#include <set>

#include "proto/xxh64.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster {
namespace {

using proto::Xxh64;
using proto::test::test_seed;

std::uint64_t expected_key(const std::string& store, const std::string& feature) {
    const std::string hashed = static_cast<char>(store.size()) + store + feature;
    return XXH64(hashed.data(), hashed.size(), 0);
}

TEST(GroupKey, HashesAsPublished) {
    // Published vectors of the algorithm, one for each of its branches.
    EXPECT_EQ(Xxh64::of(""), 0xef46db3751d8e999);
    EXPECT_EQ(Xxh64::of("a"), 0xd24ec4f1a98c6e5b);
    EXPECT_EQ(Xxh64::of("abc"), 0x44bc2cf5ad770999);
    EXPECT_EQ(Xxh64::of("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1);
}

TEST(GroupKey, IsTheHashOfLengthStoreFeature) {
    std::mt19937_64 random(test_seed());
    for (std::size_t store = 1; store <= 255; ++store) {
        for (const std::size_t feature : {std::size_t{1}, std::size_t{7}, store, std::size_t{255}}) {
            std::string s(store, 's');
            std::string f(feature, 'f');
            for (char& c : s) c = static_cast<char>(random());
            for (char& c : f) c = static_cast<char>(random());
            ASSERT_EQ(group_key(s, f).value, expected_key(s, f)) << store << ' ' << feature;
        }
    }
}

TEST(GroupKey, NeverChanges) {
    EXPECT_EQ(to_string(group_key("orders", kSubscriptions)), "1085586f4d1b2aa0");
    EXPECT_EQ(to_string(group_key(Group{"orders", "streams"})), "e94598faa1826892");
}

TEST(GroupKey, KnowsWhereTheStoreEnds) {
    std::set<std::uint64_t> keys{group_key("ab", "c").value, group_key("a", "bc").value, group_key("abc", "").value,
                                 group_key("", "abc").value, group_key("c", "ab").value};
    EXPECT_EQ(keys.size(), 5u);
}

TEST(GroupKey, AnswersForNamesThatNoGroupCanHave) {
    const std::string longer(1000, 'x');
    EXPECT_EQ(group_key(longer, longer).value, expected_key(longer, longer));
    EXPECT_EQ(group_key(std::string_view(), std::string_view()).value, expected_key("", ""));
}

TEST(GroupKey, TextHasSixteenDigits) {
    EXPECT_EQ(to_string(GroupKey{0}), "0000000000000000");
    EXPECT_EQ(to_string(GroupKey{0x1f}), "000000000000001f");
    EXPECT_EQ(to_string(GroupKey{UINT64_MAX}), "ffffffffffffffff");
}

TEST(Group, PartsAreUtf8OfOneTo255Bytes) {
    EXPECT_TRUE(is_valid({"s", "f"}));
    EXPECT_TRUE(is_valid({std::string(255, 's'), "\xe2\x82\xac any \n text"}));
    EXPECT_FALSE(is_valid({"", "f"}));
    EXPECT_FALSE(is_valid({"s", ""}));
    EXPECT_FALSE(is_valid({"s", std::string(256, 'f')}));
    EXPECT_FALSE(is_valid({"\xff", "f"}));
    EXPECT_EQ(why_invalid_part("f"), "");
    EXPECT_EQ(why_invalid_part(""), "is empty");
    EXPECT_EQ(why_invalid_part(std::string(256, 'x')), "is longer than 255 bytes");
    EXPECT_EQ(why_invalid_part("\xc3"), "is not UTF-8");
}

}  // namespace
}  // namespace muster
