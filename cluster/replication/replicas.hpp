// Every origin's table on every node: deltas out, deltas in, gaps found and
// filled. PROTOCOL.md, "Replication".
//
// Rule: an origin's deltas are applied in order and once. Whatever says that
// more exist than were applied (a delta further on, a heartbeat, news of a
// node) starts a pull, from the origin or from anyone who has them. A table is
// shown (to lookups, watchers and notifications) only while its origin is
// live, and after a return only once it has caught up with what the origin had
// then: what left during a split does not flicker back.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/snapshot.hpp"
#include "cluster/replication/sync_progress.hpp"
#include "cluster/tables/replica.hpp"

namespace muster::cluster {

class Replicas {
public:
    Replicas(Context& context, Peers& peers);

    [[nodiscard]] const Replica& own() const { return *own_; }
    [[nodiscard]] const GroupIndex& groups() const { return groups_; }
    /// For those who keep uses of groups: owners of members, watchers.
    GroupIndex& groups() { return groups_; }
    /// A change of this node's own members: applied now, published at the next flush.
    /// So many that they fill a frame are published at once.
    void commit(proto::Delta delta);
    void adopt(Incarnation incarnation) { own_->adopt(incarnation); }

    void deltas(proto::Deltas deltas);
    /// The origin's log stands at `seq`, its table then having this digest.
    void heard_position(const NodeId& origin, Seq seq, std::uint64_t digest);
    /// The origin's log stands at least at `seq`.
    void heard_position(const NodeId& origin, Seq seq);
    /// A first meeting: a table not shown yet is shown when it has this much.
    void greeted(const NodeId& origin, Seq seq);
    /// As the origin says itself, since it came to be believed alive: before, its table is not shown.
    void position_told(const NodeId& origin, Seq seq);
    void pull(const proto::Pull& pull, const std::string& from);
    /// `position`: where the log stood when the chunk was cut.
    void chunk(const proto::SnapshotChunk& chunk, Seq position, const std::string& from);
    void chunk_acked(const proto::SnapshotAck& ack, const std::string& from);

    void on(const Transition& transition);
    void tick();
    /// Publishes what was committed, if that is due or to be done at once, and sends the pulls that are due.
    void flush(bool at_once);
    [[nodiscard]] bool wants_flush() const;
    /// When what was committed is due; kNever when nothing is.
    [[nodiscard]] Instant next_publish() const { return committed_.empty() ? kNever : publish_at_; }

    /// Calls `visit(const Replica&, const MemberList&)` for every table with members in the group that lookups,
    /// watchers and notifications see, by the names of their nodes. It takes one step per node with members there.
    template <class Visit>
    void for_each_shown_in(GroupRef group, Visit visit) const {
        for (const Replica* holder : groups_.holders(group))
            if (holder->is_shown()) visit(*holder, *holder->find(group));
    }
    /// Groups with members that are shown, and those members.
    struct Totals {
        std::uint64_t groups = 0;
        std::uint64_t members = 0;
    };
    [[nodiscard]] Totals totals() const;
    [[nodiscard]] const Replica* shown(const std::string& node) const;
    [[nodiscard]] Seq applied(const std::string& node) const;
    /// The table of this life, shown or not; nullptr when there is none.
    [[nodiscard]] const Replica* table_of(const NodeId& origin) const;
    /// The highest position heard of; 0 without a table.
    [[nodiscard]] Seq known(const NodeId& origin) const;
    /// Up to date with all that is known of every live node.
    [[nodiscard]] bool is_synced() const { return progress().is_whole(); }
    /// How far it is with that.
    [[nodiscard]] SyncProgress progress() const;
    /// Changes of shown tables that nobody has taken yet.
    GroupUpdates& updates() { return updates_; }

    void check() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Copy {
        std::unique_ptr<Replica> replica;
        bool live = false;
        bool position_told = true;  // where the log stood when the origin came to be believed alive
        Seq reveal_at;              // not shown before this much is applied
        Seq known;                  // highest position heard of
        std::map<Seq, proto::Delta> early;
        bool wants_snapshot = false;  // the table is wrong, and takes no more deltas
        std::optional<SnapshotReceiver> incoming;
        Instant pull_due = kNever;
        Instant behind_since = kNever;
        unsigned tries = 0;
        unsigned begun_anew = 0;  // snapshots since the last one that was whole
    };

    Copy* find(const NodeId& origin);
    [[nodiscard]] std::unique_ptr<Replica> make_replica(const NodeId& id);
    /// What the next delta is applied to.
    static Replica& open_table(Copy& copy);
    /// Until a snapshot is there, deltas for a table that is wrong are kept and not applied.
    static bool is_frozen(const Copy& copy);
    void apply(Copy& copy, const proto::Delta& delta);
    void drain_early(Copy& copy);
    void settle(Copy& copy);
    void reveal(Copy& copy);
    void hide(Copy& copy, Reason reason);
    void want(Copy& copy, Seq position);
    void pull_at(Copy& copy, Instant due);
    void begin_snapshot(Copy& copy, Seq as_of, const std::string& from);
    /// The snapshot, once it has caught up, takes the table's place.
    void end_snapshot(Copy& copy);
    void send_pull(Copy& copy);
    void send_deltas(const Replica& replica, Seq have, const std::string& to);
    void send_snapshot(const Replica& replica, const std::string& to);
    /// False when it is over: done, or without its table.
    bool pump(const std::string& to, SnapshotSender& sender);
    void publish_committed();
    struct Cut {
        std::vector<proto::Delta> deltas;
        std::size_t size = 0;  // on the wire
    };
    [[nodiscard]] Cut cut(const Replica& replica, Seq& from) const;

    Context& ctx_;
    Peers& peers_;
    GroupIndex groups_;
    std::unique_ptr<Replica> own_;
    std::vector<proto::Delta> committed_;  // not yet published
    std::size_t committed_size_ = 0;       // on the wire
    Instant publish_at_{};                 // not before
    std::map<std::string, Copy> copies_;
    Instant next_pull_ = kNever;                                             // no pull is due before
    std::map<std::pair<std::string, std::string>, SnapshotSender> senders_;  // by (to, about)
    GroupUpdates updates_;
    std::uint64_t salt_;
};

}  // namespace muster::cluster
