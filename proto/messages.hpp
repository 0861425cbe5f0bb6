// Every message as a struct. PROTOCOL.md says what each means; the order of
// the fields here is the order on the wire. Nothing here knows msgpack.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace muster::proto {

/// Version of the wire. Another major is refused; fields unknown to us are skipped.
inline constexpr std::uint64_t kMajor = 1;

/// The first fields of every message. What `origin`, `incarnation` and `seq`
/// hold depends on the direction: see PROTOCOL.md, "The header".
struct Header {
    std::string scope;
    std::string origin;             // name of the node or worker that speaks
    std::uint64_t incarnation = 0;  // a node's incarnation, or a worker's session token
    std::uint64_t seq = 0;

    bool operator==(const Header&) const = default;
};

// ---- parts of messages -----------------------------------------------------

/// Consecutive member numbers that one owner joined in one call.
struct JoinRun {
    MemberNumber first;
    std::uint64_t count = 0;
    std::string worker;
    Meta meta;

    bool operator==(const JoinRun&) const = default;
};

/// Consecutive member numbers.
struct NumberRun {
    MemberNumber first;
    std::uint64_t count = 0;

    bool operator==(const NumberRun&) const = default;
};

/// What one delta does to one group: joins, or leaves with one reason, never both.
struct GroupDelta {
    Group group;
    Reason reason = Reason::left;  // of the leaves
    std::vector<JoinRun> joins;
    std::vector<NumberRun> leaves;

    bool operator==(const GroupDelta&) const = default;
};

/// One numbered entry of an origin's log: what one call, or one death of a worker, changed.
struct Delta {
    std::vector<GroupDelta> changes;

    bool operator==(const Delta&) const = default;
};

/// What a node knows of a node. `refutation` counts how often it denied its death in this life.
struct PeerRecord {
    NodeId id;
    std::uint64_t refutation = 0;
    NodeState state = NodeState::alive;
    std::string address;  // front door: workers and hellos
    std::string control;  // node to node
    std::string gossip;   // publications
    Seq seq;              // of its log, as far as the speaker knows
    std::string proof{};  // the node's own signature of this life and its addresses; none without keys

    bool operator==(const PeerRecord&) const = default;
};

/// The members of one group that one origin holds.
struct GroupRuns {
    Group group;
    std::vector<JoinRun> joins;

    bool operator==(const GroupRuns&) const = default;
};

/// A notification on its way to the members of one node.
struct Notice {
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    NodeId from_node;
    std::string from_worker;
    std::uint64_t seq = 0;
    std::uint64_t ticket = 0;   // not 0: answer with a NoticeReport of this ticket
    MemberNumber newest;        // with a ticket: the group's newest member there that is matched
    std::uint64_t wait_ms = 0;  // with a ticket: how long somebody waits

    bool operator==(const Notice&) const = default;
};

/// What became of a Notice that carried a ticket, at the node that fanned it out:
/// of the members up to `newest` only.
struct NoticeReport {
    std::uint64_t ticket = 0;
    std::uint64_t delivered = 0;
    std::vector<Missed> missed;

    bool operator==(const NoticeReport&) const = default;
};

/// In place of notices that were dropped for want of room: members of the group missed so many.
struct NoticesLost {
    Group group;
    std::uint64_t notices = 0;

    bool operator==(const NoticesLost&) const = default;
};

inline Notification to_notification(const Notice& notice, std::vector<MemberNumber> members) {
    return {notice.kind,        notice.group, notice.data,       notice.from_node,
            notice.from_worker, notice.seq,   std::move(members)};
}

/// The notification as a handler sees it, but for the members, in a place that is used again.
inline void assign(Notification& to, const Notice& notice) {
    constexpr std::size_t kept_bytes = 64u << 10u;
    if (to.data.msgpack.capacity() > kept_bytes) to.data.msgpack = {};
    to.kind = notice.kind;
    to.group = notice.group;
    to.data = notice.data;
    to.from_node = notice.from_node;
    to.from_worker = notice.from_worker;
    to.seq = notice.seq;
}

/// A notice that nobody changes any more, held by the links and members that it is on its way to.
class SharedNotice {
public:
    struct Held : Notice {
        Held() = default;
        explicit Held(Notice notice) : Notice(std::move(notice)) {}
        mutable std::string head;  // see SharedNotice::head
    };

    SharedNotice() = default;  // none
    // NOLINTNEXTLINE(google-explicit-constructor)
    SharedNotice(Notice notice) : held_(std::make_shared<const Held>(std::move(notice))) {}
    explicit SharedNotice(std::shared_ptr<const Held> held) : held_(std::move(held)) {}

    const Notice& operator*() const { return *held_; }
    const Notice* operator->() const { return held_.get(); }
    bool operator==(const SharedNotice& other) const {
        return held_ == other.held_ || (held_ && other.held_ && **this == *other);
    }

    /// The fields of a notification from `kind` to `seq` as they go over the wire, encoded when first asked for.
    /// Of all that is done with a shared notice, this alone is for one thread.
    [[nodiscard]] const std::string& head() const;

private:
    std::shared_ptr<const Held> held_;
};

