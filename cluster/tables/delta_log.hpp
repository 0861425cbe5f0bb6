// The latest deltas of one origin, kept to answer those who missed some.
#pragma once

#include <muster/ids.hpp>

#include <cstddef>
#include <deque>
#include <vector>

#include "cluster/tables/group_index.hpp"
#include "cluster/tables/member_list.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Consecutive deltas; beyond its bounds the oldest go. Kept without names: 40 bytes for one that changes one run. The
/// log holds a use of every group and owner in it.
///
/// A delta is appended as begin, then for each change its group and its runs, then trim.
class DeltaLog {
public:
    /// `max_weight`: deltas, changes and runs together, and one more for each 64 bytes of a run's metadata.
    DeltaLog(GroupIndex& groups, OwnerTable& owners, std::size_t max_deltas, std::size_t max_weight)
        : groups_(groups), owners_(owners), max_deltas_(max_deltas), max_weight_(max_weight) {}
    ~DeltaLog() { clear(); }
    DeltaLog(const DeltaLog&) = delete;
    DeltaLog& operator=(const DeltaLog&) = delete;

    /// The delta numbered `seq`, which follows the last one.
    void begin(Seq seq);
    /// Takes over a use of the group.
    void change(GroupRef group, Reason reason) { changes_.push_back({group, 0, 0, reason}); }
    /// Takes over a use of the run's owner.
    void joined(const Run& run) {
        runs_.push_back(run);
        ++changes_.back().joins;
        meta_weight_ += meta_weight(run);
    }
    void left(const proto::NumberRun& run) {
        runs_.push_back({run.first, static_cast<std::uint32_t>(run.count), kNoOwner});
        ++changes_.back().leaves;
    }
    void trim() {
        while (size() > max_deltas_ || (weight() > max_weight_ && size() > 1)) drop_first();
    }
    void clear() {
        while (size() > 0) drop_first();
    }

    /// Whether everything after `have`, up to the last delta appended, is here.
    [[nodiscard]] bool covers(Seq have) const { return size() > 0 && have.next() >= first_; }
    /// The delta with this number, which stands in the log.
    [[nodiscard]] proto::Delta at(Seq seq) const;
    [[nodiscard]] Seq last() const { return first_.plus(size() - 1); }
    [[nodiscard]] std::size_t size() const { return starts_.size(); }

private:
    struct Change {
        GroupRef group = kNoGroup;
        std::uint32_t joins = 0;   // runs, first these
        std::uint32_t leaves = 0;  // runs, then those
        Reason reason = Reason::left;
    };
    /// Where a delta begins, counted modulo 2^32 from the first one ever appended.
    struct Start {
        std::uint32_t change = 0;
        std::uint32_t run = 0;
    };
    [[nodiscard]] std::size_t weight() const { return starts_.size() + changes_.size() + runs_.size() + meta_weight_; }
    [[nodiscard]] std::size_t meta_weight(const Run& run) const {
        return run.tag == kNoOwner ? 0 : owners_.meta_bytes(run.tag) / 64;
    }
    [[nodiscard]] Start end() const;
    void drop_first();

    GroupIndex& groups_;
    OwnerTable& owners_;
    std::size_t max_deltas_;
    std::size_t max_weight_;
    std::size_t meta_weight_ = 0;
    Seq first_;    // number of the first delta
    Start begin_;  // of the first delta
    std::deque<Start> starts_;
    std::deque<Change> changes_;
    std::deque<Run> runs_;
};

}  // namespace muster::cluster
