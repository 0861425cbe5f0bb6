// Worker to node: requests. header.seq is the request's number, which rises by one within a session.
// PROTOCOL.md, "Requests".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::proto {

struct JoinRequest {
    Group group;
    std::uint64_t count = 1;
    Meta meta;
    bool visible = false;  // reply when every live node has applied it
    std::uint64_t timeout_ms = 5000;
    bool operator==(const JoinRequest&) const = default;
};

/// Joins a group again in a new session, with all joins that the worker has there. What the group was sent since the
/// positions is replayed. The reply is a JoinReply with the members in the order of the joins.
struct RejoinRequest {
    /// The last notice of the group that the worker has had from a node.
    struct Position {
        NodeId node;
        std::uint64_t group_seq = 0;
        bool operator==(const Position&) const = default;
    };
    struct Join {
        std::uint64_t count = 1;
        Meta meta;
        std::uint64_t age_ms = 0;  // since the worker first asked for it
        bool operator==(const Join&) const = default;
    };

    Group group;
    std::vector<Position> positions;
    std::vector<Join> joins;
    NodeId node;                // where the worker was before
    std::uint64_t away_ms = 0;  // since it lost that node
    bool operator==(const RejoinRequest&) const = default;
};

/// Removes the given members, or the `count` newest ones of the group if `members` is empty.
struct LeaveRequest {
    Group group;
    std::vector<MemberNumber> members;
    std::uint64_t count = 1;
    bool operator==(const LeaveRequest&) const = default;
};

struct MembersRequest {
    Group group;
    bool local = false;  // only members at this node
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
    std::uint64_t call = 0;  // with WorkerHello::life, names the call in all sessions; 0: an older worker
    bool repeated = false;   // another node may have sent it
    bool operator==(const NotifyRequest&) const = default;
};

/// Watches one group, or all groups if both names are empty. The events come in the stream and carry this request's
/// number.
struct WatchRequest {
    Group group;
    bool operator==(const WatchRequest&) const = default;
};

struct UnwatchRequest {
    std::uint64_t watch = 0;  // number of the WatchRequest
    bool operator==(const UnwatchRequest&) const = default;
};

/// Administers: the node, and all others that hear of it, forget a node that is down or has left.
struct ForgetRequest {
    std::string node;
    bool operator==(const ForgetRequest&) const = default;
};

/// Administers: the node asks its workers to go to other nodes, and goes on asking until it is told not to.
struct DrainRequest {
    bool on = true;
    bool operator==(const DrainRequest&) const = default;
};

/// Administers: the node asks some workers to go to the node with this address, if they know it.
struct MoveRequest {
    std::uint64_t workers = 1;  // how many
    std::string to;
    bool operator==(const MoveRequest&) const = default;
};

}  // namespace muster::proto
