// Upper bounds of encoded sizes in bytes, to cut frames and to bound queues without encoding anything.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/messages.hpp"

namespace muster::cluster {

inline constexpr std::size_t kWireOverhead = 16;  // type bytes and numbers of one record
inline constexpr std::size_t kWireRun = 19;       // of a run of numbers

inline std::size_t wire_size(const Meta& meta) {
    std::size_t size = 3;
    for (const auto& [key, value] : meta) size += key.size() + value.size() + 6;
    return size;
}
inline std::size_t wire_size(const Group& group) {
    return group.store.size() + group.feature.size() + 7;
}
inline std::size_t wire_size(const proto::JoinRun& run) {
    return kWireOverhead + 9 + run.worker.size() + wire_size(run.meta);
}
inline std::size_t wire_size(const proto::GroupDelta& change) {
    std::size_t size = kWireOverhead + wire_size(change.group) + change.leaves.size() * kWireRun;
    for (const auto& run : change.joins) size += wire_size(run);
    return size;
}
inline std::size_t wire_size(const proto::Delta& delta) {
    std::size_t size = kWireOverhead;
    for (const auto& change : delta.changes) size += wire_size(change);
    return size;
}
/// How many members join and leave with it.
inline std::uint64_t members_in(const proto::Delta& delta) {
    std::uint64_t members = 0;
    for (const auto& change : delta.changes) {
        for (const auto& run : change.joins) members += run.count;
        for (const auto& run : change.leaves) members += run.count;
    }
    return members;
}
inline std::uint64_t members_in(const proto::Deltas& deltas) {
    std::uint64_t members = 0;
    for (const auto& delta : deltas.deltas) members += members_in(delta);
    return members;
}
/// A member of `node`.
inline std::size_t wire_size(const NodeId& node, const std::string& worker, const Meta& meta) {
    return 2 * kWireOverhead + node.name.size() + 18 + worker.size() + wire_size(meta);
}
inline std::size_t wire_size(const NodeInfo& node) {
    return 2 * kWireOverhead + node.id.name.size() + node.address.size();
}
inline std::size_t wire_size(const Status& status) {
    std::size_t size = 4 * kWireOverhead + wire_size(status.node) + status.scope.size();
    for (const auto& [name, count] : status.counters) size += name.size() + 11;
    for (const auto& text : status.silent_channels) size += text.size() + 3;
    return size;
}
inline std::size_t wire_size(const proto::Notice& notice) {
    return 6 * kWireOverhead + wire_size(notice.group) + notice.data.msgpack.size() + notice.from_node.name.size() +
           notice.from_worker.size();
}
inline std::size_t wire_size(const proto::NoticeReport& report) {
    return 2 * kWireOverhead + report.missed.size() * 96;
}
inline std::size_t wire_size(const proto::NoticesLost& lost) {
    return kWireOverhead + wire_size(lost.group);
}

}  // namespace muster::cluster
