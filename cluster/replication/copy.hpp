// One other node's table, as far as this node has it. PROTOCOL.md, "Replication" and "Snapshots".
//
// The origin's deltas are applied in order, each once. Every sign that the origin has more deltas than are applied here
// (a later delta, a heartbeat, a hello, another node's answer) starts a repair: pulls that are repeated until the copy
// has all that is known.
//
// An origin cannot make its copies cost more than Bounds and limits.hpp allow. A delta that breaks the rules of a log
// (too many members in one frame, numbers that are not new) is refused, and the table is wrong: a snapshot replaces it.
// A table that is too large is not followed: it is dropped and hidden, and asked for once a minute until it fits. What
// does not fit into the work of one turn waits for the next, within the bounds of early deltas.
//
// Lookups, watchers and notifications see the table only while it is shown: its origin is live, and the table has
// caught up with the position that the origin had when it came up. Otherwise members that left during a split would
// reappear for a moment after it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/base/context.hpp"
#include "cluster/base/memory_size.hpp"
#include "cluster/replication/snapshot.hpp"
#include "cluster/replication/sync_progress.hpp"
#include "cluster/tables/replica.hpp"

namespace muster::cluster {

class Copy {
public:
    /// What all copies of a node share.
    struct Shared {
        Context& ctx;
        GroupUpdates& updates;
        Replica::Setup setup;
        Instant next_pull = kNever;   // no pull of any copy is due before
        std::uint64_t work = 0;       // done in this turn, of Bounds::table_work
        std::uint64_t last_work = 0;  // the latest piece of it
        std::size_t early_bytes = 0;  // of all copies
        std::size_t copies = 0;
        bool has_backlog = false;                        // what did not fit a turn waits at some copy, or in `retired`
        std::deque<std::shared_ptr<Replica>> retired{};  // tables that are no copy's any more, and end in pieces
        [[nodiscard]] std::uint64_t work_left() const {
            return setup.bounds.table_work - std::min(work, setup.bounds.table_work);
        }
        void did(std::uint64_t piece) {
            if (piece > 0) work += last_work = piece;
        }
        /// Hides a table that is used no more, and frees it, in pieces if it is large.
        void retire(std::shared_ptr<Replica> table, Reason reason);
        /// A piece of that, in the work that is left of this turn.
        void work_off_retired();
        /// Hides the tables of earlier lives of a node at once: the link to it is one to its next life by now, and
        /// members that are still shown would be taken for members of that.
        void hide_retired(const std::string& node);
    };
    /// A chunk of a snapshot that is due.
    struct DueChunk {
        proto::SnapshotChunk chunk;
        Seq position;
        std::string from;
    };

