// A decode takes no memory that its frame has not paid for: all that it asks of
// the allocator, freed or not, is counted and held against the frame's size.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "proto/limits.hpp"
#include "tests/unit/proto/counting_allocator.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

using nlohmann::json;

constexpr std::size_t kFixed = 16 * 1024;  // one block of the unpacker, one message
// The dearest list is one of empty texts: 1 byte on the wire, 24 unpacked, 32 as a
// string, and what a growing list leaves behind. A frame of full size costs less.
constexpr std::size_t kPerByte = 100;
constexpr std::size_t kPerFrame = 64 << 20;

std::size_t cost_of_decoding(std::string_view frame) {
    const Counting counting;
    { const auto decoded = decode(frame); }
    return counting.bytes();
}

void expect_cheap(std::string_view frame, const std::string& what) {
    const std::size_t most = std::min(kFixed + kPerByte * frame.size(), kPerFrame);
    EXPECT_LE(cost_of_decoding(frame), most) << what << ", a frame of " << frame.size() << " bytes";
}

/// Headers that claim up to 4 Gi elements or bytes and bring none.
const std::string kBombs[] = {"\xdd\xff\xff\xff\xff",
                              "\xdf\xff\xff\xff\xff",
                              "\xdb\xff\xff\xff\xff",
                              "\xc6\xff\xff\xff\xff",
                              "\xc9\xff\xff\xff\xff\x01",
                              "\xdc\xff\xff",
                              "\xde\xff\xff",
                              "\xda\xff\xff",
                              "\xc5\xff\xff",
                              "\xc8\xff\xff\x01",
                              std::string("\xdd\x10\0\0\0", 5)};

TEST(Memory, TheCountersCount) {
    const Counting counting;
    const std::string text(100000, 'x');
    void* volatile block = std::malloc(50000);  // volatile: or it is never asked for
    std::free(block);
    EXPECT_GE(counting.bytes(), 150000u) << text.size();
    const std::string frame = encode({{"s", "a", 1, 1}, Relay{"c", std::string(70000, 'x'), 0}});
    EXPECT_GE(cost_of_decoding(frame), 70000u) << "a message is paid for";
}

TEST(Memory, BombsAtEveryValueOfEveryMessage) {
    for (const auto& sample : ordinary_samples()) {
        const std::string frame = encode(sample.message);
        for (const auto& bomb : kBombs) {
            for (std::size_t at = 0; at <= frame.size(); ++at) {
                // In place of the rest, and with the rest behind it as its first elements.
                for (const std::string& hostile :
                     {frame.substr(0, at) + bomb, frame.substr(0, at) + bomb + frame.substr(at)}) {
                    ASSERT_LE(cost_of_decoding(hostile), kFixed) << sample.name << " at " << at << ' ' << to_hex(bomb);
                }
            }
        }
    }
}

TEST(Memory, BombsInsideBombs) {
    for (const auto& bomb : kBombs) {
        std::string frame;
        while (frame.size() < limits::kFrame - bomb.size()) frame += bomb;
        EXPECT_LE(cost_of_decoding(frame), kFixed) << to_hex(bomb);
        EXPECT_FALSE(decode(frame));
    }
    for (const char* opening : {"\x91", "\x9f", "\x81"}) {
        std::string deep;
        while (deep.size() < limits::kFrame) deep += opening;
        EXPECT_LE(cost_of_decoding(deep), kFixed) << "nesting is refused as it is met";
    }
}

TEST(Memory, BombsInData) {
    for (const auto& bomb : kBombs) {
        const json::binary_t bytes({bomb.begin(), bomb.end()});
        const auto frame =
            frame_of({1, 56, "s", "w", 1, 1, 1, {"s", "f"}, json::binary(bytes), false, 1, json::object()});
        EXPECT_EQ(verdict(frame), "bad_field") << to_hex(bomb);
        EXPECT_LE(cost_of_decoding(frame), kFixed);
    }
}

/// A frame of the largest size: a message of `type` whose last field is a list full of `element`.
std::string stuffed(std::uint64_t type, const json& before, const std::string& element) {
    const std::size_t room = limits::kFrame - 64 - frame_of(before).size();
    const std::size_t count = std::min(limits::kItems, room / element.size());
    std::string frame;
    frame += static_cast<char>(0x90 + 8 + before.size());
    for (const json& value : {json(1), json(type), json("s"), json("a"), json(1), json(1)}) frame += frame_of(value);
    for (const json& value : before) frame += frame_of(value);
    frame += static_cast<char>(0xdd);
    for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(count >> shift & 255);
    for (std::size_t i = 0; i < count; ++i) frame += element;
    return frame + '\x80';
}

TEST(Memory, TheMostThatAMebibyteCanBuy) {
    const json about = {"a", 1};
    const std::string group = frame_of(json::array({"s", "f"}));
    const std::string notice =
        "\x92\x01\x99\x01" + group + std::string("\xc4\x01\xc0", 3) + frame_of(about) + std::string("\xa0\0\0\0\0", 5);
    struct {
        const char* what;
        std::string frame;
    } const frames[] = {
        {"deltas", stuffed(10, {about, 1}, "\x91\x90")},
        {"peers", stuffed(13, json::array(), "\x97" + frame_of(about) + std::string("\x00\x01\xa0\xa0\xa0\x00", 6))},
        {"groups of a snapshot", stuffed(21, {about, 1, 1, 0, 1}, "\x92" + group + '\x90')},
        {"link items", stuffed(27, {about, 1, 0}, notice)},
        {"numbers", stuffed(61, json::array(), "\x01")},
        {"members", stuffed(62, json::array(), "\x93\x92" + frame_of(about) + "\x01\xa0\x80")},
        {"addresses", stuffed(43, {1, true, 1, 1, 1, {about, 1, ""}}, "\xa0")},
    };
    for (const auto& [what, frame] : frames) {
        EXPECT_TRUE(what == std::string("members") || decode(frame)) << what << ' ' << verdict(frame);
        expect_cheap(frame, what);
    }
    // A field of a newer minor is unpacked before it is skipped.
    std::string unknown =
        "\x99\x01\x19\xa1s\xa1"
        "a"
        "\x01\x01\x07\x9f";
    for (int i = 0; i < 15; ++i) unknown += std::string("\xdd\x00\x00\xff\xff", 5) + std::string(65535, '\xc0');
    unknown += '\x80';
    EXPECT_EQ(verdict(unknown), "ok");
    expect_cheap(unknown, "an unknown field");
}

TEST(Memory, EverySampleIsCheap) {
    for (const auto& sample : all_samples()) expect_cheap(encode(sample.message), sample.name);
}

}  // namespace
}  // namespace muster::proto::test
