#include "cluster/replication/outgoing_snapshots.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMaxSnapshots = 256;
constexpr Duration kStalledAfter = std::chrono::seconds(5);

}  // namespace

void OutgoingSnapshots::begin(const std::shared_ptr<const Replica>& table, const std::string& to) {
    const std::pair key(to, table->id().name);
    // Each chunk is sent once. A receiver that pulls again misses one, so the snapshot begins again.
    outgoing_.erase(key);
    std::erase_if(outgoing_, [](const auto& entry) { return entry.second.table.expired(); });
    if (outgoing_.size() >= kMaxSnapshots) return ctx_.count("snapshots_refused");
    ctx_.count("snapshots_sent");
    Outgoing fresh{table, SnapshotSender(*table, ctx_.options.bounds.chunk_bytes, ctx_.now)};
    send_chunks(to, outgoing_.emplace(key, std::move(fresh)).first->second);
}

bool OutgoingSnapshots::send_chunks(const std::string& to, Outgoing& outgoing) {
    auto& [weak, sender] = outgoing;
    const auto table = weak.lock();
    if (!table || sender.is_done()) return false;
    while (auto chunk = sender.next(*table)) {
        ctx_.count("repair_bytes_sent", sender.size());
        peers_.send(to, std::move(*chunk), table->applied().value);
    }
    return true;
}

void OutgoingSnapshots::acked(const proto::SnapshotAck& ack, const std::string& from) {
    const auto it = outgoing_.find({from, ack.about.name});
    if (it == outgoing_.end()) return;
    it->second.sender.acked(ack, ctx_.now);
    if (!send_chunks(from, it->second)) outgoing_.erase(it);
}

void OutgoingSnapshots::drop_stalled() {
    std::erase_if(outgoing_,
                  [&](const auto& entry) { return ctx_.now - entry.second.sender.last_progress() > kStalledAfter; });
}

std::optional<std::string> OutgoingSnapshots::over_bounds() const {
    if (outgoing_.size() > kMaxSnapshots) return "snapshot senders";
    return std::nullopt;
}

}  // namespace muster::cluster
