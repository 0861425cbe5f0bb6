#include <gtest/gtest.h>

#include <set>

#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

TEST(RoundTrip, SamplesHoldEveryMessage) {
    std::set<std::size_t> kinds;
    for (const auto& sample : ordinary_samples()) kinds.insert(sample.message.body.index());
    EXPECT_EQ(kinds.size(), std::variant_size_v<Body>);
    EXPECT_EQ(ordinary_samples().size(), std::variant_size_v<Body>) << "one ordinary sample of each kind";
}

TEST(RoundTrip, ExtremeSamplesHoldEveryMessageThatHasFields) {
    std::set<std::string> extreme;
    for (const auto& sample : extreme_samples()) extreme.insert(sample.name);
    for (const auto& sample : ordinary_samples()) {
        const bool has_fields = tree_of(encode(sample.message)).size() > 7;
        EXPECT_TRUE(!has_fields || extreme.count(sample.name)) << sample.name;
    }
}

TEST(RoundTrip, EveryMessageNumberIsItsOwn) {
    std::set<std::uint64_t> numbers;
    for (const auto& sample : ordinary_samples())
        EXPECT_TRUE(numbers.insert(tree_of(encode(sample.message))[1].get<std::uint64_t>()).second) << sample.name;
}

TEST(RoundTrip, EveryMessageComesBackEqual) {
    for (const auto& sample : all_samples()) {
        SCOPED_TRACE(sample.name);
        const std::string frame = encode(sample.message);
        auto decoded = decode(frame);
        ASSERT_TRUE(decoded) << to_string(decoded.error()) << " in " << to_hex(frame.substr(0, 200));
        EXPECT_TRUE(*decoded == sample.message);
        EXPECT_EQ(encode(*decoded), frame) << "the encoding of a message is unique";
    }
}

TEST(RoundTrip, AnotherMsgpackWritesTheSameBytes) {
    for (const auto& sample : all_samples()) {
        const std::string frame = encode(sample.message);
        EXPECT_EQ(frame_of(tree_of(frame)), frame) << sample.name;
    }
}

TEST(RoundTrip, HeaderStandsFirstAndTheMapLast) {
    for (const auto& sample : all_samples()) {
        SCOPED_TRACE(sample.name);
        const auto tree = tree_of(encode(sample.message));
        ASSERT_GE(tree.size(), 7u);
        EXPECT_EQ(tree[0], kMajor);
        EXPECT_EQ(tree[2], sample.message.header.scope);
        EXPECT_EQ(tree[3], sample.message.header.origin);
        EXPECT_EQ(tree[4], sample.message.header.incarnation);
        EXPECT_EQ(tree[5], sample.message.header.seq);
        EXPECT_TRUE(tree.back().is_object() && tree.back().empty());
    }
}

TEST(RoundTrip, EncodeAppends) {
    const auto& message = ordinary_samples().front().message;
    std::string out = "kept";
    encode(message, out);
    EXPECT_EQ(out, "kept" + encode(message));
}

TEST(RoundTrip, ErrorTextBeyondTheLimitIsCut) {
    const Message message{{"s", "a", 1, 1}, ErrorReply{ErrorCode::overloaded, std::string(5000, 'x')}};
    auto decoded = decode(encode(message));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::get<ErrorReply>(decoded->body).text, std::string(1024, 'x'));
}

TEST(RoundTrip, ErrorTextIsCutBetweenCharacters) {
    std::string text(1023, 'x');
    text += "\xc3\xa9 and more";  // the limit falls inside the é
    auto decoded = decode(encode({{"s", "a", 1, 1}, ErrorReply{ErrorCode::overloaded, text}}));
    ASSERT_TRUE(decoded) << "what we send must be UTF-8";
    EXPECT_EQ(std::get<ErrorReply>(decoded->body).text, std::string(1023, 'x'));
}

}  // namespace
}  // namespace muster::proto::test
