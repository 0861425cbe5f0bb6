// The one order that decides every conflict about a node. PROTOCOL.md, "What is known of a node".
//
//   alive(i, r) < down(i, r) < alive(i, r+1) < down(i, r+1) < … < left(i) < alive(i+1, 0) < …
//
// i is the incarnation: one life of the node. r is the refutation: how often the node denied its death in this life. A
// node that learns of its own death takes r+1, so a death is never final while the process lives. `left` is final for
// its incarnation. `suspect` has no place in the order: it is one node's doubt about an alive(i, r), which other nodes
// neither adopt nor forward.
//
// Nodes keep the maximum of the records that they have seen. So the order in which records arrive, and how often, does
// not matter, and nodes that exchange records come to believe the same.
#pragma once

#include <compare>
#include <tuple>

#include "proto/messages.hpp"

namespace muster::cluster {

inline auto precedence(const proto::PeerRecord& record) {
    return std::tuple(record.id.incarnation, record.state == NodeState::left, record.refutation,
                      record.state == NodeState::down);
}

/// Whether `news` replaces `known`. An equal record does not.
inline bool overrides(const proto::PeerRecord& news, const proto::PeerRecord& known) {
    return precedence(news) > precedence(known);
}

}  // namespace muster::cluster
