// The fields of every message in wire order, written once for both directions: `io` packs
// its arguments or fills them. Private to the codec.
#pragma once

#include "proto/limits.hpp"
#include "proto/messages.hpp"

namespace muster::proto {

// One line each, so that this reads as a table.
// clang-format off

// These give a string the rules for its content.
struct NodeName { std::string& text; };
struct WorkerName { std::string& text; };  // or empty: a handler inside a node
struct Address { std::string& text; };     // or empty if unknown
struct Text { std::string& text; };
struct Bytes { std::string& text; std::size_t limit; };
struct Appended { std::string& text; std::size_t limit; };  // Bytes at the end, which older minor versions omit
struct AppendedAddress { std::string& text; };              // an Address, likewise
struct AppendedName { std::string& text; };                 // a node's name or empty, likewise
struct AppendedNumber { std::uint64_t& value; };            // a number, likewise
struct AppendedFlag { bool& value; };                       // 0 or 1, likewise
struct AppendedLines { std::vector<std::string>& lines; };  // a Text of lines, likewise
struct OldReason { Reason& value; };      // `moved`, which older minor versions do not know, as `left`
struct AppendedMoved { Reason& value; };  // 1 makes `left` `moved`; omitted by older minor versions
struct GroupPart { std::string& text; };   // a store or feature
struct GroupOrAll { Group& group; };  // both names empty: every group
template <class E>
struct OneOf { E& value; E last; };   // enumerators run from 1 to `last`

template <class Io> bool fields(Io& io, NodeId& m) { return io(NodeName{m.name}, m.incarnation); }
template <class Io> bool fields(Io& io, MemberId& m) { return io(m.node, m.number); }
template <class Io> bool fields(Io& io, NumberRun& m) { return io(m.first, m.count); }
template <class Io> bool fields(Io& io, JoinRun& m) { return io(m.first, m.count, WorkerName{m.worker}, m.meta); }
template <class Io> bool fields(Io& io, GroupDelta& m) {
    return io(m.group, OldReason{m.reason}, m.joins, m.leaves, AppendedMoved{m.reason});
}
template <class Io> bool fields(Io& io, Delta& m) { return io(m.changes); }
template <class Io> bool fields(Io& io, GroupRuns& m) { return io(m.group, m.joins); }
template <class Io> bool fields(Io& io, PeerRecord& m) {
    return io(m.id, m.refutation, OneOf<NodeState>{m.state, NodeState::left}, Address{m.address}, Address{m.control},
              Address{m.gossip}, m.seq, Appended{m.proof, limits::kSignature});
}
template <class Io> bool fields(Io& io, Missed& m) {
    return io(NodeName{m.node}, m.members, OneOf<MissReason>{m.reason, MissReason::timeout});
}
/// The common beginning of a notice and a notification.
template <class Io> bool head_fields(Io& io, Notice& m) {
    return io(OneOf<NotificationKind>{m.kind, NotificationKind::deleted}, m.group, m.data, m.from_node,
              WorkerName{m.from_worker}, m.seq);
}
template <class Io> bool fields(Io& io, Notice& m) {
    return io(OneOf<NotificationKind>{m.kind, NotificationKind::deleted}, m.group, m.data, m.from_node,
              WorkerName{m.from_worker}, m.seq, m.ticket, m.newest, m.wait_ms, AppendedNumber{m.group_seq},
              AppendedNumber{m.life}, AppendedNumber{m.call}, AppendedFlag{m.repeated});
}
/// What follows the members of a notification.
template <class Io> bool tail_fields(Io& io, Notice& m) {
    return io(AppendedNumber{m.group_seq}, AppendedNumber{m.life}, AppendedNumber{m.call}, AppendedFlag{m.repeated});
}
template <class Io> bool fields(Io& io, NoticeReport& m) { return io(m.ticket, m.delivered, m.missed); }
template <class Io> bool fields(Io& io, NoticesLost& m) { return io(m.group, m.notices); }
template <class Io> bool fields(Io& io, Replay::Aged& m) { return io(m.age_ms, m.notice); }
template <class Io> bool fields(Io& io, Replay& m) {
    return io(m.request, m.entry, m.missed, m.at_least, m.last, m.notices);
}
template <class Io> bool fields(Io& io, ReplayRequest::Entry& m) { return io(m.group, m.after, m.age_ms); }

template <class Io> bool fields(Io& io, Hello& m) { return io(m.self, AppendedName{m.expects}); }
template <class Io> bool fields(Io& io, Welcome& m) {
    return io(m.self, m.known, m.peers, AppendedNumber{m.channels});
}
template <class Io> bool fields(Io& io, Refuse& m) {
    return io(OneOf<ErrorCode>{m.code, ErrorCode::closed}, Text{m.text});
}
template <class Io> bool fields(Io& io, Deltas& m) { return io(m.about, m.first, m.deltas); }
template <class Io> bool fields(Io& io, Heartbeat& m) {
    return io(m.refutation, m.digest, m.membership, AppendedNumber{m.channels}, AppendedNumber{m.workers},
              AppendedFlag{m.draining}, AppendedNumber{m.age_ms});
}
template <class Io> bool fields(Io& io, Goodbye&) { return io(); }
template <class Io> bool fields(Io& io, PeerNews& m) { return io(m.peers); }
template <class Io> bool fields(Io& io, Forget& m) { return io(m.node); }
template <class Io> bool fields(Io& io, Pull& m) { return io(m.about, m.have, m.snapshot); }
template <class Io> bool fields(Io& io, SnapshotChunk& m) {
    return io(m.about, m.as_of, m.digest, m.index, m.count, m.groups, AppendedNumber{m.members});
}
template <class Io> bool fields(Io& io, SnapshotAck& m) { return io(m.about, m.as_of, m.next); }
template <class Io> bool fields(Io& io, Probe& m) { return io(m.target, m.pass_on); }
template <class Io> bool fields(Io& io, Heard& m) {
    return io(m.target, m.digest, m.age_ms, Appended{m.beat, limits::kBeat});
}
template <class Io> bool fields(Io& io, Ping& m) { return io(m.nonce); }
template <class Io> bool fields(Io& io, Pong& m) {
    return io(m.nonce, m.about, m.applied, AppendedNumber{m.digest}, AppendedNumber{m.channels});
}
template <class Io> bool fields(Io& io, LinkData& m) { return io(m.to, m.first, m.acked, m.items); }
template <class Io> bool fields(Io& io, LinkAck& m) { return io(m.to, m.acked); }
template <class Io> bool fields(Io& io, Relay& m) {
    return io(NodeName{m.to}, Bytes{m.message, limits::kFrame}, m.hops);
}
template <class Io> bool fields(Io& io, Sealed& m) {
    return io(m.stamp, Bytes{m.message, limits::kFrame}, Bytes{m.signature, limits::kSignature});
}

template <class Io> bool fields(Io& io, ReplayRequest& m) { return io(m.to, m.number, m.position, m.entries); }

template <class Io> bool fields(Io& io, WorkerHello& m) { return io(m.token, m.received, AppendedNumber{m.life}); }
template <class Io> bool fields(Io& io, WorkerHeartbeat& m) { return io(m.received); }
template <class Io> bool fields(Io& io, WorkerGoodbye& m) { return io(AppendedFlag{m.moved}); }
template <class Io> bool fields(Io& io, JoinRequest& m) {
    return io(m.group, m.count, m.meta, m.visible, m.timeout_ms);
}
template <class Io> bool fields(Io& io, RejoinRequest::Position& m) { return io(m.node, m.group_seq); }
template <class Io> bool fields(Io& io, RejoinRequest::Join& m) { return io(m.count, m.meta, m.age_ms); }
template <class Io> bool fields(Io& io, RejoinRequest& m) {
    return io(m.group, m.positions, m.joins, m.node, m.away_ms);
}
template <class Io> bool fields(Io& io, LeaveRequest& m) { return io(m.group, m.members, m.count); }
template <class Io> bool fields(Io& io, MembersRequest& m) { return io(m.group, m.local); }
template <class Io> bool fields(Io& io, GroupsRequest&) { return io(); }
template <class Io> bool fields(Io& io, NodesRequest&) { return io(); }
template <class Io> bool fields(Io& io, StatusRequest&) { return io(); }
template <class Io> bool fields(Io& io, NotifyRequest& m) {
    return io(OneOf<NotificationKind>{m.kind, NotificationKind::deleted}, m.group, m.data, m.wait, m.timeout_ms,
              AppendedNumber{m.call}, AppendedFlag{m.repeated});
}
template <class Io> bool fields(Io& io, WatchRequest& m) { return io(GroupOrAll{m.group}); }
template <class Io> bool fields(Io& io, UnwatchRequest& m) { return io(m.watch); }
template <class Io> bool fields(Io& io, ForgetRequest& m) { return io(NodeName{m.node}); }
template <class Io> bool fields(Io& io, DrainRequest& m) { return io(m.on); }
template <class Io> bool fields(Io& io, MoveRequest& m) { return io(m.workers, Address{m.to}); }

template <class Io> bool fields(Io& io, Member& m) { return io(m.id, WorkerName{m.worker}, m.meta); }
template <class Io> bool fields(Io& io, NodeInfo& m) {
    return io(m.id, OneOf<NodeState>{m.state, NodeState::left}, Address{m.address}, AppendedNumber{m.workers},
              AppendedFlag{m.draining});
}
template <class Io> bool fields(Io& io, GroupInfo& m) { return io(m.group, m.members); }
template <class Io> bool fields(Io& io, GroupMembers& m) { return io(m.group, m.members); }
template <class Io> bool fields(Io& io, Status& m) {
    return io(m.node, Text{m.scope}, m.ready, m.seq, m.groups, m.members, m.workers, m.counters,
              AppendedLines{m.silent_channels});
}
template <class Io> bool fields(Io& io, NotifyReport& m) {
    return io(m.matched, m.nodes, m.waited, m.delivered, m.missed);
}
template <class Io> bool fields(Io& io, WatchEvent& m) {
    return io(OneOf<WatchEvent::Kind>{m.kind, WatchEvent::Kind::leave}, OldReason{m.reason}, m.groups,
              AppendedMoved{m.reason});
}

template <class Io> bool fields(Io& io, WorkerWelcome& m) {
    return io(m.token, m.resumed, m.heartbeat_ms, m.ttl_ms, m.grace_ms, m.node, m.nodes,
              AppendedNumber{m.handover_ms}, AppendedFlag{m.takes_bundles});
}
template <class Io> bool fields(Io& io, NodeHeartbeat& m) { return io(AppendedNumber{m.settled}); }
template <class Io> bool fields(Io& io, Move& m) { return io(AppendedAddress{m.to}); }
template <class Io> bool fields(Io& io, JoinReply& m) { return io(m.members, m.unseen); }
template <class Io> bool fields(Io& io, LeaveReply& m) { return io(m.members); }
template <class Io> bool fields(Io& io, MembersReply& m) { return io(m.members, m.last); }
template <class Io> bool fields(Io& io, GroupsReply& m) { return io(m.groups, m.last); }
template <class Io> bool fields(Io& io, NodesReply& m) { return io(m.nodes); }
template <class Io> bool fields(Io& io, StatusReply& m) { return io(m.status); }
template <class Io> bool fields(Io& io, NotifyReply& m) { return io(m.report, AppendedNumber{m.settled}); }
template <class Io> bool fields(Io& io, DoneReply&) { return io(); }
template <class Io> bool fields(Io& io, ErrorReply& m) {
    return io(OneOf<ErrorCode>{m.code, ErrorCode::closed}, Text{m.text});
}
template <class Io> bool fields(Io& io, Deliveries& m) { return io(m.items); }
template <class Io> bool fields(Io& io, Gap& m) { return io(m.missed, AppendedFlag{m.at_least}); }
template <class Io> bool fields(Io& io, WatchNews& m) { return io(m.watch, m.event, m.last); }

/// The number of each message on the wire; never reused.
template <class Body>
inline constexpr std::uint64_t kType = 0;
template <> inline constexpr std::uint64_t kType<Hello> = 1;
template <> inline constexpr std::uint64_t kType<Welcome> = 2;
template <> inline constexpr std::uint64_t kType<Refuse> = 3;
template <> inline constexpr std::uint64_t kType<Deltas> = 10;
template <> inline constexpr std::uint64_t kType<Heartbeat> = 11;
template <> inline constexpr std::uint64_t kType<Goodbye> = 12;
template <> inline constexpr std::uint64_t kType<PeerNews> = 13;
template <> inline constexpr std::uint64_t kType<Forget> = 14;
template <> inline constexpr std::uint64_t kType<Pull> = 20;
template <> inline constexpr std::uint64_t kType<SnapshotChunk> = 21;
template <> inline constexpr std::uint64_t kType<SnapshotAck> = 22;
template <> inline constexpr std::uint64_t kType<Probe> = 23;
template <> inline constexpr std::uint64_t kType<Heard> = 24;
template <> inline constexpr std::uint64_t kType<Ping> = 25;
template <> inline constexpr std::uint64_t kType<Pong> = 26;
template <> inline constexpr std::uint64_t kType<LinkData> = 27;
template <> inline constexpr std::uint64_t kType<LinkAck> = 28;
template <> inline constexpr std::uint64_t kType<Relay> = 29;
template <> inline constexpr std::uint64_t kType<Sealed> = 30;
template <> inline constexpr std::uint64_t kType<ReplayRequest> = 31;
template <> inline constexpr std::uint64_t kType<WorkerHello> = 40;
template <> inline constexpr std::uint64_t kType<WorkerHeartbeat> = 41;
template <> inline constexpr std::uint64_t kType<WorkerGoodbye> = 42;
template <> inline constexpr std::uint64_t kType<WorkerWelcome> = 43;
template <> inline constexpr std::uint64_t kType<NodeHeartbeat> = 44;
template <> inline constexpr std::uint64_t kType<Move> = 45;
template <> inline constexpr std::uint64_t kType<JoinRequest> = 50;
template <> inline constexpr std::uint64_t kType<LeaveRequest> = 51;
template <> inline constexpr std::uint64_t kType<MembersRequest> = 52;
template <> inline constexpr std::uint64_t kType<GroupsRequest> = 53;
template <> inline constexpr std::uint64_t kType<NodesRequest> = 54;
template <> inline constexpr std::uint64_t kType<StatusRequest> = 55;
template <> inline constexpr std::uint64_t kType<NotifyRequest> = 56;
template <> inline constexpr std::uint64_t kType<WatchRequest> = 57;
template <> inline constexpr std::uint64_t kType<UnwatchRequest> = 58;
template <> inline constexpr std::uint64_t kType<ForgetRequest> = 59;
template <> inline constexpr std::uint64_t kType<DrainRequest> = 81;
template <> inline constexpr std::uint64_t kType<MoveRequest> = 82;
template <> inline constexpr std::uint64_t kType<JoinReply> = 60;
template <> inline constexpr std::uint64_t kType<LeaveReply> = 61;
template <> inline constexpr std::uint64_t kType<MembersReply> = 62;
template <> inline constexpr std::uint64_t kType<GroupsReply> = 63;
template <> inline constexpr std::uint64_t kType<NodesReply> = 64;
template <> inline constexpr std::uint64_t kType<StatusReply> = 65;
template <> inline constexpr std::uint64_t kType<NotifyReply> = 66;
template <> inline constexpr std::uint64_t kType<DoneReply> = 67;
template <> inline constexpr std::uint64_t kType<ErrorReply> = 69;
template <> inline constexpr std::uint64_t kType<Deliveries> = 70;
template <> inline constexpr std::uint64_t kType<Gap> = 71;
template <> inline constexpr std::uint64_t kType<WatchNews> = 72;
template <> inline constexpr std::uint64_t kType<RejoinRequest> = 80;

// clang-format on

}  // namespace muster::proto
