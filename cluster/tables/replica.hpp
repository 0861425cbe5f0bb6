// One origin's members as this node knows them. The origin's own node holds
// one too: it is the authority, every other a copy that lags behind.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <vector>

#include "cluster/options.hpp"
#include "cluster/tables/delta_log.hpp"
#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/group_index.hpp"
#include "cluster/tables/group_updates.hpp"
#include "cluster/tables/member_list.hpp"
#include "cluster/tables/owner_table.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Invariants: `applied` never goes back; the groups are the deltas 1..applied of this incarnation, applied in order
/// (but see `add`); no group is empty; digest is theirs; the index knows this table as a holder of each of them.
class Replica {
public:
    /// One group's members.
    struct Part {
        GroupRef group = kNoGroup;
        MemberList members;
    };

    /// What all replicas of a node share.
    struct Setup {
        GroupIndex& groups;
        const Bounds& bounds;
        std::uint64_t salt;  // of the owner tables
    };

    Replica(NodeId origin, const Setup& setup);
    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    [[nodiscard]] const NodeId& id() const { return id_; }
    [[nodiscard]] Seq applied() const { return applied_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    [[nodiscard]] std::uint64_t member_count() const { return member_count_; }
    [[nodiscard]] const DeltaLog& log() const { return log_; }
    [[nodiscard]] const OwnerTable& owners() const { return owners_; }
    [[nodiscard]] const GroupIndex& index() const { return index_; }

    /// Every group that has members, in no order that means anything.
    [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
    /// nullptr when nobody is in it. Stands until the next change.
    [[nodiscard]] const MemberList* find(GroupRef group) const;

    /// Whether lookups, watchers and notifications see this table. Its owner decides.
    [[nodiscard]] bool is_shown() const { return shown_; }
    void show(bool shown) { shown_ = shown; }

    /// Takes the delta numbered applied() + 1. What is told twice (a join of a number that stands, a leave of one that
    /// does not) changes nothing. `updates` may be nullptr: nobody is to know.
    void apply(const proto::Delta& delta, GroupUpdates* updates);

    /// A table that is put together from a snapshot: stands at `as_of`, and has what `add` brings beside the deltas
    /// after that. Nobody hears of it.
    void begin_at(Seq as_of);
    void add(const proto::GroupRuns& part);

    /// Every group as one merge: all joined, or all gone for `reason`.
    void tell_all(WatchEvent::Kind kind, Reason reason, GroupUpdates& updates) const;
    /// What changes for who has seen this table and now sees `next`, of the same origin.
    /// Leaves found this way have lost their reason; they are told as `left`.
    void tell_difference(const Replica& next, GroupUpdates& updates) const;

    /// Appends a run's members.
    void append_members(const Run& run, std::vector<Member>& members) const;

    /// Renames the life that this table belongs to; only while it is empty.
    void adopt(Incarnation incarnation);

    void check() const;

private:
    [[nodiscard]] std::uint32_t place_of(GroupRef group) const;
    Part& acquire(GroupRef group);
    void drop_if_empty(GroupRef group);
    void join(GroupRef group, const proto::GroupDelta& change, GroupUpdates* updates);
    void leave(GroupRef group, const proto::GroupDelta& change, GroupUpdates* updates);
    void account(GroupRef group, const Run& joined);
    [[nodiscard]] std::uint64_t weight(GroupRef group, const Run& run) const;
    void tell(GroupRef group, WatchEvent::Kind kind, Reason reason, const std::vector<Run>& runs,
              GroupUpdates& updates) const;
    void tell_watchers(GroupRef group, WatchEvent::Kind kind, Reason reason, const std::vector<Run>& runs,
                       GroupUpdates& updates) const;

    NodeId id_;
    GroupIndex& index_;
    Seq applied_;
    std::uint64_t digest_ = 0;
    std::uint64_t member_count_ = 0;
    bool shown_ = false;
    std::vector<Part> parts_;
    FlatIndex place_by_group_;
    OwnerTable owners_;
    DeltaLog log_;
    std::vector<Run> touched_;  // within one call: what watchers are to hear of
};

}  // namespace muster::cluster
