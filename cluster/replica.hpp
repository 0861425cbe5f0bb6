// One origin's members as this node knows them. The origin's own node holds
// one too: it is the authority, every other a copy that lags behind.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <map>
#include <vector>

#include "cluster/delta_log.hpp"
#include "cluster/group_index.hpp"
#include "cluster/member_list.hpp"
#include "cluster/options.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// What a merge has changed in one group: what watchers hear, and all they hear.
struct Merge {
    Group group;
    WatchEvent::Kind kind = WatchEvent::Kind::join;
    Reason reason = Reason::left;  // of a leave
    std::vector<Member> members;
};

/// Invariants: `applied` never goes back; the groups are the deltas 1..applied
/// of this incarnation, applied in order; no group is empty; digest is theirs.
class Replica {
public:
    Replica(NodeId origin, GroupIndex& groups, const Bounds& bounds);
    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    [[nodiscard]] const NodeId& id() const { return id_; }
    [[nodiscard]] Seq applied() const { return applied_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    [[nodiscard]] std::uint64_t member_count() const { return member_count_; }
    [[nodiscard]] const DeltaLog& log() const { return log_; }
    [[nodiscard]] const std::map<GroupRef, MemberList>& groups() const { return groups_; }
    [[nodiscard]] const OwnerTable& owners() const { return owners_; }

    /// Takes the delta numbered applied() + 1. What is told twice (a join of a
    /// number that stands, a leave of one that does not) changes nothing.
    void apply(proto::Delta delta, std::vector<Merge>& merges);

    /// Becomes the table as of `as_of`, whose digest is `digest`, by the difference alone.
    /// Leaves found this way have lost their reason; they are told as `left`.
    void become(const std::vector<proto::GroupRuns>& table, Seq as_of, std::uint64_t digest,
                std::vector<Merge>& merges);

    /// Every group as one merge: all joined, or all gone for `reason`.
    void tell_all(WatchEvent::Kind kind, Reason reason, std::vector<Merge>& merges) const;

    /// The whole table as it crosses the wire, in the order of the groups' names.
    [[nodiscard]] std::vector<proto::GroupRuns> table() const;
    [[nodiscard]] Member member(const Entry& entry) const;

    /// Renames the life that this table belongs to; only while it is empty.
    void adopt(Incarnation incarnation);

    void check() const;

    /// What digest() would be for this table.
    static std::uint64_t digest_of(const std::vector<proto::GroupRuns>& table);

private:
    void join(const proto::Change& change, Merge& merge);
    void leave(const proto::Change& change, Merge& merge);
    /// What stands here and not in `table`, as leaves.
    [[nodiscard]] proto::Delta missing_from(const std::vector<proto::GroupRuns>& table) const;
    [[nodiscard]] std::uint64_t weight(GroupRef group, const Entry& entry) const;
    void drop_if_empty(GroupRef group);

    NodeId id_;
    GroupIndex& index_;
    Seq applied_;
    std::uint64_t digest_ = 0;
    std::uint64_t member_count_ = 0;
    std::map<GroupRef, MemberList> groups_;
    OwnerTable owners_;
    DeltaLog log_;
};

}  // namespace muster::cluster
