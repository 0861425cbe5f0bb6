// One node's instance of one origin's table of members. PROTOCOL.md, "Replication" and "Snapshots".
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
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

/// The origin's own node has the authoritative replica, all others have copies that lag behind.
///
/// Invariants: `applied` never decreases. The members are what the deltas 1 to `applied` of this incarnation give when
/// they are applied in order (but see `begin_at`). No group is empty. The digest is that of the members. The index has
/// this replica as a holder of exactly its groups.
///
/// A table with very many groups is shown, hidden and replaced in pieces (settle()), so that it holds up no turn.
/// Lookups, watchers and totals see each group change at the same time.
class Replica {
public:
    /// One group's members.
    struct Part {
        GroupRef group = kNoGroup;
        MemberList members;  // with an OwnerRef as tag
    };
    /// What all replicas of a node have together.
    struct Total {
        std::size_t tables = 0;
        std::uint64_t members = 0;
        std::size_t bytes = 0;      // without the logs
        std::size_t log_bytes = 0;  // of the logs
    };
    /// What all replicas of a node share.
    struct Setup {
        GroupIndex& groups;
        const Bounds& bounds;
        std::uint64_t secret;  // of the owner tables
        Total& total;
    };
    /// What a table takes, or would take more.
    struct Size {
        std::uint64_t members = 0;
        std::size_t bytes = 0;
    };

    Replica(NodeId origin, const Setup& setup);
    ~Replica();
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;

    /// The origin.
    [[nodiscard]] const NodeId& id() const { return id_; }
    /// The number of the last delta applied; 0 at first.
    [[nodiscard]] Seq applied() const { return applied_; }
    [[nodiscard]] std::uint64_t digest() const { return digest_; }
    [[nodiscard]] std::uint64_t member_count() const { return member_count_; }
    [[nodiscard]] Size size() const { return {member_count_, bytes()}; }
    [[nodiscard]] const DeltaLog& log() const { return log_; }
    [[nodiscard]] const OwnerTable& owners() const { return owners_; }
    [[nodiscard]] const GroupIndex& index() const { return index_; }

