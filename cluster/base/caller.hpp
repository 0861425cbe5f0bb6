// Callers of the core and their results; owners of members.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "cluster/action.hpp"

namespace muster::cluster {

/// Identifies a request of a worker: its session, and the number that the worker gave it.
struct SessionRequest {
    SessionToken token;
    std::uint64_t number = 0;

    auto operator<=>(const SessionRequest&) const = default;
};

/// A call from inside the process, or a worker's request.
using Caller = std::variant<CallId, SessionRequest>;
/// What a caller gets in the end.
using CallResult = decltype(Answer::result);

/// Results that a part of the core collects, for Core to deliver.
using Answers = std::vector<std::pair<Caller, CallResult>>;

/// The owner of members at this node: a handler inside the process, or a worker's session.
using Owner = std::variant<HandlerId, SessionToken>;

}  // namespace muster::cluster
