// Every node's table on this node: its own, and a copy of each other. PROTOCOL.md, "Replication".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/copy.hpp"
#include "cluster/replication/own_table.hpp"
#include "cluster/replication/sync_progress.hpp"
#include "cluster/tables/replica.hpp"

namespace muster::cluster {

class Replicas {
public:
    Replicas(Context& context, Peers& peers);
    Replicas(const Replicas&) = delete;
    Replicas& operator=(const Replicas&) = delete;

    // ---- this node's own table: see OwnTable

    [[nodiscard]] const Replica& own() const { return *own_.replica(); }
    [[nodiscard]] std::optional<Error> why_full(const proto::Delta& join) const { return own_.why_full(join); }
    void commit(proto::Delta delta) { own_.commit(std::move(delta)); }
    void publish(bool force) { own_.publish(force); }
    [[nodiscard]] Instant next_publish() const { return own_.next_publish(); }
    void adopt(Incarnation incarnation) { own_.adopt(incarnation); }

    // ---- copies of others: see Copy

    /// The copy of this life of a node; nullptr if there is none.
    Copy* find(const NodeId& origin);
    void apply(proto::Deltas deltas);
    void on(const Transition& transition);
    /// Drops the copies of nodes that Peers has forgotten.
    void forget();

    /// No pull is due before.
    [[nodiscard]] Instant next_pull() const { return shared_.next_pull; }
    /// Calls `visit(Copy&)` for each live origin whose pull is due.
    template <class Visit>
    void for_each_due_pull(Visit visit) {
        if (shared_.next_pull > ctx_.now) return;
        shared_.next_pull = kNever;
        for (auto& [name, copy] : copies_) {
            if (!copy.is_live()) continue;
            if (copy.pull_due() <= ctx_.now) visit(copy);
            shared_.next_pull = std::min(shared_.next_pull, copy.pull_due());
        }
    }

    /// Something waits that did not fit a turn.
    [[nodiscard]] bool has_backlog() const { return shared_.has_backlog; }
    /// Begins a turn's work, and calls `visit(Copy&)` for the copies with a backlog by turns, until there is none or
    /// the work is done. A visit does a small part.
    template <class Visit>
    void work_off_backlog(Visit visit) {
        shared_.work = 0;
        if (std::exchange(shared_.has_backlog, false)) {
            shared_.work_off_retired();
            auto at = copies_.upper_bound(last_visited_);
            std::size_t idle = 0;  // copies in a row without a backlog
            while (idle < copies_.size() && has_work_left()) {
                if (at == copies_.end()) at = copies_.begin();
                auto& [name, copy] = *at++;
                idle = copy.has_backlog() ? 0 : idle + 1;
                if (idle > 0) continue;
                copy.settle();
                visit(copy);
                last_visited_ = name;
            }
            for (auto& [name, copy] : copies_) shared_.has_backlog = shared_.has_backlog || copy.has_backlog();
        }
        shared_.work = 0;
    }

    // ---- lookups in all tables

    [[nodiscard]] const GroupIndex& groups() const { return groups_; }
    /// For parts that hold uses of groups: owners of members, watchers.
    GroupIndex& groups() { return groups_; }
    /// What changed in shown tables.
    GroupUpdates& updates() { return updates_; }

    /// Calls `visit(const Replica&, const MemberList&)` for every shown table that has members in the group, in the
    /// order of the nodes' names. Takes one step per node with members there, shown or not.
    template <class Visit>
    void for_each_shown_in(GroupRef group, Visit visit) const {
        for (const Replica* holder : groups_.holders(group))
            if (const MemberList* members = holder->find_visible(group)) visit(*holder, *members);
    }
    /// Calls `visit(const NodeId&)` for every other node whose table is shown with all its groups, up to the latest
    /// position that this node has heard of.
    template <class Visit>
    void for_each_whole(Visit visit) const {
        for (const auto& [name, copy] : copies_)
            if (const Replica* replica = shown(name); replica && replica->applied() >= copy.known())
                visit(replica->id());
    }
    [[nodiscard]] bool has_members(const Group& group) const {
        bool has = false;
        const GroupRef ref = groups_.find(group);
        if (ref != kNoGroup) for_each_shown_in(ref, [&](const Replica&, const MemberList&) { has = true; });
        return has;
    }
    /// Groups with members that are shown, and those members.
    struct Totals {
        std::uint64_t groups = 0;
        std::uint64_t members = 0;

        bool operator==(const Totals&) const = default;
    };
    /// Takes one step per node: no group is looked at.
    [[nodiscard]] Totals totals() const;
    /// The node's table if it is shown, else nullptr.
    [[nodiscard]] const Replica* shown(const std::string& node) const;
    /// The table of this life of a node, shown or not; nullptr if there is none.
    [[nodiscard]] std::shared_ptr<const Replica> table_of(const NodeId& origin) const;
    /// The position applied of a node's table; 0 without a table.
    [[nodiscard]] Seq applied(const std::string& node) const;
    /// The highest position heard of; 0 without a copy of this life.
    [[nodiscard]] Seq known(const NodeId& origin) const;
    /// How far the copies of live nodes are.
    [[nodiscard]] SyncProgress progress() const;

    void check() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    [[nodiscard]] const Copy* find(const std::string& node) const;
    [[nodiscard]] bool has_work_left() const { return shared_.work_left() > 0; }

    Context& ctx_;
    Peers& peers_;
    GroupIndex groups_;
    GroupUpdates updates_;
    Replica::Total total_;
    Copy::Shared shared_;
    OwnTable own_;
    std::map<std::string, Copy> copies_;  // by name of the node
    std::string last_visited_;            // the copy whose backlog was visited last
};

}  // namespace muster::cluster
