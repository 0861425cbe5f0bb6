// Messages of those who speak the protocol and mean harm: each refusal is counted by its reason.
#include <gtest/gtest.h>

#include "proto/codec.hpp"
#include "proto/limits.hpp"
#include "tests/integration/raw_peer.hpp"
#include "tests/integration/under_attack.hpp"

namespace muster::test {
namespace {

using proto::Body;
using proto::Message;

/// Somebody with a connection of the right kind.
class Speaker {
public:
    explicit Speaker(const std::string& port) : peer_(port) { EXPECT_TRUE(peer_.shake("DEALER")); }
    void frame(const std::string& bytes) { ASSERT_TRUE(peer_.send(zmtp_frame(bytes))); }
    void say(const NodeId& as, Body body, std::uint64_t seq = 0, const std::string& scope = "default") {
        frame(proto::encode(Message{{scope, as.name, as.incarnation.value, seq}, std::move(body)}));
    }
    RawPeer& peer() { return peer_; }

private:
    RawPeer peer_;
};

std::string ping() {
    return proto::encode(Message{{"default", "stranger", 7, 0}, proto::Ping{1}});
}

/// What a msgpack array that holds itself so deep begins with.
std::string nested(std::size_t depth) {
    return std::string(depth, '\x91') + '\xc0';
}

struct Bad {
    const char* counter;
    std::string frame;
};

/// A ping that is sound but for an option with this value.
std::string ping_with(const std::string& value) {
    std::string frame = ping();
    frame.back() = '\x81';
    return frame + '\x05' + value;
}

std::string asked(Body body, const std::string& origin = "w", const std::string& scope = "default") {
    return proto::encode(Message{{scope, origin, 7, 1}, std::move(body)});
}

std::string notify(const std::string& data) {
    return asked(proto::NotifyRequest{NotificationKind::created, {"a", "b"}, {data}, false, 0});
}

/// `count` of something short, as a list.
std::string list_of(std::uint32_t count, char element = '\xc0') {
    std::string bytes("\xdd");
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(count >> shift & 0xff);
    return bytes + std::string(count, element);
}

/// Bytes that are no message of ours, or not of this version.
std::vector<Bad> no_messages() {
    std::string wrong_major = ping();
    wrong_major[1] = 2;
    std::string unknown_type = ping();
    unknown_type[2] = 0x7f;
    return {{"bad_frames_malformed", "\xc1 nonsense"},
            {"bad_frames_malformed", ping().substr(0, 5)},
            {"bad_frames_malformed", std::string(1000, '\xdd')},
            {"bad_frames_trailing_bytes", ping() + 'x'},
            {"bad_frames_trailing_bytes", ping() + ping()},
            {"bad_frames_wrong_major", wrong_major},
            {"bad_frames_unknown_type", unknown_type},
            {"bad_frames_too_large", std::string(limits::kFrame + 1, '\x01')},
            {"bad_frames_too_large", std::string(2 * limits::kFrame - 1, '\x01')}};
}

/// Counts, depths and lengths beyond what is allowed; each alone is what is wrong.
std::vector<Bad> bombs() {
    const auto items = static_cast<std::uint32_t>(limits::kItems);
    Meta meta;
    for (std::size_t i = 0; i <= limits::kMetaEntries; ++i) meta[std::to_string(i)] = "x";
    proto::Delta many;
    many.changes.emplace_back(Group{"a", "b"}).joins.push_back({MemberNumber{1}, limits::kMembersPerCall + 1, "", {}});
    const NodeId n2{"n2", Incarnation{7}};
    const proto::PeerRecord record{n2, 0, NodeState::alive, "a:1", "a:1", "a:1", {}};
    const std::string too_long(limits::kData, 'x');
    return {{"bad_frames_malformed", "\xdd\xff\xff\xff\xff"},      // an array of four thousand million
            {"bad_frames_malformed", "\xdf\xff\xff\xff\xff\x01"},  // a map of as many
            {"bad_frames_malformed", "\xc6\xff\xff\xff\xff"},      // bytes
            {"bad_frames_malformed", std::string("\x99\x01\xdd\x00\x10\x00\x00\x01", 8)},  // an array in a field
            {"bad_frames_malformed", nested(500'000)},
            {"bad_frames_malformed", ping_with(nested(limits::kDepth - 1))},
            {"bad_frames_malformed", ping_with(list_of(items + 1))},
            {"bad_frames_malformed",
             asked(proto::LeaveRequest{{"a", "b"}, std::vector(limits::kItems + 1, MemberNumber{1}), 0})},
            {"bad_frames_bad_field", notify(nested(limits::kDataDepth + 1))},
            {"bad_frames_bad_field", notify(std::string("\xc6\x00\x08\x00\x00", 5) + too_long)},
            {"bad_frames_bad_field", asked(proto::Deltas{n2, Seq{1}, {many}})},
            {"bad_frames_bad_field", asked(proto::JoinRequest{{"a", "b"}, 1, meta, false, 0})},
            {"bad_frames_bad_field",
             asked(proto::JoinRequest{{std::string(limits::kGroupPart + 1, 'a'), "b"}, 1, {}, false, 0})},
            {"bad_frames_bad_field", asked(proto::Heard{record, 0, 0, std::string(limits::kBeat + 1, 'b')})},
            {"bad_frames_bad_field", asked(proto::Ping{1}, "w", std::string(limits::kScope + 1, 's'))},
            {"bad_frames_bad_field", asked(proto::Ping{1}, "no name")},
            {"bad_frames_bad_field", asked(proto::JoinRequest{{"\xff", "b"}, 1, {}, false, 0})}};
}

/// So many times, at each port for messages.
void throw_frames(UnderAttack& attacked, const std::vector<Bad>& frames) {
    constexpr std::uint64_t kTimes = 20;
    for (const auto& port : {attacked.door(), attacked.control()})
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto& bad = frames[i];
            const auto before = attacked.counter_from_inside(bad.counter);
            Speaker speaker(port);
            for (std::uint64_t time = 0; time < kTimes; ++time) speaker.frame(bad.frame);
            EXPECT_TRUE(attacked.counts(bad.counter, before + kTimes)) << "frame " << i;
        }
}

// Truncated and over-long frames, trailing bytes, wrong versions.
TEST(HostileMessages, BadFrames) {
    UnderAttack attacked;
    throw_frames(attacked, no_messages());
    constexpr std::uint64_t kTimes = 20;
    for (const auto& port : {attacked.door(), attacked.control()}) {
        const auto before = attacked.counter("bad_frames_parts");
        Speaker speaker(port);
        for (std::uint64_t i = 0; i < kTimes; ++i) speaker.peer().send(zmtp_frame(ping(), true) + zmtp_frame(ping()));
        EXPECT_TRUE(attacked.counts("bad_frames_parts", before + kTimes));
    }
    attacked.expect_unharmed();
}

// msgpack bombs.
TEST(HostileMessages, CountsAndDepths) {
    UnderAttack attacked;
    throw_frames(attacked, bombs());
    attacked.expect_unharmed();
}

// Wrong scope; a replay of an earlier incarnation.
TEST(HostileMessages, AtTheDoorOfAnotherScopeOrSession) {
    UnderAttack attacked;
    const NodeId worker{"w", Incarnation{0}};
    const NodeId other = attacked.id_of(1);
    Speaker speaker(attacked.door());
    const auto record = [&](NodeId id, NodeState state, const std::string& address) {
        return proto::PeerRecord{std::move(id), 0, state, address, address, address, {}};
    };
    speaker.say(worker, proto::WorkerHello{}, 0, "elsewhere");
    EXPECT_TRUE(attacked.counts("workers_refused_wrong_scope", 1));
    speaker.say({"w", Incarnation{99}}, proto::GroupsRequest{}, 1);
    EXPECT_TRUE(attacked.counts("workers_refused_unknown_session", 1));
    speaker.say(other, proto::Hello{record(other, NodeState::alive, "127.0.0.1:1")}, 0, "elsewhere");
    EXPECT_TRUE(attacked.counts("hellos_refused_wrong_scope", 1));
    speaker.say(other, proto::Hello{record({"n9", Incarnation{9}}, NodeState::down, "127.0.0.1:1")});
    EXPECT_TRUE(attacked.counts("hellos_refused_not_alive", 1));
    // Another life of a live node at another place, and this node's own name.
    speaker.say(other, proto::Hello{record({other.name, Incarnation{other.incarnation.value + 1}}, NodeState::alive,
                                           "127.0.0.1:1")});
    speaker.say(other, proto::Hello{record({"n1", Incarnation{9}}, NodeState::alive, "127.0.0.1:1")});
    EXPECT_TRUE(attacked.counts("hellos_refused_name_taken", 2));
    // An earlier life of it, as a replay has it.
    speaker.say(other, proto::Hello{record({other.name, Incarnation{other.incarnation.value - 1}}, NodeState::alive,
                                           attacked.cluster().address(1))});
    EXPECT_TRUE(attacked.counts("hellos_refused_name_taken", 3));
    attacked.expect_unharmed();
}

// Wrong scope; replays of an earlier incarnation; relays that would not end.
TEST(HostileMessages, BetweenNodesOfAnotherScopeOrLife) {
    UnderAttack attacked;
    const NodeId other = attacked.id_of(1);
    const NodeId earlier{other.name, Incarnation{other.incarnation.value - 1}};
    const NodeId later{other.name, Incarnation{other.incarnation.value + 1}};
    Speaker speaker(attacked.control());
    speaker.say(other, proto::Goodbye{}, 0, "elsewhere");
    EXPECT_TRUE(attacked.counts("messages_of_another_scope", 1));
    speaker.say({"nobody", Incarnation{7}}, proto::Goodbye{});
    EXPECT_TRUE(attacked.counts("messages_of_strangers", 1));
    speaker.say(earlier, proto::Goodbye{});
    speaker.say(earlier, proto::LinkData{attacked.id_of(0), 1, 0, {}});
    speaker.say(later, proto::Goodbye{});
    EXPECT_TRUE(attacked.counts("messages_of_another_life", 3));
    const auto older = attacked.counter("news_older");
    const NodeId third = attacked.id_of(2);
    const NodeId before{third.name, Incarnation{third.incarnation.value - 1}};
    speaker.say(other, proto::PeerNews{{{before, 0, NodeState::down, "", "", "", {}}}});
    EXPECT_TRUE(attacked.counts("news_older", older + 1));
    const auto misplaced = attacked.counter("messages_out_of_place");
    speaker.say(other, proto::WorkerHello{});
    EXPECT_TRUE(attacked.counts("messages_out_of_place", misplaced + 1));
    speaker.say(other, proto::Relay{"n1", "no message", 0});
    EXPECT_TRUE(attacked.counts("relays_broken", 1));
    speaker.say(other, proto::Relay{"nowhere", ping(), 0});
    EXPECT_TRUE(attacked.counts("relays_refused", 1));
    speaker.say(other, proto::Relay{"n3", ping(), limits::kHops});
    EXPECT_TRUE(attacked.counts("relays_refused", 2));
    attacked.expect_unharmed();
}

// A peer that acknowledges what was never sent.
TEST(HostileMessages, AcknowledgesWhatWasNeverSent) {
    UnderAttack attacked;
    const NodeId self = attacked.id_of(0);
    const NodeId other = attacked.id_of(1);
    Speaker speaker(attacked.control());
    for (const std::uint64_t number : {std::uint64_t{1} << 40, ~std::uint64_t{0}})
        speaker.say(other, proto::LinkAck{self, number});
    EXPECT_TRUE(attacked.counts("acks_of_unsent_links", 2));
    speaker.say(other,
                proto::LinkData{
                    self, std::uint64_t{1} << 40, 0, {proto::NoticeReport{1, 1, {}}, proto::NoticeReport{2, 1, {}}}});
    EXPECT_TRUE(attacked.counts("link_items_early", 2));
    const auto lives = attacked.counter("link_data_for_another_life");
    speaker.say(other, proto::LinkData{other, 1, 0, {proto::NoticeReport{1, 1, {}}}});
    EXPECT_TRUE(attacked.counts("link_data_for_another_life", lives + 1));
    for (const std::uint64_t next : {std::uint64_t{1} << 40, ~std::uint64_t{0}})
        speaker.say(other, proto::SnapshotAck{self, Seq{1}, next});
    speaker.say(other, proto::Pull{self, Seq{0}, true});  // to be acknowledged wrongly
    for (const std::uint64_t next : {std::uint64_t{1} << 40, ~std::uint64_t{0}})
        speaker.say(other, proto::SnapshotAck{self, Seq{1}, next});
    attacked.expect_unharmed();
}

// Forged origins: without keys anybody may speak as a member. What does not fit is refused, and what does is mended
// when who was spoken for goes on: its own delta comes too late, and its next heartbeat has another digest.
TEST(HostileMessages, SpeaksForAMember) {
    UnderAttack attacked;
    const NodeId other = attacked.id_of(1);
    const Group forged{"forged", "forged"};
    const auto shown = [&] {
        return ask(attacked.cluster(), 0, {"members", forged.store, forged.feature})["members"].size();
    };
    Speaker speaker(attacked.control());
    proto::Delta delta;
    delta.changes.emplace_back(forged).joins.push_back({MemberNumber{1'000'000}, 5, "evil", {}});
    speaker.say(other, proto::Deltas{other, Seq{1}, {delta}}, 1);
    EXPECT_TRUE(attacked.counts("deltas_repeated", 1));
    EXPECT_EQ(shown(), 0u);
    const auto taken = attacked.counter("snapshots_taken");
    speaker.say(other, proto::Deltas{other, Seq{2}, {delta}}, 2);
    EXPECT_TRUE(eventually([&] { return shown() == 5; }));
    auto honest = Worker::connect({.nodes = {attacked.cluster().address(1)}, .name = "honest"});
    ASSERT_TRUE(honest);
    ASSERT_TRUE((*honest)->join({"other", "group"}, [](const Notification&) {}, {}));
    EXPECT_TRUE(attacked.counts("digest_mismatches", 1));
    EXPECT_TRUE(attacked.counts("snapshots_taken", taken + 1));
    EXPECT_TRUE(eventually([&] { return shown() == 0; }));
    // A death of it that it denies, and a goodbye that it does not know of.
    speaker.say({"n3", attacked.id_of(2).incarnation},
                proto::PeerNews{{{other, 0, NodeState::down, attacked.cluster().address(1), "", "", {}}}});
    EXPECT_TRUE(attacked.counts("deaths_disbelieved", 1));
    attacked.expect_unharmed();
}

}  // namespace
}  // namespace muster::test
