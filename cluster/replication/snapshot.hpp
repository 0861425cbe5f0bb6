// A whole table in chunks: cut one by one at the side that has it, put together
// at the side that asked. PROTOCOL.md, "Snapshots".
//
// Nobody keeps a copy of the table for it. The chunks are cut while it goes on
// changing, the groups in the order of their numbers, which a group keeps as
// long as somebody is in it: so whoever is in the table all along is in the
// chunks, whatever joins or leaves meanwhile. Who joined or left meanwhile may
// be in them or not. That does not matter, because all deltas since the first
// chunk was cut are then applied on top: a join of a number that stands and a
// leave of one that does not change nothing, and no number joins twice. The
// last chunk has the table's digest where it was cut; there the two must agree.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/tables/replica.hpp"
#include "cluster/time.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// A snapshot on its way out: at most kWindow chunks are unacknowledged.
class SnapshotSender {
public:
    static constexpr std::uint64_t kWindow = 4;

    /// `chunk_bytes`: aimed size of a chunk.
    SnapshotSender(const Replica& replica, std::size_t chunk_bytes, Instant now)
        : about_(replica.id()), as_of_(replica.applied()), chunk_bytes_(chunk_bytes), moved_(now) {}

    /// Takes an acknowledgement; chunks before `next` have arrived.
    void acked(const proto::SnapshotAck& ack, Instant now);
    /// The next chunk that may go now, if any. `replica` is always the one that it began with.
    std::optional<proto::SnapshotChunk> next(const Replica& replica);
    /// Of the chunk that was cut last, on the wire.
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool is_done() const { return count_ > 0 && acked_ == count_; }
    [[nodiscard]] const NodeId& about() const { return about_; }
    [[nodiscard]] Instant moved() const { return moved_; }

private:
    /// False when the chunk is full before the table ends.
    bool fill(const Replica& replica, proto::SnapshotChunk& chunk);
    /// False when the chunk is full before the group ends.
    bool fill(const Replica& replica, const MemberList& members, proto::GroupRuns& part);

    NodeId about_;
    Seq as_of_;
    std::size_t chunk_bytes_;
    GroupRef group_ = 0;    // the next chunk begins here
    MemberNumber member_;   // and there
    std::size_t size_ = 0;  // of the chunk that is being cut, or was last
    std::uint64_t sent_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t count_ = 0;  // 0: the last one is not cut yet
    Instant moved_;
};

/// A snapshot on its way in: chunks in order, of one sender, then deltas.
class SnapshotReceiver {
public:
    /// `table` is empty and nobody else's.
    SnapshotReceiver(std::string from, Seq as_of, std::unique_ptr<Replica> table)
        : from_(std::move(from)), as_of_(as_of), table_(std::move(table)) {
        table_->begin_at(as_of);
    }

    /// Takes a chunk of `from`, cut when the log stood at `position`. False when it is not the next one.
    bool take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    /// All chunks are there; what is missing are deltas up to `end`.
    [[nodiscard]] bool is_complete() const { return complete_; }
    /// The table is the origin's at `end`, if `digest` says so too.
    [[nodiscard]] bool is_caught_up() const { return complete_ && table_->applied() == end_; }

    [[nodiscard]] std::uint64_t next() const { return next_; }
    [[nodiscard]] Seq as_of() const { return as_of_; }
    [[nodiscard]] Seq end() const { return end_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    /// In the whole table, as the last chunk said; 0: it did not.
    [[nodiscard]] std::uint64_t members() const { return members_; }
    Replica& table() { return *table_; }
    [[nodiscard]] const Replica& table() const { return *table_; }
    std::unique_ptr<Replica> take_table() { return std::move(table_); }

private:
    std::string from_;
    Seq as_of_;
    Seq end_;
    std::uint64_t digest_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t members_ = 0;
    bool complete_ = false;
    std::unique_ptr<Replica> table_;
};

}  // namespace muster::cluster
