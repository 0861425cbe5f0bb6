// How far the worker has come in one group: what it asks to be replayed at another node begins there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// Pure. PROTOCOL.md, "Handover": for each node whose notifications the group got, the highest group_seq. It keeps the
/// 1024 nodes that were heard last.
class Positions {
public:
    static constexpr std::size_t kMost = 1024;

    Positions() = default;
    Positions(const Positions&) = delete;
    Positions& operator=(const Positions&) = delete;

    /// A notification was accepted. group_seq 0, of an older node, is ignored.
    void advance(const NodeId& from_node, std::uint64_t group_seq);
    [[nodiscard]] std::vector<proto::RejoinRequest::Position> list() const;

private:
    struct Position {
        std::uint64_t group_seq = 0;
        std::uint64_t turn = 0;  // when it advanced last
    };
    using Nodes = std::map<NodeId, Position>;

    Nodes::iterator find(const NodeId& from_node);

    Nodes nodes_;
    Nodes::iterator last_ = nodes_.end();  // most notifications come from the same node as the one before
    std::uint64_t turn_ = 0;
};

}  // namespace muster::client
