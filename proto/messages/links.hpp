// Node to node: envelopes. A link numbers its items, a relay forwards a message, a seal signs it.
// PROTOCOL.md, "Links", "Relays" and "Seals".
#pragma once

#include <muster/ids.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/messages/notices.hpp"

namespace muster::proto {

/// Numbered items from one node to another, delivered once and in order.
struct LinkData {
    NodeId to;
    std::uint64_t first = 0;  // number of items[0]; numbers begin at 1
    std::uint64_t acked = 0;  // items of the other direction that were received
    std::vector<LinkItem> items;
    bool operator==(const LinkData&) const = default;
};

struct LinkAck {
    NodeId to;
    std::uint64_t acked = 0;
    bool operator==(const LinkAck&) const = default;
};

/// Asks a node for its notices of groups that workers have joined again at the sender. It answers with link items
/// (Replay), after it has applied the sender's log up to `position`.
struct ReplayRequest {
    struct Entry {
        Group group;
        std::uint64_t after = 0;   // only those with a higher number
        std::uint64_t age_ms = 0;  // only those that are not older
        bool operator==(const Entry&) const = default;
    };

    NodeId to;
    std::uint64_t number = 0;  // 1, 2, 3, … between two lives
    Seq position;
    std::vector<Entry> entries;
    bool operator==(const ReplayRequest&) const = default;
};

/// Carries an encoded message, not itself a Relay, for node `to`. Other receivers forward it.
struct Relay {
    std::string to;
    std::string message;
    std::uint64_t hops = 0;  // nodes that have forwarded it; at most limits::kHops
    bool operator==(const Relay&) const = default;
};

/// Carries an encoded message with its origin's signature, so that other nodes can forward it and receivers can
/// verify it.
struct Sealed {
    std::uint64_t stamp = 0;  // grows with each message that this incarnation of the origin signs
    std::string message;      // not itself Sealed or a Relay
    std::string signature;    // of stamp and message
    bool operator==(const Sealed&) const = default;
};

}  // namespace muster::proto
