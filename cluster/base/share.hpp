// Bounds of what several may fill: each alone, and all together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace muster::cluster {

/// One may have `each`. When all together have `all`, only those that have less than an equal share of it get more. So
/// one that takes much leaves the others room, and all together never have more than twice `all`.
struct Share {
    std::uint64_t each = 0;
    std::uint64_t all = 0;

    /// Whether one may have `wanted` while the others together have `others`. There are `sharers`, this one included.
    [[nodiscard]] bool allows(std::uint64_t wanted, std::uint64_t others, std::size_t sharers) const {
        return wanted <= each && (wanted + others <= all || wanted <= all / sharers);
    }
    /// An eighth less: what an origin allows itself, so that nodes that count a little more do not refuse its table.
    [[nodiscard]] Share for_owner() const { return {each - each / 8, all - all / 8}; }
};

}  // namespace muster::cluster
