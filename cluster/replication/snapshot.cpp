#include "cluster/replication/snapshot.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMostOthers = 65536;  // groups of other tables that are passed over for one chunk

}  // namespace

bool SnapshotSender::acked(const proto::SnapshotAck& ack) {
    if (ack.as_of != as_of_ || ack.next <= acked_ || ack.next > sent_) return false;
    acked_ = ack.next;
    return true;
}

std::optional<proto::SnapshotChunk> SnapshotSender::next(const Replica& replica) {
    if (count_ > 0 || sent_ >= acked_ + kWindow) return std::nullopt;
    proto::SnapshotChunk chunk{about_, as_of_, replica.digest(), sent_++, 0, {}, replica.member_count()};
    if (fill(replica, chunk)) chunk.count = count_ = sent_;
    return chunk;
}

bool SnapshotSender::fill(const Replica& replica, proto::SnapshotChunk& chunk) {
    const GroupIndex& index = replica.index();
    // A number may pass to another group while the snapshot is cut. All members of that group have joined since, with
    // higher numbers than `member_`: it does no harm if chunks have them or not.
    std::size_t others = 0;
    for (size_ = 0, members_ = 0; group_ < index.limit(); ++group_, member_ = {}) {
        const MemberList* members = replica.find(group_);
        if (!members && ++others == kMostOthers) return false;
        if (!members) continue;
        if (size_ > chunk_bytes_ || members_ + limits::kMembersPerCall > limits::kMembersPerFrame) return false;
        auto& part = chunk.groups.emplace_back();
        part.group = index.name(group_);
        size_ += kWireOverhead + wire_size(part.group);
        if (!fill(replica, *members, part)) return false;
    }
    return true;
}

bool SnapshotSender::fill(const Replica& replica, const MemberList& members, proto::GroupRuns& part) {
    bool whole = true;
    members.for_each_run_from(member_, [&](const Run& run) {
        for (std::uint64_t left = run.count; left > 0;) {
            const MemberNumber first = run.first.plus(run.count - left);
            const auto count = std::min<std::uint64_t>(left, limits::kMembersPerCall);
            const bool is_full = size_ > chunk_bytes_ || members_ + count > limits::kMembersPerFrame;
            if (is_full && !part.joins.empty()) {
                member_ = first;
                return whole = false;
            }
            const OwnerTable& owners = replica.owners();
            part.joins.push_back({first, count, owners.worker(run.tag), owners.meta(run.tag)});
            size_ += wire_size(part.joins.back());
            members_ += count;
            left -= count;
        }
        return true;
    });
    return whole;
}

bool SnapshotReceiver::take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    const bool last = chunk.count > 0;
    if (complete_ || from != from_ || chunk.as_of != as_of_ || chunk.index != next_ || position < as_of_) return false;
    if (last && chunk.count != chunk.index + 1) return false;
    ++next_;
    members_ = chunk.members;
    for (const auto& part : chunk.groups) {
        broken_ = !table_->add(part);
        if (broken_) return true;
    }
    if (last) {
        complete_ = true;
        end_ = position;
        digest_ = chunk.digest;
    }
    return true;
}

}  // namespace muster::cluster
