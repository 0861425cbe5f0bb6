// How far a node is with the tables of the others, for whoever waits for it.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/time.hpp"

namespace muster::cluster {

struct SyncProgress {
    std::uint64_t tables = 0;  // of nodes that are alive
    std::uint64_t whole = 0;   // of these
    std::uint64_t taken = 0;   // members; where a table comes as deltas, these
    std::uint64_t known = 0;   // of so many, as far as anybody has said

    [[nodiscard]] bool is_whole() const { return whole == tables; }
    /// A table with so much of it taken; what others claim is bounded.
    void add(bool is_whole, std::uint64_t has, std::uint64_t of);
};

/// "31 %: 1240 of 4000 members, 3 of 5 tables"
std::string to_text(const SyncProgress& progress);
/// The same with how long it has taken, and how long the rest will take at that pace.
std::string to_text(const SyncProgress& progress, Duration since);

}  // namespace muster::cluster