    /// Every group that has members. The order means nothing and depends on history.
    [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
    /// The group's members, or nullptr if there are none. Valid until the next change.
    [[nodiscard]] const MemberList* find(GroupRef group) const;
    /// Those that lookups, watchers and notifications see.
    [[nodiscard]] const MemberList* find_visible(GroupRef group) const;
    /// How many members they see of this table and of the one that it is replacing.
    [[nodiscard]] std::uint64_t visible_members() const {
        return visible_members_ + (replaced_ ? replaced_->visible_members_ : 0);
    }

    /// True if lookups, watchers and notifications are to see this table. Copy and OwnTable decide.
    [[nodiscard]] bool is_shown() const { return shown_; }
    /// Whether they see all of it, or nothing, as is_shown() says.
    [[nodiscard]] bool is_settled() const {
        return visible_ == (shown_ ? parts_.size() : 0) && (!replaced_ || replaced_->is_settled());
    }
    [[nodiscard]] bool is_fully_shown() const { return shown_ && is_settled(); }
    void show() { shown_ = true; }
    /// `reason`: why the members leave, for watchers.
    void hide(Reason reason);
    /// Shows this table in the place of `before`, an earlier one of the same origin. Watchers get the difference. The
    /// reasons of its leaves are not known, so they are all `left`.
    void replace(std::shared_ptr<Replica> before);
    /// Returns the table that this one is replacing, and forgets it; nullptr if there is none. The visible groups stay
    /// the same.
    std::shared_ptr<Replica> take_replaced() { return std::move(replaced_); }
    [[nodiscard]] bool is_replacing() const { return replaced_ != nullptr; }
    /// Shows or hides groups, in about `most` work, and adds the updates. Returns the work that it took.
    std::uint64_t settle(std::uint64_t most, GroupUpdates& updates);
    /// Frees groups of a table that is hidden and not used any more, in about `most` work, which it returns.
    std::uint64_t dissolve(std::uint64_t most);

    /// The most that the delta can add: names that the table has already are counted, too.
    [[nodiscard]] static Size added_by(const proto::Delta& delta);
    /// Whether all numbers that join are new: above all that have joined, ascending, each once.
    [[nodiscard]] bool has_new_numbers(const proto::Delta& delta) const;

    /// Applies the delta numbered applied() + 1. A join of a number that is here and a leave of one that is not change
    /// nothing. Adds what changed in visible groups to `updates`.
    void apply(const proto::Delta& delta, GroupUpdates& updates);

    /// Makes this empty table the beginning of one that is put together from a snapshot: it has the position `as_of`,
    /// and `add` brings members. Until all deltas up to the last chunk's position are applied too, the members are not
    /// those of `applied`.
    void begin_at(Seq as_of);
    /// Returns false, and adds nothing, unless the numbers ascend from the highest that the group has.
    [[nodiscard]] bool add(const proto::GroupRuns& part);
    /// The table is put together: numbers that the snapshot brought are not new any more.
    void end_snapshot() { newest_ = std::max(newest_, newest_added_); }

    void append_members(const Run& run, std::vector<Member>& members) const;

    /// Takes a higher incarnation: for watchers all members leave and join again.
    void adopt(Incarnation incarnation, GroupUpdates& updates);

    /// Aborts if an invariant is broken.
    void check() const;

private:
    static constexpr std::size_t kRunBytes = 48;  // 16, and the room that blocks keep

    [[nodiscard]] std::size_t bytes() const { return owners_.bytes() + group_bytes_ + runs_ * kRunBytes; }
    void trim_log();
    /// Counts this table in the total, after a change.
    void count_in_total();
    [[nodiscard]] std::uint32_t find_part(GroupRef group) const;
    std::uint32_t make_part(GroupRef group);
    void drop_part_if_empty(GroupRef group);
    void move_part(std::uint32_t from, std::uint32_t to);
    void set_visible(const Part& part, bool visible);
    /// Makes the first group visible that is not, or hides the last one that is. Returns the work that it took.
    std::uint64_t show_next(GroupUpdates& updates);
    std::uint64_t hide_last(GroupUpdates& updates);
    /// Hides the group at this place without an update.
    void hide_silently(std::uint32_t at);
    void join(GroupRef group, const proto::GroupDelta& change, GroupUpdates& updates);
    void leave(GroupRef group, const proto::GroupDelta& change, GroupUpdates& updates);
    void count_joined(GroupRef group, const Run& run);
    [[nodiscard]] std::uint64_t digest_of(GroupRef group, const Run& run) const;
    [[nodiscard]] bool is_of_worker(const Run& run) const { return !owners_.worker(run.tag).empty(); }
    void collect(GroupRef group, WatchEvent::Kind kind, Reason reason, const std::vector<Run>& runs,
                 GroupUpdates& updates) const;
    /// All members of the part.
    void collect(const Part& part, WatchEvent::Kind kind, Reason reason, GroupUpdates& updates) const;
    void collect_members(GroupRef group, WatchEvent::Kind kind, Reason reason, const std::vector<Run>& runs,
                         GroupUpdates& updates) const;

    NodeId id_;
    GroupIndex& index_;
    const Bounds& bounds_;
    Total& total_;
    Seq applied_;
    std::uint64_t digest_ = 0;
    std::uint64_t member_count_ = 0;
    MemberNumber newest_;        // the highest that a delta has joined
    MemberNumber newest_added_;  // the highest that a snapshot has brought
    std::size_t group_bytes_ = 0;
    std::size_t runs_ = 0;  // of members, in all groups
    Size counted_;          // in total_
    std::size_t counted_log_bytes_ = 0;
    bool shown_ = false;
    Reason hidden_for_ = Reason::left;
    std::shared_ptr<Replica> replaced_;  // hidden group by group as this table is shown
    std::vector<Part> parts_;
    std::size_t visible_ = 0;  // the first so many parts are visible
    std::uint64_t visible_members_ = 0;
    FlatIndex part_by_group_;
    OwnerTable owners_;
    DeltaLog log_;
    std::vector<Run> changed_runs_;  // of the change that is being applied; a member only to keep its memory
};

}  // namespace muster::cluster
