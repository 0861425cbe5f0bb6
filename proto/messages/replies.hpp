// Node to worker: replies. header.seq is the number of the request. A long reply comes in parts; the part with
// `last` is the final one. PROTOCOL.md, "Requests".
#pragma once

#include <muster/result.hpp>
#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/messages/tables.hpp"

namespace muster::proto {

struct JoinReply {
    std::vector<NumberRun> members;
    std::uint64_t unseen = 0;  // with `visible`: live nodes that did not confirm in time
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
    std::uint64_t settled = 0;  // as in NodeHeartbeat
    bool operator==(const NotifyReply&) const = default;
};

/// Success of a request without a result (watch, unwatch).
struct DoneReply {
    bool operator==(const DoneReply&) const = default;
};

struct ErrorReply {
    ErrorCode code = ErrorCode::bad_request;
    std::string text;
    bool operator==(const ErrorReply&) const = default;
};

}  // namespace muster::proto
