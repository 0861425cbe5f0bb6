// What a node says to all others. PROTOCOL.md, "Presence".
#pragma once

#include <cstdint>

#include "cluster/base/context.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Publishes `body` to all subscribers, sealed if the cluster uses keys. `seq` is the position of this node's log that
/// the header tells, for messages that have one.
void publish(Context& context, proto::Body body, std::uint64_t seq = 0);

}  // namespace muster::cluster
