// Between worker and node: how a session begins, stays alive and ends.
// PROTOCOL.md, "The worker session".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::proto {

struct WorkerHello {
    SessionToken token;          // session to resume; 0: start a new one
    std::uint64_t received = 0;  // last stream item received in that session
    std::uint64_t life = 0;      // drawn at random by each process of the worker; 0: an older worker
    bool operator==(const WorkerHello&) const = default;
};

struct WorkerWelcome {
    SessionToken token;
    bool resumed = false;
    std::uint64_t heartbeat_ms = 0;  // send one at least this often
    std::uint64_t ttl_ms = 0;        // silence after which either side considers the connection lost
    std::uint64_t grace_ms = 0;      // how long the session then waits to be resumed
    NodeInfo node;
    std::vector<std::string> nodes;  // addresses of other live nodes
    std::uint64_t handover_ms = 0;   // how long nodes remember notices for RejoinRequest; 0: the node takes none
    bool takes_bundles = false;      // proto/bundle.hpp
    bool operator==(const WorkerWelcome&) const = default;
};

/// Sent at every heartbeat interval, and when `received` has grown. header.seq is unused.
struct WorkerHeartbeat {
    std::uint64_t received = 0;  // stream items handled, in order
    bool operator==(const WorkerHeartbeat&) const = default;
};

struct NodeHeartbeat {
    /// Up to this call of the worker, the death of this node alone loses no notification.
    std::uint64_t settled = 0;
    bool operator==(const NodeHeartbeat&) const = default;
};

/// Asks the worker to go to another node. It says goodbye here when it has joined there.
struct Move {
    std::string to;  // an address to try first, if the worker knows it; may be empty
    bool operator==(const Move&) const = default;
};

struct WorkerGoodbye {
    bool moved = false;  // its members have joined at another node
    bool operator==(const WorkerGoodbye&) const = default;
};

}  // namespace muster::proto