using LinkItem = std::variant<SharedNotice, NoticeReport, NoticesLost>;

// ---- node to node ----------------------------------------------------------

struct Hello {
    PeerRecord self;
    bool operator==(const Hello&) const = default;
};

struct Welcome {
    PeerRecord self;
    Incarnation known;  // highest incarnation known of the hello's sender; 0: none
    std::vector<PeerRecord> peers;
    bool operator==(const Welcome&) const = default;
};

/// Answer to a Hello or WorkerHello that is not let in, or to a worker whose session is unknown.
struct Refuse {
    ErrorCode code = ErrorCode::refused;
    std::string text;
    bool operator==(const Refuse&) const = default;
};

struct Deltas {
    NodeId about;  // whose log
    Seq first;     // number of deltas[0]
    std::vector<Delta> deltas;
    bool operator==(const Deltas&) const = default;
};

struct Heartbeat {
    std::uint64_t refutation = 0;
    std::uint64_t digest = 0;      // of the speaker's own members as of header.seq
    std::uint64_t membership = 0;  // digest of the speaker's peer records
    bool operator==(const Heartbeat&) const = default;
};

/// The speaker leaves for good; header.seq is its last delta.
struct Goodbye {
    bool operator==(const Goodbye&) const = default;
};

/// News of other nodes, as the speaker believes them.
struct PeerNews {
    std::vector<PeerRecord> peers;
    bool operator==(const PeerNews&) const = default;
};

/// Asks for what follows `have` in a log; `snapshot` asks for the whole table at once.
struct Pull {
    NodeId about;
    Seq have;
    bool snapshot = false;
    bool operator==(const Pull&) const = default;
};

struct SnapshotChunk {
    NodeId about;
    Seq as_of;
    std::uint64_t digest = 0;  // of the whole table as of header.seq
    std::uint64_t index = 0;
    std::uint64_t count = 0;  // chunks in all; 0 except in the last
    std::vector<GroupRuns> groups;
    std::uint64_t members = 0;  // of the whole table as of header.seq; 0: not told
    bool operator==(const SnapshotChunk&) const = default;
};

/// Chunks up to and without `next` have arrived.
struct SnapshotAck {
    NodeId about;
    Seq as_of;
    std::uint64_t next = 0;
    bool operator==(const SnapshotAck&) const = default;
};

/// "Have you heard from `target`?" With `pass_on`, the asked node passes on for two
/// seconds what the target publishes.
struct Probe {
    NodeId target;
    bool pass_on = false;
    bool operator==(const Probe&) const = default;
};

/// Answer to a Probe.
struct Heard {
    PeerRecord target;
    std::uint64_t digest = 0;
    std::uint64_t age_ms = 0;  // since the speaker heard the target itself
    std::string beat{};        // the target's last heartbeat, an encoded Sealed; none without keys
    bool operator==(const Heard&) const = default;
};

struct Ping {
    std::uint64_t nonce = 0;
    bool operator==(const Ping&) const = default;
};

struct Pong {
    std::uint64_t nonce = 0;
    NodeId about;  // the pinger, as the speaker knows it
    Seq applied;   // of the pinger's log at the speaker
    bool operator==(const Pong&) const = default;
};

/// Numbered items from one node to another: delivered once and in order.
struct LinkData {
    NodeId to;
    std::uint64_t first = 0;  // number of items[0]; numbers begin at 1
    std::uint64_t acked = 0;  // items of the other direction that have arrived
    std::vector<LinkItem> items;
    bool operator==(const LinkData&) const = default;
};

struct LinkAck {
    NodeId to;
    std::uint64_t acked = 0;
    bool operator==(const LinkAck&) const = default;
};

/// An encoded message, not itself a Relay, to be passed on, or taken if `to` is the receiver.
struct Relay {
    std::string to;
    std::string message;
    std::uint64_t hops = 0;  // nodes that have passed it on; at most limits::kHops
    bool operator==(const Relay&) const = default;
};

/// An encoded message that its origin has signed, so that it can be passed on by others and still be believed.
struct Sealed {
    std::uint64_t stamp = 0;  // grows with each message that this life of the origin seals
    std::string message;      // not itself Sealed or a Relay
    std::string signature;    // of both: PROTOCOL.md, "Seals"
    bool operator==(const Sealed&) const = default;
};

// ---- worker to node --------------------------------------------------------

struct WorkerHello {
    SessionToken token;          // session to resume; 0: a new one
    std::uint64_t received = 0;  // last stream item received in that session
    bool operator==(const WorkerHello&) const = default;
};

/// Sent every heartbeat, and when `received` has moved. header.seq: unused.
struct WorkerHeartbeat {
    std::uint64_t received = 0;  // stream items handled, in order
    bool operator==(const WorkerHeartbeat&) const = default;
};

struct WorkerGoodbye {
    bool operator==(const WorkerGoodbye&) const = default;
};

// Requests: header.seq is the request's number, rising by one within a session.

struct JoinRequest {
    Group group;
    std::uint64_t count = 1;
    Meta meta;
    bool visible = false;  // answer when every live node has it
    std::uint64_t timeout_ms = 5000;
    bool operator==(const JoinRequest&) const = default;
};

