// Every message of the protocol as a struct, one header per family. PROTOCOL.md explains their meaning. The order of
// the fields is their order on the wire. Only the codec knows msgpack.
#pragma once

#include <variant>

#include "proto/messages/header.hpp"
#include "proto/messages/links.hpp"
#include "proto/messages/membership.hpp"
#include "proto/messages/notices.hpp"
#include "proto/messages/replies.hpp"
#include "proto/messages/requests.hpp"
#include "proto/messages/sessions.hpp"
#include "proto/messages/stream.hpp"
#include "proto/messages/tables.hpp"

namespace muster::proto {

using Body =
    std::variant<Hello, Welcome, Refuse, Deltas, Heartbeat, Goodbye, PeerNews, Forget, Pull, SnapshotChunk, SnapshotAck,
                 Probe, Heard, Ping, Pong, LinkData, LinkAck, Relay, Sealed, ReplayRequest, WorkerHello,
                 WorkerHeartbeat, WorkerGoodbye, JoinRequest, RejoinRequest, LeaveRequest, MembersRequest,
                 GroupsRequest, NodesRequest, StatusRequest, NotifyRequest, WatchRequest, UnwatchRequest, ForgetRequest,
                 DrainRequest, MoveRequest, WorkerWelcome, NodeHeartbeat, Move, JoinReply, LeaveReply, MembersReply,
                 GroupsReply, NodesReply, StatusReply, NotifyReply, DoneReply, ErrorReply, Deliveries, Gap, WatchNews>;

struct Message {
    Header header;
    Body body;

    bool operator==(const Message&) const = default;
};

/// Whether the request administers: only operators may make it.
inline bool administers(const Body& body) {
    return std::holds_alternative<ForgetRequest>(body) || std::holds_alternative<DrainRequest>(body) ||
           std::holds_alternative<MoveRequest>(body);
}

}  // namespace muster::proto
