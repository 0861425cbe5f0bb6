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
}

}  // namespace
}  // namespace muster
