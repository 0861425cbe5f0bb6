#include "node/client/positions.hpp"

#include <algorithm>

namespace muster::client {

void Positions::advance(const NodeId& from_node, std::uint64_t group_seq) {
    if (group_seq == 0) return;
    if (last_ == nodes_.end() || last_->first != from_node) last_ = find(from_node);
    Position& position = last_->second;
    position.group_seq = std::max(position.group_seq, group_seq);
    position.turn = ++turn_;
}

Positions::Nodes::iterator Positions::find(const NodeId& from_node) {
    const auto found = nodes_.find(from_node);
    if (found != nodes_.end()) return found;
    if (nodes_.size() == kMost)
        nodes_.erase(std::min_element(nodes_.begin(), nodes_.end(),
                                      [](const auto& a, const auto& b) { return a.second.turn < b.second.turn; }));
    return nodes_.emplace(from_node, Position{}).first;
}

std::vector<proto::RejoinRequest::Position> Positions::list() const {
    std::vector<proto::RejoinRequest::Position> list;
    for (const auto& [node, position] : nodes_) list.push_back({node, position.group_seq});
    return list;
}

}  // namespace muster::client
