// Messages of several lines in one frame.
#include "proto/bundle.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/proto/samples.hpp"
#include "tests/unit/proto/support.hpp"

namespace muster::proto::test {
namespace {

const Header kHeader{"default", "a", 7, 3};

SharedNotice notice(std::uint64_t seq) {
    Notice notice;
    notice.group = {"orders", "all"};
    notice.data.msgpack = "\x01";
    notice.from_node = {"b", Incarnation{9}};
    notice.from_worker = "w";
    notice.seq = notice.group_seq = seq;
    return notice;
}

Message deliveries(const std::vector<SharedNotice>& notices, std::uint64_t member) {
    Deliveries body;
    for (const auto& each : notices)
        body.items.push_back({each, std::make_shared<const std::vector<MemberNumber>>(1, MemberNumber{member})});
    return {kHeader, body};
}

std::string bundle_of(const std::vector<std::pair<std::uint64_t, Message>>& messages) {
    BundleEncoder encoder;
    for (const auto& [line, message] : messages) encoder.add(line, message);
    std::string frame;
    encoder.finish(frame);
    EXPECT_TRUE(encoder.empty());
    return frame;
}

TEST(Bundle, EveryMessageComesBackOnItsLine) {
    std::vector<std::pair<std::uint64_t, Message>> sent;
    std::uint64_t line = 0;
    for (const auto& sample : ordinary_samples()) sent.emplace_back(++line, sample.message);
    const auto parts = decode_bundle(bundle_of(sent));
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
        EXPECT_EQ((*parts)[i].line, sent[i].first);
        ASSERT_TRUE((*parts)[i].message) << i;
        EXPECT_EQ(*(*parts)[i].message, sent[i].second);
    }
}

TEST(Bundle, ANoticeForSeveralLinesIsThereOnce) {
    const std::vector<SharedNotice> all = {notice(1), notice(2), notice(3)};
    const std::string one = bundle_of({{0, deliveries(all, 1)}});
    const std::string two = bundle_of({{0, deliveries(all, 1)}, {1, deliveries({all[0], all[2]}, 4)}});
    EXPECT_LT(two.size(), one.size() + 50);
    const auto parts = decode_bundle(two);
    ASSERT_TRUE(parts);
    const auto& first = std::get<Deliveries>((*parts)[0].message->body).items;
    const auto& second = std::get<Deliveries>((*parts)[1].message->body).items;
    EXPECT_EQ(&*first[0].notice, &*second[0].notice) << "it was decoded once";
    EXPECT_EQ(&*first[2].notice, &*second[1].notice);
    EXPECT_EQ(*parts->at(1).message, deliveries({all[0], all[2]}, 4));
}

TEST(Bundle, NoMessageIsTakenForABundle) {
    for (const auto& sample : ordinary_samples()) EXPECT_FALSE(is_bundle(encode(sample.message))) << sample.name;
    EXPECT_TRUE(is_bundle(bundle_of({{0, {kHeader, NodeHeartbeat{}}}})));
    EXPECT_EQ(verdict(bundle_of({{0, {kHeader, NodeHeartbeat{}}}})), "unknown_type") << "to an older minor";
}

TEST(Bundle, AMessageThatIsNotUnderstoodHidesNoOther) {
    auto tree = tree_of(bundle_of({{0, {kHeader, NodeHeartbeat{}}}, {1, {kHeader, NodeHeartbeat{}}}}));
    tree[7][0][1] = nlohmann::json::binary({0x90});
    const auto parts = decode_bundle(frame_of(tree));
    ASSERT_TRUE(parts);
    EXPECT_FALSE((*parts)[0].message);
    EXPECT_TRUE((*parts)[1].message);
}

TEST(Bundle, IsFullBeforeItIsTooLong) {
    Notice large = *notice(1);
    large.data.msgpack = "\xc6" + std::string{0, 7, '\xff', '\xf0'} + std::string((512u << 10) - 16, 'x');
    BundleEncoder encoder;
    std::size_t added = 0;
    for (; !encoder.is_full(); ++added) encoder.add(added, deliveries({SharedNotice(large)}, 1));
    EXPECT_EQ(added, 1u);
    std::string frame;
    encoder.finish(frame);
    EXPECT_LE(frame.size(), limits::kFrame);
    for (added = 0; !encoder.is_full(); ++added) encoder.add(added, {kHeader, NodeHeartbeat{}});
    EXPECT_EQ(added, limits::kBundle);
}

TEST(HostileBundle, IsRefusedWhole) {
    const std::string sound = bundle_of({{0, deliveries({notice(1)}, 1)}});
    for (std::size_t size = 0; size < sound.size(); ++size)
        EXPECT_FALSE(decode_bundle(std::string_view(sound).substr(0, size))) << size;
    EXPECT_FALSE(decode_bundle(sound + '\x01'));
    const auto is_refused = [&](const auto& change) {
        auto tree = tree_of(sound);
        change(tree);
        return !decode_bundle(frame_of(tree));
    };
    EXPECT_TRUE(is_refused([](auto& tree) { tree[7][0][0] = limits::kLines; }));
    EXPECT_TRUE(is_refused([](auto& tree) { tree[7][0].push_back(1); }));
    EXPECT_TRUE(is_refused([](auto& tree) { tree[6][0][0] = 99; })) << "a notice of no kind";
    EXPECT_TRUE(is_refused([](auto& tree) {
        const auto part = tree[7][0];
        for (std::size_t i = 0; i < limits::kBundle; ++i) tree[7].push_back(part);
    }));
}

TEST(HostileBundle, APlaceWithoutANoticeIsRefused) {
    auto tree = tree_of(bundle_of({{0, deliveries({notice(1)}, 1)}}));
    tree[6] = nlohmann::json::array();
    const auto parts = decode_bundle(frame_of(tree));
    ASSERT_TRUE(parts);
    EXPECT_FALSE((*parts)[0].message);
}

}  // namespace
}  // namespace muster::proto::test
