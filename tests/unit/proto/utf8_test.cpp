#include "proto/utf8.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace muster {
namespace {

/// The bytes that `size` bytes can carry a code point in, allowed or not.
std::string spelled(std::uint32_t code_point, int size) {
    if (size == 1) return {static_cast<char>(code_point)};
    constexpr unsigned kLead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    std::string bytes{static_cast<char>(kLead[size] | code_point >> 6 * (size - 1))};
    for (int i = size - 2; i >= 0; --i) bytes += static_cast<char>(0x80 | (code_point >> 6 * i & 0x3F));
    return bytes;
}

int shortest(std::uint32_t code_point) {
    return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

TEST(Utf8, EveryCodePointInItsShortestFormOnly) {
    for (std::uint32_t code_point = 0; code_point <= 0x1FFFFF; ++code_point) {
        const bool exists = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
        const int size = shortest(code_point);
        ASSERT_EQ(is_utf8(spelled(code_point, size)), exists) << std::hex << code_point;
        for (int longer = size + 1; longer <= 4; ++longer)
            ASSERT_FALSE(is_utf8(spelled(code_point, longer))) << std::hex << code_point << " in " << longer;
    }
}

TEST(Utf8, SequencesCutShortOrStrayAreRefused) {
    for (const char* text :
         {"\x80", "\xbf", "\xc3", "\xe2\x82", "\xf0\x9f\x90", "\xc3(", "\xe2(\xa1", "a\x80", "\xfe", "\xff"})
        EXPECT_FALSE(is_utf8(text));
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
    EXPECT_TRUE(is_utf8("plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x90\x9f"));
    EXPECT_FALSE(is_utf8("\xc3\xa9\xc3"));
}

TEST(Utf8, PrintableTextHasNoControlCharacters) {
    EXPECT_EQ(printable("plain, größe, 日本 🐟"), "plain, größe, 日本 🐟");
    EXPECT_EQ(printable("two\nlines\r\tand \x1b[31m red\x7f"), "two?lines??and ?[31m red?");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m \xc2\x80\xc2\xa0"),
              "?31m ?\xc2\xa0");
    EXPECT_EQ(printable("\xc2"), "\xc2");
    EXPECT_EQ(printable("\xc2\x1b[m \xe2\x80"), "\xc2?[m \xe2\x80");
}

// U+202E and its like show a text in another order than programs read it in; U+2028 and U+2029 end a line.
TEST(Utf8, PrintableTextIsShownOnOneLineInItsOwnOrder) {
    for (const char* mark : {"\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa",
                             "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"})
        EXPECT_EQ(printable(std::string("a") + mark + "b"), "a?b");
    EXPECT_EQ(printable("שלום, سلام, 👩‍🚀, a‐b…"), "שלום, سلام, 👩‍🚀, a‐b…")
        << "scripts that are written so anyway";
}

TEST(Utf8, PrintableJsonHasTheSameValues) {
    EXPECT_EQ(printable_json(R"({"größe":"日本 🐟"})"), R"({"größe":"日本 🐟"})");
    EXPECT_EQ(printable_json("[\"\x7f \xc2\x85 \xc2\x9b"
                             "1m \xe2\x80\xae\"]"),
              R"(["\u007f \u0085 \u009b1m \u202e"])");
}

}  // namespace
}  // namespace muster
