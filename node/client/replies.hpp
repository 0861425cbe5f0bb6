// What a node's reply means for the request that it answers.
#pragma once

#include <cstddef>
#include <optional>

#include "node/client/requests.hpp"

namespace muster::client {

/// A reply in parts with more members or groups than this has no end.
constexpr std::size_t kMostReplyItems = std::size_t{1} << 24;

/// Whether a reply of this kind can answer that request. ErrorReply answers any request.
bool fits(const Request& request, const proto::Body& reply);

/// Moves the items of a reply that comes in parts to `request.parts`. True if more parts follow.
bool take_part(Request& request, proto::Body& reply);

/// The answer to a call whose reply changes nothing in the worker. Nothing for a JoinReply or LeaveReply.
std::optional<Reply> plain_answer(Request& request, proto::Body& reply);

}  // namespace muster::client
