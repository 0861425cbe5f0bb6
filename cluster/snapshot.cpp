#include "cluster/snapshot.hpp"

#include <algorithm>
#include <utility>

#include "cluster/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

std::vector<proto::SnapshotChunk> cut_snapshot(const Replica& replica) {
    std::vector<proto::SnapshotChunk> chunks;
    std::size_t size = 0;
    const auto begin_chunk = [&] {
        chunks.push_back({replica.id(), replica.applied(), replica.digest(), chunks.size(), 0, {}});
        size = 0;
    };
    begin_chunk();
    for (auto& group : replica.table()) {
        bool begun = false;  // in this chunk
        for (auto& run : group.joins) {
            if (size > limits::kChunkBytes) {
                begin_chunk();
                begun = false;
            }
            auto& groups = chunks.back().groups;
            if (!std::exchange(begun, true)) {
                groups.push_back({group.group, {}});
                size += kWireOverhead + wire_size(group.group);
            }
            size += wire_size(run);
            groups.back().joins.push_back(std::move(run));
        }
    }
    for (auto& chunk : chunks) chunk.count = chunks.size();
    return chunks;
}

void SnapshotSender::acked(const proto::SnapshotAck& ack, Instant now) {
    if (ack.as_of != as_of_ || ack.next <= acked_ || ack.next > sent_) return;
    acked_ = ack.next;
    moved_ = now;
}

std::optional<proto::SnapshotChunk> SnapshotSender::next() {
    if (sent_ >= chunks_.size() || sent_ >= acked_ + kWindow) return std::nullopt;
    return std::move(chunks_[sent_++]);
}

bool SnapshotReceiver::take(proto::SnapshotChunk chunk) {
    if (chunk.index == 0 && chunk.as_of >= as_of_) {
        *this = {};
        as_of_ = chunk.as_of;
        digest_ = chunk.digest;
        count_ = chunk.count;
    }
    if (chunk.as_of != as_of_ || chunk.index != next_ || next_ >= count_) return false;
    ++next_;
    std::move(chunk.groups.begin(), chunk.groups.end(), std::back_inserter(table_));
    return true;
}

}  // namespace muster::cluster
