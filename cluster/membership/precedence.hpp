// The one order that decides every conflict about a node.
//
//   alive(i, r) < down(i, r) < alive(i, r+1) < down(i, r+1) < … < left(i) < alive(i+1, 0) < …
//
// i: incarnation, one life of the node; r: how often it denied its death in it.
// A node that is told of its own death takes r+1 and lives on. `suspect` has no
// place of its own: it is one node's doubt about an alive(i, r), and is neither
// merged nor passed on as a fact.
#pragma once

#include <compare>
#include <tuple>

#include "proto/messages.hpp"

namespace muster::cluster {

inline auto precedence(const proto::PeerRecord& record) {
    return std::tuple(record.id.incarnation, record.state == NodeState::left, record.refutation,
                      record.state == NodeState::down);
}

/// Whether `news` decides over `known`. Equal news is no news.
inline bool overrides(const proto::PeerRecord& news, const proto::PeerRecord& known) {
    return precedence(news) > precedence(known);
}

}  // namespace muster::cluster
