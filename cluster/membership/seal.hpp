// Signatures under what other nodes may repeat. PROTOCOL.md, "Seals".
//
// With keys, a node believes each other node about itself alone. CURVE proves who is at the other end of a connection,
// but gossip arrives from many nodes on one socket, and relays repeat what others said. So publications and relayed
// messages are sealed: signed by their origin, under a stamp that only grows. A life of a node is proven by a signature
// that goes with its record. Without keys these functions change nothing and accept everything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/base/context.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// The bytes that the signature of a seal covers.
std::string signed_bytes(const proto::Sealed& sealed);
/// The bytes that the proof of a life covers.
std::string signed_bytes(const std::string& scope, const proto::PeerRecord& record);
/// The message, sealed under this node's next stamp; without keys, the message itself.
proto::Message sealed(Context& context, proto::Message message);

struct Opened {
    proto::Message message;
    std::uint64_t stamp = 0;
};
/// Checks the signature of a sealed message and returns what is in it. Counts the message and returns nothing if it is
/// not sealed, cannot be decoded, or is not signed by its origin. Only for clusters with keys.
std::optional<Opened> open_seal(Context& context, const proto::Message& message);

/// This node's signature under the life and the addresses in `record`; empty without keys.
std::string proof_of(Context& context, const proto::PeerRecord& record);
/// Whether the node that `record` names has signed it; true without keys.
bool is_proven(Context& context, const proto::PeerRecord& record);

}  // namespace muster::cluster
