// What others may repeat of a node's words, and how it is known to be the node's own: where there are keys, whatever
// is published or goes through others is sealed, and a life of a node is proven. Without keys all this does nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/base/context.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// What the signature in `sealed` is of.
std::string signed_bytes(const proto::Sealed& sealed);
/// The message, sealed where there are keys.
proto::Message sealed(Context& context, proto::Message message);

struct Opened {
    proto::Message message;
    std::uint64_t stamp = 0;
};
/// What is in a sealed message. Nothing, and a counter, when it is not sealed or not by its origin.
std::optional<Opened> open_seal(Context& context, const proto::Message& message);

/// This node's signature that the life in `record` is its own, at those addresses; empty without keys.
std::string proof_of(Context& context, const proto::PeerRecord& record);
/// Whether the node of that name has signed it; true without keys.
bool is_proven(Context& context, const proto::PeerRecord& record);

}  // namespace muster::cluster
