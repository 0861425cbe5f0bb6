// A whole table in chunks, as of one position of its log: cut at the side that
// has it, put together at the side that asked. PROTOCOL.md, "Snapshots".
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/replica.hpp"
#include "cluster/time.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Cuts a replica's table into chunks, never empty in number. The chunks stand
/// for one moment: what joins later comes as deltas.
std::vector<proto::SnapshotChunk> cut_snapshot(const Replica& replica);

/// A snapshot on its way out: at most kWindow chunks are unacknowledged.
class SnapshotSender {
public:
    static constexpr std::uint64_t kWindow = 4;

    SnapshotSender(std::vector<proto::SnapshotChunk> chunks, Instant now)
        : chunks_(std::move(chunks)), as_of_(chunks_.front().as_of), moved_(now) {}

    /// Takes an acknowledgement; chunks before `next` have arrived.
    void acked(const proto::SnapshotAck& ack, Instant now);
    /// The next chunk that may go now, if any.
    std::optional<proto::SnapshotChunk> next();
    [[nodiscard]] bool is_done() const { return acked_ == chunks_.size(); }
    [[nodiscard]] Instant moved() const { return moved_; }

private:
    std::vector<proto::SnapshotChunk> chunks_;  // those sent are moved out
    Seq as_of_;
    std::uint64_t sent_ = 0;
    std::uint64_t acked_ = 0;
    Instant moved_;
};

/// A snapshot on its way in: chunks in order, of one and the same moment.
class SnapshotReceiver {
public:
    /// False when the chunk is not the next one of this snapshot (or the first of a newer).
    bool take(proto::SnapshotChunk chunk);
    [[nodiscard]] bool is_complete() const { return count_ > 0 && next_ == count_; }
    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] Seq as_of() const { return as_of_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    [[nodiscard]] const std::vector<proto::GroupRuns>& table() const { return table_; }

private:
    Seq as_of_;
    std::uint64_t digest_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t count_ = 0;
    std::vector<proto::GroupRuns> table_;
};

}  // namespace muster::cluster
