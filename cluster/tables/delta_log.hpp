// The latest deltas of one origin, kept to answer nodes that missed some. PROTOCOL.md, "Replication".
#pragma once

#include <muster/ids.hpp>

#include <cstddef>
#include <deque>
#include <vector>

#include "cluster/tables/group_index.hpp"
#include "cluster/tables/member_list.hpp"
#include "cluster/tables/owner_table.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Consecutive deltas without names: a delta that changes one run takes 40 bytes. The log holds a use of every group
/// and owner in it. Beyond its bounds it drops the oldest deltas; a node that missed those gets a snapshot.
///
/// A delta is appended by `begin`, then for each of its changes `add_change` and its runs, joins first, then `trim`.
class DeltaLog {
public:
    DeltaLog(GroupIndex& groups, OwnerTable& owners, std::size_t max_deltas)
        : groups_(groups), owners_(owners), max_deltas_(max_deltas) {}
    ~DeltaLog() { clear(); }
    DeltaLog(const DeltaLog&) = delete;
    DeltaLog& operator=(const DeltaLog&) = delete;

    /// Begins the delta numbered `seq`, which is the last one's successor.
    void begin(Seq seq);
    /// Takes over one use of the group.
    void add_change(GroupRef group, Reason reason) {
        changes_.push_back({group, 0, 0, reason});
        name_bytes_ += groups_.cost(group);
    }
    /// `run.tag` is its OwnerRef. Takes over one use of it.
    void add_join(const Run& run) {
        runs_.push_back(run);
        ++changes_.back().joins;
        name_bytes_ += owners_.cost(run.tag);
    }
    void add_leave(const proto::NumberRun& run) {
        runs_.push_back({run.first, static_cast<std::uint32_t>(run.count), kNoOwner});
        ++changes_.back().leaves;
    }
    /// Drops the oldest deltas beyond the bounds. The last delta stays even if it alone takes too many bytes.
    /// `may_take(bytes)`: whether the log may be as large.
    template <class MayTake>
    void trim(MayTake may_take) {
        while (size() > max_deltas_ || (size() > 1 && !may_take(bytes()))) drop_first();
    }
    void clear() {
        while (size() > 0) drop_first();
    }

    /// True if the log has every delta after `have`, up to the last one appended.
    [[nodiscard]] bool covers(Seq have) const { return size() > 0 && have.next() >= first_; }
    /// The delta with this number, which must be in the log.
    [[nodiscard]] proto::Delta at(Seq seq) const;
    [[nodiscard]] Seq last() const { return first_.plus(size() - 1); }
    [[nodiscard]] std::size_t size() const { return starts_.size(); }
    /// The memory that the log takes, estimated as if it alone used each group and owner in it.
    [[nodiscard]] std::size_t bytes() const {
        return starts_.size() * sizeof(Start) + changes_.size() * sizeof(Change) + runs_.size() * sizeof(Run) +
               name_bytes_;
    }

private:
    struct Change {
        GroupRef group = kNoGroup;
        std::uint32_t joins = 0;   // runs in runs_,
        std::uint32_t leaves = 0;  // and so many after those
        Reason reason = Reason::left;
    };
    /// Where a delta begins in changes_ and runs_: how many were appended before it since the log was created, modulo
    /// 2^32. Differences stay right when the counts wrap.
    struct Start {
        std::uint32_t change = 0;
        std::uint32_t run = 0;
    };
    [[nodiscard]] Start end() const;
    void drop_first();

    GroupIndex& groups_;
    OwnerTable& owners_;
    std::size_t max_deltas_;
    std::size_t name_bytes_ = 0;  // of the groups and owners
    Seq first_;                   // number of the first delta
    Start begin_;                 // of the first delta
    std::deque<Start> starts_;
    std::deque<Change> changes_;
    std::deque<Run> runs_;
};

}  // namespace muster::cluster
