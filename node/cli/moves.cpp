#include "node/cli/moves.hpp"

#include <algorithm>

namespace muster::cli {

std::vector<Moves> balanced(std::vector<NodeInfo> nodes) {
    std::erase_if(nodes, [](const NodeInfo& node) {
        return node.state != NodeState::alive || node.address.empty() || node.draining;
    });
    if (nodes.empty()) return {};
    std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.workers > b.workers; });
    std::uint64_t all = 0;
    for (const auto& node : nodes) all += node.workers;
    // Of the remainder, one each goes to the nodes that have the most, so that these give the least.
    const auto share = [&](std::size_t at) { return all / nodes.size() + (at < all % nodes.size() ? 1 : 0); };
    std::vector<Moves> moves;
    std::size_t to = nodes.size() - 1;
    for (std::size_t from = 0; from < to; ++from) {
        while (from < to && nodes[from].workers > share(from)) {
            const auto room = share(to) - std::min(share(to), nodes[to].workers);
            const auto workers = std::min(room, nodes[from].workers - share(from));
            if (workers > 0) moves.push_back({nodes[from], nodes[to], workers});
            nodes[from].workers -= workers;
            nodes[to].workers += workers;
            if (nodes[to].workers >= share(to)) --to;
        }
    }
    return moves;
}

}  // namespace muster::cli
