// Ascending member numbers, with an owner each, as runs of consecutive ones.
#pragma once

#include <muster/ids.hpp>

#include <cstdint>
#include <vector>

#include "cluster/tables/owner_table.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Consecutive numbers of one owner.
struct Run {
    MemberNumber first;
    std::uint32_t count = 0;
    std::uint32_t tag = 0;

    [[nodiscard]] MemberNumber last() const { return first.plus(count - 1); }
    bool operator==(const Run&) const = default;
};

/// Members by number. Numbers only ever grow at their origin, so a join appends, in constant time. A leave costs a
/// binary search: the runs lie in blocks, so that one that goes, or breaks in two, moves few others.
class MemberList {
public:
    /// Adds what does not stand here yet of a run, and calls `added(Run)` for each piece of it.
    template <class Added>
    void add(const Run& run, Added added) {
        if (empty() || run.first > newest()) {
            append(run);
            added(run);
            return;
        }
        for (std::uint32_t i = 0; i < run.count; ++i)
            if (const Run one{run.first.plus(i), 1, run.tag}; insert(one)) added(one);
    }
    /// Removes what stands here of the numbers `first` to `last`, and calls `removed(Run)` for each piece.
    template <class Removed>
    void remove(MemberNumber first, MemberNumber last, Removed removed) {
        for (Run piece = cut(first, last); piece.count > 0; piece = cut(first, last)) removed(piece);
    }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// The highest number; of a list that is not empty.
    [[nodiscard]] MemberNumber newest() const { return tail_.back().last(); }
    /// The highest `count` numbers, or all when there are fewer, ascending.
    [[nodiscard]] std::vector<MemberNumber> latest(std::uint64_t count) const;
    /// The run with this number; none (count 0) when it does not stand here.
    [[nodiscard]] Run find(MemberNumber number) const;

    /// Calls `visit(const Run&)` in ascending order.
    template <class Visit>
    void for_each_run(Visit visit) const {
        for (const auto& block : blocks_)
            for (const Run& run : block) visit(run);
        for (const Run& run : tail_) visit(run);
    }
    /// Calls `visit(const Run&)` in ascending order for what is left of the runs from `first` on, until it is false.
    template <class Visit>
    void for_each_run_from(MemberNumber first, Visit visit) const {
        for (Place at = place_of(first); at.block <= blocks_.size(); ++at.block, at.run = 0) {
            const Block& runs = block(at.block);
            for (; at.run < runs.size(); ++at.run) {
                Run run = runs[at.run];
                if (run.first < first)
                    run = {first, static_cast<std::uint32_t>(run.count - (first.value - run.first.value)), run.tag};
                if (!visit(run)) return;
            }
        }
    }

    /// In order, without a gap between what belongs together, and counted.
    void check() const;

private:
    static constexpr std::size_t kBlock = 256;  // runs

    using Block = std::vector<Run>;
    struct Place {
        std::size_t block = 0;  // blocks_.size(): the tail
        std::size_t run = 0;
    };

    [[nodiscard]] const Block& block(std::size_t at) const { return at < blocks_.size() ? blocks_[at] : tail_; }
    Block& block(std::size_t at) { return at < blocks_.size() ? blocks_[at] : tail_; }
    /// The first run that ends at `number` or behind it; behind the last one of the tail when there is none.
    [[nodiscard]] Place place_of(MemberNumber number) const;
    void append(const Run& run);
    bool insert(const Run& one);
    Run cut(MemberNumber first, MemberNumber last);
    void put(Place at, const Run& run);
    void erase(Place at);

    std::vector<Block> blocks_;  // none is empty; mostly there are none
    Block tail_;                 // the highest numbers; empty only with the whole list
    std::uint64_t size_ = 0;
};

/// Ascending numbers as runs of at most limits::kMembersPerCall, as they cross the wire.
std::vector<proto::NumberRun> runs_of(const std::vector<MemberNumber>& numbers);
std::vector<proto::NumberRun> runs_of(const MemberList& members);

}  // namespace muster::cluster