    /// An empty table of `origin`, not shown.
    Copy(Shared& shared, const NodeId& origin)
        : shared_(shared), replica_(std::make_shared<Replica>(origin, shared.setup)) {
        ++shared_.copies;
    }
    ~Copy() {
        shared_.retire(std::move(replica_), Reason::node_down);
        drop_incoming();
        --shared_.copies;
        shared_.early_bytes -= early_bytes_;
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    [[nodiscard]] const NodeId& origin() const { return replica_->id(); }
    /// The table that lookups see. It is replaced when a snapshot is complete.
    [[nodiscard]] const std::shared_ptr<Replica>& replica() const { return replica_; }
    [[nodiscard]] bool is_live() const { return live_; }
    /// The highest position that anybody has said the origin's log has.
    [[nodiscard]] Seq known() const { return known_; }

    /// The origin is believed alive (again), and its log has at least `position`. With keys, `position` may come from
    /// another node, so the table is not shown before the origin itself has confirmed one.
    void origin_up(Seq position);
    /// The origin is down or has left. The table is kept, hidden.
    void origin_gone(Reason reason);

    /// The origin's log has at least `position`.
    void learn_position(Seq position);
    /// The origin's log has `position`, and its table then has this digest. If the table here has the same position and
    /// another digest, it is wrong: only a snapshot repairs it. Only the origin itself says this, so it ends pulls for
    /// what does not exist.
    void learn_digest(Seq position, std::uint64_t digest);
    /// Hello or welcome: the origin's log has `position`. A table that is not shown yet is shown only with it.
    void greet(Seq position);
    /// The origin itself has said that its log has `position`. The first time since `origin_up`, that position is what
    /// the table must have to be shown.
    void confirm_position(Seq position);

    /// Applies the deltas that are next, as far as the work of this turn allows. Keeps the others up to the bounds of
    /// early deltas.
    void apply(proto::Deltas deltas);
    /// Takes a chunk that `from` cut when the log had `position`. Returns the acknowledgement, or nothing if the chunk
    /// is not the expected one. The caller sends the acknowledgement and then calls `use_snapshot`.
    std::optional<proto::SnapshotAck> take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    /// Once all chunks are here: applies the deltas that were kept, and replaces the table if it has caught up.
    void use_snapshot();

    /// Keeps a chunk if this turn's work is done, or if chunks before it are missing, which may come by another relay.
    /// Returns whether it did, or dropped the chunk.
    bool postpone(proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    /// Something waits that did not fit a turn.
    [[nodiscard]] bool has_backlog() { return is_waiting() || !replica_->is_settled(); }
    /// Shows or hides a part of the table, as far as the work of this turn allows.
    void settle();
    /// The first waiting chunk that can be taken. It does not wait any more.
    std::optional<DueChunk> next_chunk();
    /// Applies a part of the deltas that wait.
    void apply_waiting();

    /// When the next pull is due; kNever while nothing is missing.
    [[nodiscard]] Instant pull_due() const { return pull_due_; }
    /// True for every other pull while pulls have no effect: this one should not go directly to the origin.
    [[nodiscard]] bool needs_another_way() const { return pulls_in_vain_ % 2 == 1; }
    /// Returns the pull that is due, and schedules its repetition.
    proto::Pull next_pull();

    /// Adds this table to `progress`.
    void add_to(SyncProgress& progress) const;
    void check() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct ChunkId {
        Seq as_of;
        std::uint64_t index = 0;
        std::string from;
        bool operator==(const ChunkId&) const = default;
    };
    /// A chunk that waits for a turn or for those before it: encoded, because decoded it takes many times as much,
    /// and what was sent at once must fit.
    struct WaitingChunk {
        ChunkId id;
        Seq position;
        std::string bytes;
        [[nodiscard]] std::size_t memory() const { return sizeof(*this) + bytes.capacity() + kAllocation; }
    };
    using Chunks = std::deque<WaitingChunk>;

    /// The table that the next delta is for: a snapshot whose chunks are all there, or else the table in use.
    [[nodiscard]] Replica& target();
    /// The table is wrong and needs a snapshot: until its chunks are here, deltas are kept and not applied.
    [[nodiscard]] bool is_frozen() const { return is_wrong_ && !(incoming_ && incoming_->is_complete()); }
    /// Deltas or chunks wait for a turn.
    [[nodiscard]] bool is_waiting() { return due_chunk() != chunks_.end() || (can_apply_early() && !is_frozen()); }
    [[nodiscard]] bool has_work_left() const;
    [[nodiscard]] bool can_apply_early() const {
        const Replica& table = is_snapshot_next() ? incoming_->table() : *replica_;
        return !early_.empty() && early_.begin()->first <= table.applied().next();
    }
    [[nodiscard]] bool is_snapshot_next() const { return incoming_ && incoming_->is_complete(); }
    /// Returns false if the delta is refused.
    bool apply_next(const proto::Delta& delta);
    void apply_early(std::uint64_t work);
    /// Moves the delta if there is room for it.
    void keep(Seq seq, proto::Delta& delta);
    void drop_early(Seq up_to);
    void drop_early_beyond(Seq position);
    proto::Delta drop_early(std::map<Seq, proto::Delta>::iterator at);
    /// Whether early deltas and waiting chunks may take so many more bytes.
    [[nodiscard]] bool has_room(std::size_t bytes) const;
    /// The bound that a table of this origin with `more` would exceed, in words; nullptr if there is none.
    [[nodiscard]] const char* why_too_large(const Replica& table, Replica::Size more) const;
    /// The deltas break the rules of a log.
    void refuse_deltas();
    /// The table is too large: drops it, and asks for it again later.
    void unfollow(const char* why);
    /// Puts the snapshot in the place of the table, once it has caught up with its last chunk.
    void replace_if_caught_up();
    /// Position, liveness or table have changed: shows the table if it may be, starts or ends the repair.
    void reconsider();
    void show_if_due();
    void schedule_pull(Instant due);
    /// Chunks before this one are missing.
    [[nodiscard]] bool is_early(const ChunkId& chunk) const;
    [[nodiscard]] Chunks::iterator due_chunk();
    WaitingChunk take_out(const Chunks::iterator& at);
    void drop_incoming();
    void end_snapshot();

    Shared& shared_;
    std::shared_ptr<Replica> replica_;
    Seq known_;
    std::map<Seq, proto::Delta> early_;         // beyond a gap
    std::optional<SnapshotReceiver> incoming_;  // only during a repair
    Chunks chunks_;
    std::size_t early_bytes_ = 0;  // of early_ and chunks_, in memory
    bool is_wrong_ = false;        // its digest is not the origin's, or a delta was refused
    bool is_followed_ = true;      // or else it is too large, hidden and empty

    bool live_ = false;
    bool position_confirmed_ = true;
    Seq show_at_;  // not shown before this position is applied

    // The repair.
    Instant pull_due_ = kNever;
    Instant behind_since_ = kNever;
    unsigned pulls_in_vain_ = 0;  // since the last chunk, or since the repair began
    unsigned restarts_ = 0;       // of snapshots, since the last one that was used
};

}  // namespace muster::cluster
