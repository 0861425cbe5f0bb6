// One other node's table, as far as this node has it. PROTOCOL.md, "Replication" and "Snapshots".
//
// The origin's deltas are applied in order, each once. Every sign that the origin has more deltas than are applied here
// (a later delta, a heartbeat, a hello, another node's answer) starts a repair: pulls that are repeated until the copy
// has all that is known.
//
// Lookups, watchers and notifications see the table only while it is shown: its origin is live, and the table has
// caught up with the position that the origin had when it came up. Otherwise members that left during a split would
// reappear for a moment after it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/base/context.hpp"
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
        Instant next_pull = kNever;  // no pull of any copy is due before
    };

    /// An empty table of `origin`, not shown.
    Copy(Shared& shared, const NodeId& origin)
        : shared_(shared), replica_(std::make_shared<Replica>(origin, shared.setup)) {}

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
    /// another digest, it is wrong: only a snapshot repairs it.
    void learn_digest(Seq position, std::uint64_t digest);
    /// Hello or welcome: the origin's log has `position`. A table that is not shown yet is shown only with it.
    void greet(Seq position);
    /// The origin itself has said that its log has `position`. The first time since `origin_up`, that position is what
    /// the table must have to be shown.
    void confirm_position(Seq position);

    /// Applies the deltas that are next, and keeps those beyond a gap up to Bounds::early_deltas.
    void apply(proto::Deltas deltas);
    /// Takes a chunk that `from` cut when the log had `position`. Returns the acknowledgement, or nothing if the chunk
    /// is not the expected one. The caller sends the acknowledgement and then calls `use_snapshot`.
    std::optional<proto::SnapshotAck> take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    /// Once all chunks are here: applies the deltas that were kept, and replaces the table if it has caught up.
    void use_snapshot();

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
    /// The table that the next delta is for: a snapshot whose chunks are all there, or else the table in use.
    [[nodiscard]] Replica& target();
    /// The table is wrong and needs a snapshot: until its chunks are here, deltas are kept and not applied.
    [[nodiscard]] bool is_frozen() const { return is_wrong_ && !(incoming_ && incoming_->is_complete()); }
    void apply_next(const proto::Delta& delta);
    void apply_early();
    /// Puts the snapshot in the place of the table, once it has caught up with its last chunk.
    void replace_if_caught_up();
    /// Position, liveness or table have changed: shows the table if it may be, starts or ends the repair.
    void reconsider();
    void show_if_due();
    void schedule_pull(Instant due);

    Shared& shared_;
    std::shared_ptr<Replica> replica_;
    Seq known_;
    std::map<Seq, proto::Delta> early_;         // beyond a gap
    std::optional<SnapshotReceiver> incoming_;  // only during a repair
    bool is_wrong_ = false;                     // its digest is not the origin's

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
