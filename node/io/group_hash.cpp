#include "node/io/group_hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace muster::node {

std::uint64_t group_hash(const Group& group) noexcept {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // so that swapped names give another hash
    return XXH3_64bits(group.store.data(), group.store.size()) * kOdd +
           XXH3_64bits(group.feature.data(), group.feature.size());
}

}  // namespace muster::node
