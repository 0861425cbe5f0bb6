// What changes of tables take, to bound what one turn does (Bounds::table_work).
#pragma once

#include <cstdint>

#include "cluster/base/wire_size.hpp"

namespace muster::cluster {

/// To make or remove a group's entry in a table, and to tell watchers. A unit is some 10 ns: about what a byte on the
/// wire or a member takes.
inline constexpr std::uint64_t kGroupWork = 512;

inline std::uint64_t work_of(const proto::Delta& delta) {
    return wire_size(delta) + members_in(delta) + delta.changes.size() * kGroupWork;
}

}  // namespace muster::cluster
