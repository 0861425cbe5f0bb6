// What released versions sent is understood for ever.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "proto/codec.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"
#include "tests/versions/frames.hpp"
#include "tests/versions/meaning.hpp"

namespace muster::versions {
namespace {

using nlohmann::json;

std::vector<std::string> kept_versions() {
    std::vector<std::string> folders;
    for (const auto& entry : std::filesystem::directory_iterator(MUSTER_FRAMES)) folders.push_back(entry.path());
    return folders;
}

TEST(KeptFrames, DecodeToWhatTheyMeantWhenTheyWereSent) {
    const auto versions = kept_versions();
    ASSERT_FALSE(versions.empty());
    for (const auto& folder : versions) {
        const auto frames = read_frames(folder);
        EXPECT_GE(frames.size(), 43u) << folder;
        for (const auto& kept : frames) {
            auto message = proto::decode(kept.frame);
            ASSERT_TRUE(message) << kept.where << ": " << to_string(message.error());
            EXPECT_EQ(type_of(*message), kept.type) << kept.where;
            EXPECT_EQ(difference(kept.says, meaning(*message)), "") << kept.where;
        }
    }
}

TEST(KeptFrames, LeaveOutNoMessageOfThisVersion) {
    const std::string folder = std::string(MUSTER_FRAMES) + "/" + MUSTER_VERSION;
    ASSERT_TRUE(std::filesystem::exists(folder)) << "keep the frames of this version: scripts/capture-frames";
    std::set<std::string> kept;
    for (const auto& frame : read_frames(folder)) kept.insert(frame.type);
    for (const auto& sample : proto::test::ordinary_samples())
        EXPECT_TRUE(kept.contains(sample.name)) << sample.name << " is new: run scripts/capture-frames again";
}

TEST(KeptFrames, ADifferenceIsNoticedWhereverItStands) {
    const json was = {{"a", 1}, {"b", {{{"c", 2}}, {{"c", 3}}}}};
    EXPECT_EQ(difference(was, was), "");
    json more = was;
    more["b"][1]["new"] = 0;
    EXPECT_EQ(difference(was, more), "");
    EXPECT_EQ(difference(more, was), "/b/1/new is missing");
    json other = was;
    other["b"][1]["c"] = 4;
    EXPECT_EQ(difference(was, other), "/b/1/c is 4, and was 3");
    json longer = was;
    longer["b"].push_back(1);
    EXPECT_NE(difference(was, longer), "");
}

json changed(const json& leaf) {
    if (leaf.is_boolean()) return !leaf.get<bool>();
    if (leaf.is_number_unsigned()) return leaf.get<std::uint64_t>() == 1 ? 2 : leaf.get<std::uint64_t>() - 1;
    if (leaf.is_string()) return leaf.get<std::string>() + "x";
    return leaf.is_binary() ? json::binary({0xc0}) : leaf;
}

// Else a field could change its place on the wire unseen.
TEST(Meaning, ShowsEveryFieldOfEveryMessage) {
    std::size_t fields = 0;
    for (const auto& sample : proto::test::ordinary_samples()) {
        EXPECT_EQ(type_of(sample.message), sample.name);
        const json tree = proto::test::tree_of(proto::encode(sample.message));
        const json leaves = tree.flatten();
        for (const auto& [pointer, leaf] : leaves.items()) {
            json other = tree;
            other[json::json_pointer(pointer)] = changed(leaf);
            auto message = proto::decode(proto::test::frame_of(other));
            if (!message || *message == sample.message) continue;
            ++fields;
            EXPECT_NE(meaning(*message), meaning(sample.message)) << sample.name << pointer;
        }
    }
    EXPECT_GT(fields, 400u);
}

}  // namespace
}  // namespace muster::versions
