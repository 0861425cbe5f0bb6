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

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/peers.hpp"
#include "cluster/replica.hpp"
#include "cluster/snapshot.hpp"

namespace muster::cluster {

class Replicator {
public:
    Replicator(Context& context, Peers& peers);

    [[nodiscard]] const Replica& own() const { return *own_; }
    [[nodiscard]] const GroupIndex& groups() const { return groups_; }
    /// A change of this node's own members: applied now, published at the next flush.
    void commit(proto::Delta delta);
    void adopt(Incarnation incarnation) { own_->adopt(incarnation); }

    void deltas(proto::Deltas deltas);
    /// The origin's log stands at `seq`, its table then having this digest.
    void heard_position(const NodeId& origin, Seq seq, std::uint64_t digest);
    /// The origin's log stands at least at `seq`.
    void heard_position(const NodeId& origin, Seq seq);
    /// A first meeting: a table not shown yet is shown when it has this much.
    void greeted(const NodeId& origin, Seq seq);
    void pull(const proto::Pull& pull, const std::string& from);
    void chunk(proto::SnapshotChunk chunk, const std::string& from);
    void chunk_acked(const proto::SnapshotAck& ack, const std::string& from);

    void on(const Transition& transition);
    void tick();
    /// Publishes what was committed and sends the pulls that are due.
    void flush();
    [[nodiscard]] bool wants_flush() const;

    /// What lookups, watchers and views may see: this node's table first, then by name.
    void for_each_shown(const std::function<void(const Replica&)>& visit) const;
    [[nodiscard]] const Replica* shown(const std::string& node) const;
    [[nodiscard]] Seq applied(const std::string& node) const;
    /// Up to date with all that is known of every live node.
    [[nodiscard]] bool is_synced() const;
    /// Changes of shown tables since the last call, in order.
    std::vector<Merge> take_merges();

    void check() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Copy {
        std::unique_ptr<Replica> replica;
        bool shown = false;
        bool live = false;
        Seq reveal_at;  // not shown before this much is applied
        Seq known;      // highest position heard of
        std::map<Seq, proto::Delta> early;
        bool wants_snapshot = false;
        std::optional<SnapshotReceiver> incoming;
        Instant pull_due = kNever;
        unsigned tries = 0;
    };

    Copy* find(const NodeId& origin);
    void apply(Copy& copy, proto::Delta delta);
    void drain_early(Copy& copy);
    void settle(Copy& copy);
    void reveal(Copy& copy);
    void hide(Copy& copy, Reason reason);
    void want(Copy& copy, Seq position);
    void send_pull(Copy& copy);
    void send_deltas(const Replica& replica, Seq have, const std::string& to);
    void send_snapshot(const Replica& replica, const std::string& to);
    void pump(const std::string& to, SnapshotSender& sender);
    void publish_committed();
    [[nodiscard]] std::vector<proto::Delta> cut(const Replica& replica, Seq& from) const;

    Context& ctx_;
    Peers& peers_;
    GroupIndex groups_;
    std::unique_ptr<Replica> own_;
    Seq published_;
    std::map<std::string, Copy> copies_;
    std::map<std::pair<std::string, std::string>, SnapshotSender> senders_;  // by (to, about)
    std::vector<Merge> merges_;
};

}  // namespace muster::cluster
