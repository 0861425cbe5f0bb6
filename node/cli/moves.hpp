// How many workers each node sends to which other node, so that all have about the same number.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::cli {

struct Moves {
    NodeInfo from;
    NodeInfo to;
    std::uint64_t workers = 0;

    bool operator==(const Moves&) const = default;
};

/// The fewest moves after which the numbers of workers at the nodes that take them differ by at most one. A node takes
/// workers if it is alive, has an address and does not drain.
std::vector<Moves> balanced(std::vector<NodeInfo> nodes);

}  // namespace muster::cli
