#include <muster/ids.hpp>

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(MemberIdText, ComesBackEqual) {
    for (const MemberId& id : {MemberId{{"a", Incarnation{1}}, MemberNumber{2}},
                               MemberId{{"node-1.example_x", Incarnation{UINT64_MAX}}, MemberNumber{UINT64_MAX}},
                               MemberId{{std::string(64, 'n'), Incarnation{0}}, MemberNumber{0}}}) {
        const auto parsed = parse_member_id(to_string(id));
        ASSERT_TRUE(parsed) << to_string(id);
        EXPECT_EQ(*parsed, id);
    }
    EXPECT_EQ(to_string(MemberId{{"a", Incarnation{17}}, MemberNumber{5}}), "a/17/5");
}

TEST(MemberIdText, IsRefusedWhenItIsNone) {
    for (const char* text : {"",
                             "/",
                             "//",
                             "a",
                             "a/1",
                             "a/1/",
                             "a//1",
                             "/1/1",
                             "a/1/1/1",
                             "a/1/1 ",
                             " a/1/1",
                             "a/+1/1",
                             "a/-1/1",
                             "a/0x1/1",
                             "a/1/18446744073709551616",
                             "a/18446744073709551616/1",
                             "a b/1/1",
                             "-a/1/1",
                             "a/1/1x",
                             "a/1.0/1",
                             "\xc3\xa9/1/1"})
        EXPECT_FALSE(parse_member_id(text)) << '"' << text << '"';
    EXPECT_FALSE(parse_member_id(std::string(65, 'n') + "/1/1"));
    EXPECT_FALSE(parse_member_id(std::string_view("a/1/1\0", 6)));
}

TEST(Names, Are1To64LettersDigitsDotsUnderscoresDashes) {
    for (const char* name : {"a", "Z", "0", "node-1", "a.b_c-d", "9..", "A---"})
        EXPECT_TRUE(is_valid_name(name)) << name;
    EXPECT_TRUE(is_valid_name(std::string(64, 'n')));
    EXPECT_FALSE(is_valid_name(std::string(65, 'n')));
    for (const char* name : {"", ".", "-a", "_a", "a b", "a/b", "a:b", "a@b", "\xc3\xa9", "a\n"})
        EXPECT_FALSE(is_valid_name(name)) << '"' << name << '"';
    EXPECT_FALSE(is_valid_name(std::string_view("a\0", 2)));
}

TEST(Counters, AreOrderedAndNullIsNone) {
    EXPECT_LT(Seq{1}, Seq{2});
    EXPECT_EQ(Seq{1}.next(), Seq{2});
    EXPECT_EQ(Seq{1}.plus(5), Seq{6});
    EXPECT_FALSE(Incarnation{});
    EXPECT_TRUE(Incarnation{1});
    EXPECT_LT((NodeId{"a", Incarnation{9}}), (NodeId{"b", Incarnation{1}})) << "by name, then by life";
}

}  // namespace
}  // namespace muster
