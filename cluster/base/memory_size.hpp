// Estimates of the memory that records take once they are decoded, which is many times their size on the wire.
#pragma once

#include <cstddef>

#include "proto/messages.hpp"

namespace muster::cluster {

inline constexpr std::size_t kAllocation = 16;  // what the allocator adds to a block
inline constexpr std::size_t kMapNode = 48;     // of a std::map, without its value

inline std::size_t memory_of(const std::string& text) {
    return text.capacity() < sizeof(std::string) / 2 ? 0 : text.capacity() + kAllocation;
}
inline std::size_t memory_of(const Meta& meta) {
    std::size_t size = 0;
    for (const auto& [key, value] : meta)
        size += kMapNode + 2 * sizeof(std::string) + memory_of(key) + memory_of(value);
    return size;
}
inline std::size_t memory_of(const Group& group) {
    return memory_of(group.store) + memory_of(group.feature);
}
inline std::size_t memory_of(const std::vector<proto::JoinRun>& joins) {
    std::size_t size = joins.capacity() * sizeof(proto::JoinRun);
    for (const auto& run : joins) size += memory_of(run.worker) + memory_of(run.meta);
    return size + kAllocation;
}
inline std::size_t memory_of(const proto::Delta& delta) {
    std::size_t size = kAllocation + delta.changes.capacity() * sizeof(proto::GroupDelta);
    for (const auto& change : delta.changes)
        size += memory_of(change.group) + memory_of(change.joins) + kAllocation +
                change.leaves.capacity() * sizeof(proto::NumberRun);
    return size;
}

}  // namespace muster::cluster
