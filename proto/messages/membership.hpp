// Node to node: which nodes exist, and whether they live.
// PROTOCOL.md, "Hellos" and "What is known of a node".
#pragma once

#include <muster/result.hpp>
#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::proto {

/// What one node knows about another. `refutation` counts the refuted death reports in this incarnation.
struct PeerRecord {
    NodeId id;
    std::uint64_t refutation = 0;
    NodeState state = NodeState::alive;
    std::string address;  // front door: workers and hellos
    std::string control;  // node to node
    std::string gossip;   // publications
    Seq seq;              // position of its log, as far as the sender knows
    std::string proof{};  // the node's signature of its incarnation and addresses; empty without keys

    bool operator==(const PeerRecord&) const = default;
};

/// What a node tells a peer of the channels over which it should hear it: a sum. 0: an older minor, which tells
/// nothing. PROTOCOL.md, "Channels".
namespace channel_report {
inline constexpr std::uint64_t kTold = 1;       // always there
inline constexpr std::uint64_t kNoGossip = 2;   // nothing arrives over the connection to the peer's gossip port
inline constexpr std::uint64_t kNoControl = 4;  // nothing arrives at the sender's control port
inline constexpr std::uint64_t kNothing = 8;    // nor through other nodes
inline constexpr std::uint64_t kReplays = 16;   // in a heartbeat: the sender answers ReplayRequest
}  // namespace channel_report

struct Hello {
    PeerRecord self;
    std::string expects{};  // the node that is known at the address, and no other is to answer; empty: any
    bool operator==(const Hello&) const = default;
};

struct Welcome {
    PeerRecord self;
    Incarnation known;  // highest incarnation known of the hello's sender; 0: none
    std::vector<PeerRecord> peers;
    std::uint64_t channels = 0;  // channel_report
    bool operator==(const Welcome&) const = default;
};

/// Answer to a Hello or WorkerHello that is refused, or to a worker whose session is unknown.
struct Refuse {
    ErrorCode code = ErrorCode::refused;
    std::string text;
    bool operator==(const Refuse&) const = default;
};

struct Heartbeat {
    std::uint64_t refutation = 0;
    std::uint64_t digest = 0;      // of the sender's own members at log position header.seq
    std::uint64_t membership = 0;  // digest of the sender's peer records
    /// channel_report::kTold: it takes messages for it alone on its presence topic; channel_report::kReplays.
    std::uint64_t channels = 0;
    std::uint64_t workers = 0;  // sessions at the sender
    bool draining = false;      // it asks them to go to other nodes
    std::uint64_t age_ms = 0;   // since this life began; 0: an older minor
    bool operator==(const Heartbeat&) const = default;
};

/// The sender leaves the cluster; header.seq is its last delta.
struct Goodbye {
    bool operator==(const Goodbye&) const = default;
};

/// A node that is down or has left, which an operator told the sender to forget.
struct Forget {
    NodeId node;
    bool operator==(const Forget&) const = default;
};

/// Other nodes' states, as the sender believes them to be.
struct PeerNews {
    std::vector<PeerRecord> peers;
    bool operator==(const PeerNews&) const = default;
};

/// Asks whether the receiver hears `target`. With `pass_on`, the receiver forwards the target's publications for
/// two seconds.
struct Probe {
    NodeId target;
    bool pass_on = false;
    bool operator==(const Probe&) const = default;
};

/// Answer to a Probe.
struct Heard {
    PeerRecord target;
    std::uint64_t digest = 0;
    std::uint64_t age_ms = 0;  // since the sender heard the target directly
    std::string beat{};        // the target's last heartbeat, an encoded Sealed; empty without keys
    bool operator==(const Heard&) const = default;
};

struct Ping {
    std::uint64_t nonce = 0;
    bool operator==(const Ping&) const = default;
};

struct Pong {
    std::uint64_t nonce = 0;
    NodeId about;                // the pinging node, as the sender knows it
    Seq applied;                 // position of the pinging node's log that the sender has applied
    std::uint64_t digest = 0;    // of the sender's own members at log position header.seq
    std::uint64_t channels = 0;  // channel_report
    bool operator==(const Pong&) const = default;
};

}  // namespace muster::proto
