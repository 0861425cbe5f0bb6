// Everything that arrives is hostile until decoded: bytes cut, flipped, swapped and appended.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

using nlohmann::json;

/// Whatever is let in must be a message that we could have sent.
void expect_sound(const std::string& frame) {
    auto decoded = decode(frame);
    if (!decoded) return;
    auto again = decode(encode(*decoded));
    ASSERT_TRUE(again) << to_string(again.error()) << " from " << to_hex(frame.substr(0, 300));
    EXPECT_TRUE(*again == *decoded) << to_hex(frame.substr(0, 300));
}

TEST(Hostile, EveryTruncationIsMalformed) {
    for (const auto& sample : all_samples()) {
        const std::string frame = encode(sample.message);
        // Of the few very long frames only the beginning and the end, and steps between.
        const std::size_t step = frame.size() > 8192 ? frame.size() / 61 : 1;
        for (std::size_t size = 0; size < frame.size(); size += size < 512 ? 1 : step)
            ASSERT_EQ(verdict(std::string_view(frame).substr(0, size)), "malformed") << sample.name << " at " << size;
        ASSERT_EQ(verdict(std::string_view(frame).substr(0, frame.size() - 1)), "malformed") << sample.name;
    }
}

TEST(Hostile, AnythingAfterTheMessageIsRefused) {
    for (const auto& sample : ordinary_samples()) {
        const std::string frame = encode(sample.message);
        for (const char* tail : {"\xc0", "\x80", "\x01", "\xc1"}) EXPECT_EQ(verdict(frame + tail), "trailing_bytes");
        EXPECT_EQ(verdict(frame + frame), "trailing_bytes") << sample.name;
    }
}

TEST(Hostile, EveryByteFlippedToEveryValueIsSurvived) {
    for (const auto& sample : ordinary_samples()) {
        std::string frame = encode(sample.message);
        for (char& byte : frame) {
            const char kept = byte;
            for (int value = 0; value < 256; ++value) {
                byte = static_cast<char>(value);
                expect_sound(frame);
            }
            byte = kept;
        }
    }
}

TEST(Hostile, RandomMutationsAreSurvived) {
    std::mt19937_64 random(test_seed());
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    std::vector<std::string> frames;
    for (const auto& sample : ordinary_samples()) frames.push_back(encode(sample.message));

    for (int round = 0; round < 40000; ++round) {
        std::string frame = frames[below(frames.size())];
        for (std::size_t edits = 1 + below(4); edits > 0 && !frame.empty(); --edits) {
            const std::size_t at = below(frame.size());
            switch (below(5)) {
                case 0:
                    frame[at] = static_cast<char>(random());
                    break;
                case 1:
                    frame[at] = static_cast<char>(frame[at] ^ 1 << below(8));
                    break;
                case 2:
                    frame.erase(at, 1 + below(6));
                    break;
                case 3:
                    frame.insert(at, 1 + below(6), static_cast<char>(random()));
                    break;
                default: {  // a piece of another frame
                    const std::string& other = frames[below(frames.size())];
                    const std::size_t from = below(other.size());
                    frame.replace(at, below(12), other, from, below(24));
                }
            }
        }
        expect_sound(frame);
        if (HasFatalFailure()) return;
    }
}

TEST(Hostile, NoiseIsSurvived) {
    std::mt19937_64 random(test_seed());
    for (int round = 0; round < 20000; ++round) {
        std::string frame(random() % 200, '\0');
        std::generate(frame.begin(), frame.end(), [&] { return static_cast<char>(random()); });
        expect_sound(frame);
    }
}

/// Calls `visit` with the pointer to every value of the frame but the trailing map.
void for_each_value(const json& value, const json::json_pointer& at, const auto& visit) {
    if (!at.empty()) visit(at, value);
    if (!value.is_structured()) return;
    for (const auto& [key, inner] : value.items()) {
        const bool trailing = at.empty() && key == std::to_string(value.size() - 1);
        if (trailing) continue;
        for_each_value(inner, value.is_array() ? at / std::stoul(key) : at / key, visit);
    }
}

TEST(Hostile, EveryFieldOfAnotherTypeIsRefused) {
    const std::vector<json> others = {
        nullptr, true, -1, 1.5, 7u, "x", json::binary({0xc0}), json::array(), json::object(), json::binary({1}, 5)};
    for (const auto& sample : ordinary_samples()) {
        const auto tree = tree_of(encode(sample.message));
        for_each_value(tree, json::json_pointer(), [&](const json::json_pointer& at, const json& value) {
            for (const auto& other : others) {
                const bool both_counts = value.is_number_unsigned() && other.is_number_unsigned();
                const bool both_bytes = value.is_binary() && other.is_binary() && !other.get_binary().has_subtype();
                const bool same = both_counts || both_bytes ||
                                  (other.type() == value.type() && !value.is_number() && !value.is_binary());
                if (same) continue;
                json changed = tree;
                changed[at] = other;
                EXPECT_NE(verdict(frame_of(changed)), "ok") << sample.name << at << " as " << other;
            }
        });
    }
}

TEST(Hostile, AMessageWithoutItsLastFieldIsRefused) {
    for (const auto& sample : ordinary_samples()) {
        static const std::map<std::string, int> kMayMiss = {
            {"Hello", 1},         {"Heard", 1},         {"SnapshotChunk", 1}, {"Welcome", 1},     {"Heartbeat", 4},
            {"Move", 1},          {"WorkerGoodbye", 1}, {"Pong", 2},          {"WorkerHello", 1}, {"WorkerWelcome", 2},
            {"NodeHeartbeat", 1}, {"NotifyRequest", 2}, {"NotifyReply", 1},   {"Gap", 1}};
        auto tree = tree_of(encode(sample.message));
        const auto appended = kMayMiss.find(sample.name);
        for (int left = appended == kMayMiss.end() ? 0 : appended->second; left >= 0; --left)
            tree.erase(tree.size() - 2);
        EXPECT_EQ(verdict(frame_of(tree)), "bad_field") << sample.name;
    }
}

TEST(Hostile, AFrameThatIsNoArrayIsRefused) {
    for (const json& value : {json(nullptr), json(1), json("text"), json::object(), json::array(), json::array({1})})
        EXPECT_EQ(verdict(frame_of(value)), "bad_field") << value;
    EXPECT_EQ(verdict(""), "malformed");
    EXPECT_EQ(verdict("\xc1"), "malformed");
}

}  // namespace
}  // namespace muster::proto::test
