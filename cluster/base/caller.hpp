// Who asked for something, and what it is told in the end.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "cluster/action.hpp"

namespace muster::cluster {

/// A request within a worker's session.
struct SessionRequest {
    SessionToken token;
    std::uint64_t number = 0;

    auto operator<=>(const SessionRequest&) const = default;
};

using Caller = std::variant<CallId, SessionRequest>;
using CallResult = decltype(Answer::result);

/// Answers found by a part of the core, for the core to hand out.
using Answers = std::vector<std::pair<Caller, CallResult>>;

/// Owner of members at this node.
using Owner = std::variant<HandlerId, SessionToken>;

}  // namespace muster::cluster
