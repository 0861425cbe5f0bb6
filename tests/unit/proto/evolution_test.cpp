// PROTOCOL.md, "Evolution": what an older reader makes of a newer writer.
#include <gtest/gtest.h>

#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

using namespace std::string_literals;
using nlohmann::json;

json additions() {
    return json::array({nullptr, true, -1, 1.5, "text", json::binary({1, 2}), json::array({1, json::array()}),
                        json::object({{"k", json::array()}})});
}

/// `frame` with its last byte, the empty trailing map, replaced.
std::string with_trailing_map(std::string frame, std::string_view map) {
    frame.pop_back();
    return frame.append(map);
}

Message message_of(const json& tree) {
    auto decoded = decode(frame_of(tree));
    EXPECT_TRUE(decoded) << tree.dump().substr(0, 300);
    return decoded ? *decoded : Message{};
}

const Sample& sample_of(const std::string& name) {
    for (const auto& sample : ordinary_samples())
        if (sample.name == name) return sample;
    throw std::out_of_range(name);
}

TEST(Evolution, FieldsBeforeTheTrailingMapAreSkipped) {
    for (const auto& sample : ordinary_samples()) {
        SCOPED_TRACE(sample.name);
        for (const auto& addition : additions()) {
            auto tree = tree_of(encode(sample.message));
            tree.insert(tree.end() - 1, addition);
            EXPECT_TRUE(message_of(tree) == sample.message);
        }
    }
}

TEST(Evolution, KeysInTheTrailingMapAreSkipped) {
    for (const auto& sample : ordinary_samples()) {
        SCOPED_TRACE(sample.name);
        // {1: nil, 200: [true], "s": {2: "x"}}
        const auto frame = with_trailing_map(encode(sample.message),
                                             std::string("\x83\x01\xc0\xcc\xc8\x91\xc3\xa1s\x81\x02\xa1x", 13));
        auto decoded = decode(frame);
        ASSERT_TRUE(decoded) << to_string(decoded.error());
        EXPECT_TRUE(*decoded == sample.message);
    }
}

TEST(Evolution, WhatStandsLastMustBeAMap) {
    for (const auto& sample : ordinary_samples()) {
        for (const auto& addition : {json(nullptr), json(1), json::array(), json("text")}) {
            auto tree = tree_of(encode(sample.message));
            tree.push_back(addition);
            EXPECT_EQ(verdict(frame_of(tree)), "bad_field") << sample.name;
        }
    }
}

TEST(Evolution, RecordsInsideMessagesGrowToo) {
    const auto grows = [](const std::string& name, const char* record) {
        const auto& sample = sample_of(name);
        for (const auto& addition : additions()) {
            auto tree = tree_of(encode(sample.message));
            tree.at(json::json_pointer(record)).push_back(addition);
            EXPECT_TRUE(message_of(tree) == sample.message) << name << record;
        }
    };
    grows("Hello", "/6");             // PeerRecord
    grows("Hello", "/6/0");           // NodeId
    grows("Deltas", "/8/0");          // Delta
    grows("Deltas", "/8/0/0/0");      // Change
    grows("Deltas", "/8/0/0/0/0");    // Group
    grows("Deltas", "/8/0/0/0/2/0");  // JoinRun
    grows("Deltas", "/8/0/0/1/3/0");  // NumberRun
    grows("SnapshotChunk", "/11/0");  // GroupRuns
    grows("LinkData", "/9/0");        // LinkItem
    grows("LinkData", "/9/0/1");      // Notice
    grows("LinkData", "/9/1/1");      // NoticeReport
    grows("LinkData", "/9/1/1/2/0");  // Missed
    grows("MembersReply", "/6/0");    // Member
    grows("MembersReply", "/6/0/0");  // MemberId
    grows("GroupsReply", "/6/0");     // GroupInfo
    grows("NodesReply", "/6/0");      // NodeInfo
    grows("StatusReply", "/6");       // Status
    grows("NotifyReply", "/6");       // NotifyReport
    grows("Deliveries", "/6/0");      // Notification
    grows("WatchNews", "/7");         // WatchEvent
    grows("WatchNews", "/7/2/0");     // GroupMembers
}