/// Leaves the given members, or, when none is given, the `count` latest of the group.
struct LeaveRequest {
    Group group;
    std::vector<MemberNumber> members;
    std::uint64_t count = 1;
    bool operator==(const LeaveRequest&) const = default;
};

struct MembersRequest {
    Group group;
    bool local = false;  // only those of the asked node
    bool operator==(const MembersRequest&) const = default;
};

struct GroupsRequest {
    bool operator==(const GroupsRequest&) const = default;
};

struct NodesRequest {
    bool operator==(const NodesRequest&) const = default;
};

struct StatusRequest {
    bool operator==(const StatusRequest&) const = default;
};

struct NotifyRequest {
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    bool wait = false;
    std::uint64_t timeout_ms = 5000;
    bool operator==(const NotifyRequest&) const = default;
};

/// Watches one group, or all when both names are empty. The events come in the
/// stream and carry this request's number.
struct WatchRequest {
    Group group;
    bool operator==(const WatchRequest&) const = default;
};

struct UnwatchRequest {
    std::uint64_t watch = 0;  // number of the WatchRequest
    bool operator==(const UnwatchRequest&) const = default;
};

// ---- node to worker --------------------------------------------------------

struct WorkerWelcome {
    SessionToken token;
    bool resumed = false;
    std::uint64_t heartbeat_ms = 0;  // send one at least this often
    std::uint64_t ttl_ms = 0;        // silence after which either side gives the other up
    std::uint64_t grace_ms = 0;      // how long the session then waits for a resume
    NodeInfo node;
    std::vector<std::string> nodes;  // addresses of other live nodes
    bool operator==(const WorkerWelcome&) const = default;
};

struct NodeHeartbeat {
    bool operator==(const NodeHeartbeat&) const = default;
};

// Replies: header.seq is the request's number. Long answers come in parts; `last` closes them.

struct JoinReply {
    std::vector<NumberRun> members;
    std::uint64_t unseen = 0;  // live nodes that had not confirmed it in time (with `visible`)
    bool operator==(const JoinReply&) const = default;
};

struct LeaveReply {
    std::vector<MemberNumber> members;
    bool operator==(const LeaveReply&) const = default;
};

struct MembersReply {
    std::vector<Member> members;
    bool last = true;
    bool operator==(const MembersReply&) const = default;
};

struct GroupsReply {
    std::vector<GroupInfo> groups;
    bool last = true;
    bool operator==(const GroupsReply&) const = default;
};

struct NodesReply {
    std::vector<NodeInfo> nodes;
    bool operator==(const NodesReply&) const = default;
};

struct StatusReply {
    Status status;
    bool operator==(const StatusReply&) const = default;
};

struct NotifyReply {
    NotifyReport report;
    bool operator==(const NotifyReply&) const = default;
};

/// A request done that answers nothing (watch, unwatch).
struct DoneReply {
    bool operator==(const DoneReply&) const = default;
};

struct ErrorReply {
    ErrorCode code = ErrorCode::bad_request;
    std::string text;
    bool operator==(const ErrorReply&) const = default;
};

// The stream: header.seq numbers it 1, 2, 3, … within a session. Kept until a
// WorkerHeartbeat says `received`, sent again after a resume.

/// A notification for members of the session. Of the notice, what belongs to its ticket does not go over the wire.
struct Delivery {
    SharedNotice notice;
    std::shared_ptr<const std::vector<MemberNumber>> members;  // not null
    bool operator==(const Delivery& other) const { return notice == other.notice && *members == *other.members; }
};

/// Consecutive items of the stream; header.seq numbers the first.
struct Deliveries {
    std::vector<Delivery> items;
    bool operator==(const Deliveries&) const = default;
};

/// Notifications were dropped here, for want of room.
struct Gap {
    std::uint64_t missed = 0;
    bool operator==(const Gap&) const = default;
};

/// Part of what a watcher is told; `last` closes a snapshot that comes in parts.
struct WatchNews {
    std::uint64_t watch = 0;
    WatchEvent event;
    bool last = true;
    bool operator==(const WatchNews&) const = default;
};

using StreamItem = std::variant<Delivery, Gap, WatchNews>;

using Body =
    std::variant<Hello, Welcome, Refuse, Deltas, Heartbeat, Goodbye, PeerNews, Pull, SnapshotChunk, SnapshotAck, Probe,
                 Heard, Ping, Pong, LinkData, LinkAck, Relay, Sealed, WorkerHello, WorkerHeartbeat, WorkerGoodbye,
                 JoinRequest, LeaveRequest, MembersRequest, GroupsRequest, NodesRequest, StatusRequest, NotifyRequest,
                 WatchRequest, UnwatchRequest, WorkerWelcome, NodeHeartbeat, JoinReply, LeaveReply, MembersReply,
                 GroupsReply, NodesReply, StatusReply, NotifyReply, DoneReply, ErrorReply, Deliveries, Gap, WatchNews>;

struct Message {
    Header header;
    Body body;

    bool operator==(const Message&) const = default;
};

}  // namespace muster::proto
