// What users see of groups, members and notifications; the same types on an
// embedded Node and on a Worker.
#pragma once

#include <muster/group.hpp>
#include <muster/ids.hpp>
#include <muster/result.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// Any msgpack value, kept encoded: it passes through the cluster as it is.
struct Data {
    std::string msgpack = "\xc0";  // exactly one value; nil unless told

    bool operator==(const Data&) const = default;
};

/// Errors: bad_request when the text is not JSON, or nests deeper than 32.
Result<Data> data_from_json(std::string_view json);
/// JSON in one line. Byte strings become base64, extensions {"ext":type,"data":base64},
/// map keys that are not strings become their JSON text, and maps inside such a key lists of pairs.
std::string to_json(const Data& data);

enum class NotificationKind : std::uint8_t { created = 1, updated = 2, deleted = 3 };
/// Why a member is gone.
enum class Reason : std::uint8_t { left = 1, worker_down = 2, node_down = 3, node_left = 4 };
/// Why a member did not get a notification.
enum class MissReason : std::uint8_t { node_down = 1, worker_down = 2, left = 3, overflow = 4, timeout = 5 };
enum class NodeState : std::uint8_t { alive = 1, suspect = 2, down = 3, left = 4 };

std::string_view to_string(NotificationKind kind);
std::string_view to_string(Reason reason);
std::string_view to_string(MissReason reason);
std::string_view to_string(NodeState state);

/// What happens when notifications wait for a receiver and its bounded queue is full.
enum class OverflowPolicy : std::uint8_t {
    drop_oldest,    // those waiting longest give way, and a gap says how many did
    refuse_newest,  // what does not fit is refused: the notifier is told
    disconnect      // the receiver is given up (workers only)
};
/// "drop_oldest", "refuse_newest", "disconnect".
std::string_view to_string(OverflowPolicy policy);
/// Errors: bad_request when it is none of the three.
Result<OverflowPolicy> parse_overflow_policy(std::string_view text);

/// Free pairs that a member tells about itself: at most 16, each text at most 255 bytes.
using Meta = std::map<std::string, std::string>;

struct Member {
    MemberId id;
    std::string worker;  // empty: a handler inside the node itself
    Meta meta;

    bool operator==(const Member&) const = default;
};

struct Notification {
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    NodeId from_node;                   // where it entered the cluster
    std::string from_worker;            // empty: the node itself
    std::uint64_t seq = 0;              // grows at from_node; (from_node, seq) is unique
    std::vector<MemberNumber> members;  // the receiver's own members that it is for

    bool operator==(const Notification&) const = default;
};

struct Missed {
    std::string node;
    std::uint64_t members = 0;
    MissReason reason = MissReason::timeout;

    bool operator==(const Missed&) const = default;
};

struct NotifyReport {
    std::uint64_t matched = 0;    // members in the notifier's node's table
    std::uint64_t nodes = 0;      // nodes that have one or more of them
    bool waited = false;          // whether the two below are known
    std::uint64_t delivered = 0;  // acknowledged by the member's process
    std::vector<Missed> missed;   // without waiting: only what was refused at once

    bool operator==(const NotifyReport&) const = default;
};

/// Members of one group.
struct GroupMembers {
    Group group;
    std::vector<Member> members;

    bool operator==(const GroupMembers&) const = default;
};

/// What a watcher is told: first one snapshot, then every change in order.
/// A later snapshot replaces everything before it (after a reconnect).
struct WatchEvent {
    enum class Kind : std::uint8_t { snapshot = 1, join = 2, leave = 3 };
    Kind kind = Kind::snapshot;
    Reason reason = Reason::left;      // of a leave
    std::vector<GroupMembers> groups;  // a join or leave has exactly one

    bool operator==(const WatchEvent&) const = default;
};

std::string_view to_string(WatchEvent::Kind kind);

struct NodeInfo {
    NodeId id;
    NodeState state = NodeState::alive;
    std::string address;  // "host:port" that workers and seeds use

    bool operator==(const NodeInfo&) const = default;
};

struct GroupInfo {
    Group group;
    std::uint64_t members = 0;

    bool operator==(const GroupInfo&) const = default;
};

struct Status {
    NodeInfo node;
    std::string scope;
    bool ready = false;
    std::uint64_t seq = 0;  // of the node's own log
    std::uint64_t groups = 0;
    std::uint64_t members = 0;
    std::uint64_t workers = 0;  // sessions, those in their grace included
    std::map<std::string, std::uint64_t> counters;

    bool operator==(const Status&) const = default;
};

/// "curve" (only those whose keys the node trusts can speak to it), "loopback" (no keys: whoever is on its machine) or
/// "insecure" (no keys: whoever reaches it), as its counters say.
std::string_view security_of(const Status& status);

}  // namespace muster
