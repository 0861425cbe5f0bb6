// How much of the other nodes' tables a node has: for its status, its log, and workers that it turns away.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/time.hpp"

namespace muster::cluster {

struct SyncProgress {
    std::uint64_t tables = 0;    // of nodes that are alive
    std::uint64_t complete = 0;  // of these tables
    std::uint64_t present = 0;   // members that are here; in a table that is repaired by deltas, deltas
    std::uint64_t expected = 0;  // members (or deltas) of all tables, as far as the other nodes have said

    [[nodiscard]] bool is_complete() const { return complete == tables; }
    /// Adds a table of which `has` of `of` members (or deltas) are here. `of` is what another node claims, so it is
    /// limited: the sums cannot overflow.
    void add(bool is_complete, std::uint64_t has, std::uint64_t of);
};

/// "31 %: 1240 of 4000 members, 3 of 5 tables"
std::string to_text(const SyncProgress& progress);
/// The same, with how long it has taken so far, and how long the rest will take at that pace.
std::string to_text(const SyncProgress& progress, Duration elapsed);

}  // namespace muster::cluster