TEST(Evolution, IntegersMayHaveAnyWidth) {
    const Message ping{{"s", "a", 1, 1}, Ping{5}};
    for (const std::string& five : {"\x05"s, "\xcc\x05"s, "\xd0\x05"s, "\xcd\0\x05"s, "\xd1\0\x05"s, "\xce\0\0\0\x05"s,
                                    "\xd2\0\0\0\x05"s, "\xcf\0\0\0\0\0\0\0\x05"s, "\xd3\0\0\0\0\0\0\0\x05"s}) {
        std::string frame = encode(ping);
        frame.replace(frame.size() - 2, 1, five);
        auto decoded = decode(frame);
        ASSERT_TRUE(decoded) << to_hex(five);
        EXPECT_TRUE(*decoded == ping) << to_hex(five);
    }
}

TEST(Evolution, UnknownMessagesAreKnownToBeUnknown) {
    for (const std::uint64_t type : {0ull, 4ull, 39ull, 68ull, 73ull, 100ull, ~0ull}) {
        auto tree = tree_of(encode(sample_of("Ping").message));
        tree[1] = type;
        EXPECT_EQ(verdict(frame_of(tree)), "unknown_type") << type;
    }
    const json bare = {1, 1000, "default", "a", 1, 0, json::object()};
    EXPECT_EQ(verdict(frame_of(bare)), "unknown_type");
}

TEST(Evolution, AnotherMajorIsRefusedWhateverFollows) {
    for (const std::uint64_t major : {0ull, 2ull, ~0ull}) {
        for (const auto& sample : ordinary_samples()) {
            auto tree = tree_of(encode(sample.message));
            tree[0] = major;
            EXPECT_EQ(verdict(frame_of(tree)), "wrong_major") << sample.name;
        }
        EXPECT_EQ(verdict(frame_of(json::array({major}))), "wrong_major");
        EXPECT_EQ(verdict(frame_of(json::array({major, "hello", json::object()}))), "wrong_major");
    }
}

/// As spoken before peer records had proofs, `Heard` a heartbeat, and chunks the number of all members.
TEST(Evolution, WhatWasAppendedMayBeMissing) {
    const auto hello =
        decode(from_hex("980101a764656661756c74a161cf00060a24181e40012a9792a162cf00060a24181e40020202ad31"
                        "302e302e302e323a37313030ad31302e302e302e323a37313031ad31302e302e302e323a373130322980"));
    const auto heard =
        decode(from_hex("9a0118a764656661756c74a161cf00060a24181e40012a9792a162cf00060a24181e40020202ad31"
                        "302e302e302e323a37313030ad31302e302e302e323a37313031ad31302e302e302e323a3731303229637880"));
    const auto chunk = decode(from_hex(
        "9d0115a764656661756c74a161cf00060a24181e40012a92a161cf00060a24181e400129630103919292a66f7264657273ad7375"
        "62736372697074696f6e7391940503a3772d3182a3706964a23137a47a6f6e65a2657580"));
    for (const auto& sample : ordinary_samples()) {
        if (sample.name == "SnapshotChunk") {
            ASSERT_TRUE(chunk);
            Message untold = sample.message;
            std::get<SnapshotChunk>(untold.body).members = 0;
            EXPECT_TRUE(*Decoded(chunk) == untold);
        } else if (sample.name == "Hello") {
            ASSERT_TRUE(hello);
            EXPECT_TRUE(*Decoded(hello) == sample.message);
        } else if (sample.name == "Heard") {
            ASSERT_TRUE(heard);
            EXPECT_TRUE(*Decoded(heard) == sample.message);
        }
    }
}

}  // namespace
}  // namespace muster::proto::test
