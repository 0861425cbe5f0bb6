// What callers may give, and the texts that they get otherwise.
#include "proto/validate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "proto/limits.hpp"

namespace muster::proto {
namespace {

TEST(Validate, NamesThePartOfAGroupThatIsWrong) {
    EXPECT_EQ(why_invalid(Group{"orders", "streams"}), "");
    EXPECT_EQ(why_invalid(Group{"", "streams"}), "the store name is empty: use 1 to 255 bytes of UTF-8");
    EXPECT_EQ(why_invalid(Group{"orders", "\xc3"}), "the feature name is not UTF-8: use 1 to 255 bytes of UTF-8");
}

TEST(Validate, TakesOneValueAsData) {
    EXPECT_EQ(why_invalid(Data{}), "");
    EXPECT_EQ(why_invalid(Data{"\x92\x01\x02"}), "");
    EXPECT_NE(why_invalid(Data{"\x01\x02"}), "");
}

TEST(Validate, BoundsMetadata) {
    Meta meta;
    EXPECT_EQ(why_invalid(meta), "");
    for (int i = 0; i < 16; ++i) meta[std::to_string(i)] = std::string(limits::kMetaBytes, 'x');
    EXPECT_EQ(why_invalid(meta), "");
    meta["16"] = "";
    EXPECT_EQ(why_invalid(meta), "the metadata has 17 pairs: use at most 16");
    EXPECT_NE(why_invalid(Meta{{"key", std::string(limits::kMetaBytes + 1, 'x')}}), "");
    EXPECT_NE(why_invalid(Meta{{"\xc3", "value"}}), "");
}

TEST(Validate, BoundsTheMembersOfACall) {
    EXPECT_EQ(why_invalid_count(0), "the count is 0: a call takes 1 to 65536 members");
    EXPECT_EQ(why_invalid_count(1), "");
    EXPECT_EQ(why_invalid_count(limits::kMembersPerCall), "");
    EXPECT_NE(why_invalid_count(limits::kMembersPerCall + 1), "");
}

}  // namespace
}  // namespace muster::proto
