// The peer of a newer minor that other tests are done with: that it says what it should.
#include "tests/versions/newer.hpp"

#include <gtest/gtest.h>

#include "proto/codec.hpp"
#include "tests/unit/proto/samples.hpp"

namespace muster::versions {
namespace {

TEST(NewerPeer, IsUnderstoodAsIfItSaidNoMore) {
    NewerPeer peer;
    for (const auto& sample : proto::test::all_samples()) {
        SCOPED_TRACE(sample.name);
        for (int turn = 0; turn < 9; ++turn) {
            const auto frame = peer.encode(sample.message);
            auto decoded = proto::decode(frame);
            ASSERT_TRUE(decoded) << to_string(decoded.error());
            EXPECT_TRUE(*decoded == sample.message);
            const auto plain = proto::encode(sample.message);
            const bool has_room = plain.size() < 1000;
            EXPECT_GE(frame.size(), plain.size() + (has_room ? 13 : 0)) << "the trailing map at least";
        }
    }
}

TEST(NewerPeer, WhatItRelaysIsOfItsOwnKind) {
    const proto::Message ping{{"s", "a", 1, 1}, proto::Ping{5}};
    auto relayed = proto::decode(NewerPeer().encode({ping.header, proto::Relay{"b", proto::encode(ping), 0}}));
    ASSERT_TRUE(relayed);
    const auto& inner = std::get<proto::Relay>(relayed->body).message;
    EXPECT_NE(inner, proto::encode(ping));
    auto decoded = proto::decode(inner);
    ASSERT_TRUE(decoded);
    EXPECT_TRUE(*decoded == ping);
}

TEST(NewerPeer, ItsOwnMessagesAreKnownToBeUnknown) {
    NewerPeer peer;
    for (int turn = 0; turn < 50; ++turn) {
        auto decoded = proto::decode(peer.unknown({"s", "a", 1, 1}));
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error(), proto::DecodeError::unknown_type);
    }
}

TEST(NewerPeer, AMajorIsReplacedInShortAndLongLists) {
    for (const auto& sample : proto::test::ordinary_samples()) {
        for (const auto& frame : {proto::encode(sample.message), NewerPeer().encode(sample.message)}) {
            const auto other = with_major(frame, 9);
            EXPECT_EQ(proto::major_of(other), 9u) << sample.name;
            EXPECT_EQ(with_major(other, 1), frame);
        }
    }
}

}  // namespace
}  // namespace muster::versions
