// The requests with which a new session joins again what the one before had joined.
#pragma once

#include <vector>

#include "node/client/requests.hpp"
#include "node/client/roster.hpp"
#include "node/client/time.hpp"

namespace muster::client {

/// The last session in which all members were joined.
struct Former {
    NodeId node;        // where it was
    Instant lost_at{};  // when its connection was lost
};

/// PROTOCOL.md, "Handover": one RejoinRequest for each group with absent members, in the order of the first joins. A
/// group whose joins do not fit one frame, or are more than one call may have, takes several. Each has all positions.
std::vector<Request> handover_requests(const Roster& roster);
/// For a node that does not take RejoinRequest: one JoinRequest for each join.
std::vector<Request> join_requests(const Roster& roster);

/// Sets what a RejoinRequest says of times, which count from `now`. Leaves other requests as they are.
void set_times(proto::Body& request, const Rejoin& rejoin, const Roster& roster, const Former& former, Instant now);

}  // namespace muster::client
