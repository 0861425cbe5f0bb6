// Runs of member numbers, as joins have them in messages.
#pragma once

#include <set>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// The numbers of all runs, in order; at most limits::kMembersPerCall.
std::vector<MemberNumber> expand(const std::vector<proto::NumberRun>& runs);

/// Whether the reply has one run of members for each join, in order.
bool has_run_for_each(const proto::RejoinRequest& request, const proto::JoinReply& reply);

/// As few runs as possible.
std::vector<proto::NumberRun> runs_of(const std::set<MemberNumber>& numbers);

}  // namespace muster::client
