// A whole table in chunks: the sender cuts them one by one, the receiver puts them together. PROTOCOL.md, "Snapshots".
//
// The sender keeps no copy of the table: it goes on changing while the chunks are cut. Groups are cut in the order of
// their numbers in the core, members in the order of theirs. A group keeps its number while it has members, so a member
// that is in the table all the time is in exactly one chunk. A member that joins or leaves meanwhile may be in a chunk
// or not. The receiver therefore applies all deltas since the first chunk on top: a join of a number that is there and
// a leave of one that is not change nothing, and no number joins twice. The result is the table at the position of the
// last chunk, and its digest must be the one that the last chunk has.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cluster/tables/replica.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Cuts one table for one receiver. At most kWindow chunks are unacknowledged.
class SnapshotSender {
public:
    static constexpr std::uint64_t kWindow = 4;

    /// A chunk ends after the first run of members with which it is larger than `chunk_bytes`, before it has more than
    /// limits::kMembersPerFrame members, or when it took long to find groups of this table.
    SnapshotSender(const Replica& replica, std::size_t chunk_bytes)
        : about_(replica.id()), as_of_(replica.applied()), chunk_bytes_(chunk_bytes) {}

    /// Chunks before `ack.next` have arrived. Returns false, and changes nothing, if that is not new, or the
    /// acknowledgement is of another snapshot or of unsent chunks.
    bool acked(const proto::SnapshotAck& ack);
    /// Cuts the next chunk if the window has room. `replica` must be the one that the constructor was given.
    std::optional<proto::SnapshotChunk> next(const Replica& replica);
    /// Bytes on the wire of the chunk that was cut last.
    [[nodiscard]] std::size_t size() const { return size_; }
    /// The last chunk has been acknowledged.
    [[nodiscard]] bool is_done() const { return count_ > 0 && acked_ == count_; }

private:
    /// Returns false if the chunk is full before the table ends.
    bool fill(const Replica& replica, proto::SnapshotChunk& chunk);
    /// Returns false if the chunk is full before the group ends.
    bool fill(const Replica& replica, const MemberList& members, proto::GroupRuns& part);

    NodeId about_;
    Seq as_of_;
    std::size_t chunk_bytes_;
    GroupRef group_ = 0;         // the next chunk begins with this group,
    MemberNumber member_;        // and this member or the one after it
    std::size_t size_ = 0;       // of the chunk that is being cut or was cut last,
    std::uint64_t members_ = 0;  // and its members
    std::uint64_t sent_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t count_ = 0;  // of all chunks; 0 until the last one is cut
};

/// Puts a table together from the chunks of one sender, in order. Copy applies the deltas to it.
class SnapshotReceiver {
public:
    /// `table` must be empty.
    SnapshotReceiver(std::string from, Seq as_of, std::unique_ptr<Replica> table)
        : from_(std::move(from)), as_of_(as_of), table_(std::move(table)) {
        table_->begin_at(as_of);
    }

    /// Adds a chunk that `from` cut when the log had `position`. Returns false, and changes nothing, if it is not the
    /// next chunk of this snapshot.
    bool take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    /// The chunk that was taken last does not go on where the table ends.
    [[nodiscard]] bool is_broken() const { return broken_; }
    /// All chunks are there. What may be missing are deltas up to `end`.
    [[nodiscard]] bool is_complete() const { return complete_; }
    /// The deltas up to `end` are applied, too. Now the table's digest must be `digest`.
    [[nodiscard]] bool is_caught_up() const { return complete_ && table_->applied() == end_; }

    [[nodiscard]] const std::string& from() const { return from_; }
    /// The index of the next chunk.
    [[nodiscard]] std::uint64_t next() const { return next_; }
    /// The position when the first chunk was cut.
    [[nodiscard]] Seq as_of() const { return as_of_; }
    /// The position when the last chunk was cut, and the digest that the table then had. Only if complete.
    [[nodiscard]] Seq end() const { return end_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    /// Members of the whole table, according to the latest chunk; 0 if it does not say.
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
    bool broken_ = false;
    std::unique_ptr<Replica> table_;
};

}  // namespace muster::cluster
