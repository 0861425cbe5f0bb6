// Ascending member numbers, as runs of consecutive ones.
#pragma once

#include <muster/ids.hpp>

#include <cstdint>
#include <vector>

#include "proto/messages.hpp"

namespace muster::cluster {

/// Consecutive numbers with one tag.
struct Run {
    MemberNumber first;
    std::uint32_t count = 0;
    std::uint32_t tag = 0;  // given by the user of the list; in a Replica, the members' OwnerRef

    [[nodiscard]] MemberNumber last() const { return first.plus(count - 1); }
    bool operator==(const Run&) const = default;
};

/// A set of member numbers, each with a tag. An origin's numbers only grow, so a join appends, in constant time, and
/// extends the last run if it can. A leave is a binary search. The runs are in blocks of at most 256, so a run that is
/// removed, or split, moves few others.
class MemberList {
public:
    /// Adds the numbers of a run that are not in the list yet, and calls `added(Run)` for each piece of them.
    template <class Added>
    void add(const Run& run, Added added) {
        if (empty() || run.first > newest()) {
            append(run);
            added(run);
            return;
        }
        // Only joins that a snapshot already brought come here: an origin's new numbers are its highest.
        for (Run piece = insert_piece(run.first, run); piece.count > 0; piece = insert_piece(piece.last().next(), run))
            added(piece);
    }
    /// Removes the numbers from `first` to `last` that are in the list, and calls `removed(Run)` for each piece of
    /// them.
    template <class Removed>
    void remove(MemberNumber first, MemberNumber last, Removed removed) {
        for (Run piece = remove_piece(first, last); piece.count > 0; piece = remove_piece(first, last)) removed(piece);
    }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    /// How many numbers are in the list.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// In how many runs they are.
    [[nodiscard]] std::uint32_t runs() const { return runs_; }
    /// The highest number. The list must not be empty.
    [[nodiscard]] MemberNumber newest() const { return tail_.back().last(); }
    /// The highest `most` numbers, or all if there are fewer, ascending.
    [[nodiscard]] std::vector<MemberNumber> latest(std::uint64_t most) const;
    /// The run that contains the number, or one with count 0.
    [[nodiscard]] Run find(MemberNumber number) const;

    /// Calls `visit(const Run&)` in ascending order.
    template <class Visit>
    void for_each_run(Visit visit) const {
        for (const auto& block : blocks_)
            for (const Run& run : block) visit(run);
        for (const Run& run : tail_) visit(run);
    }
    /// Calls `visit(const Run&)` in ascending order for the numbers from `first` on, until it returns false. A run that
    /// contains `first` is cut there.
    template <class Visit>
    void for_each_run_from(MemberNumber first, Visit visit) const {
        for (Position at = lower_bound(first); at.block <= blocks_.size(); ++at.block, at.run = 0) {
            const Block& runs = block(at.block);
            for (; at.run < runs.size(); ++at.run) {
                Run run = runs[at.run];
                if (run.first < first)
                    run = {first, static_cast<std::uint32_t>(run.count - (first.value - run.first.value)), run.tag};
                if (!visit(run)) return;
            }
        }
    }

    /// Aborts unless the numbers ascend, the blocks have legal sizes, and size() is right.
    void check() const;

private:
    static constexpr std::size_t kBlockRuns = 256;

    using Block = std::vector<Run>;
    struct Position {
        std::size_t block = 0;  // blocks_.size(): the tail
        std::size_t run = 0;
    };

    [[nodiscard]] const Block& block(std::size_t at) const { return at < blocks_.size() ? blocks_[at] : tail_; }
    Block& block(std::size_t at) { return at < blocks_.size() ? blocks_[at] : tail_; }
    /// The first run that ends at `number` or later, or the end of the tail.
    [[nodiscard]] Position lower_bound(MemberNumber number) const;
    void append(const Run& run);
    /// Adds the first piece of the run, from `from` on, that is not in the list, and returns it; count 0 if there is
    /// none.
    Run insert_piece(MemberNumber from, const Run& run);
    /// Removes and returns the first piece of `first` to `last` that lies in one run; count 0 if there is none.
    Run remove_piece(MemberNumber first, MemberNumber last);
    void insert_run(Position at, const Run& run);
    void erase_run(Position at);

    std::vector<Block> blocks_;  // of lower numbers than the tail's; no block is empty. Most lists have none.
    Block tail_;                 // the highest numbers; empty only if the whole list is
    std::uint64_t size_ = 0;
    std::uint32_t runs_ = 0;
};

/// Ascending numbers as runs of at most limits::kMembersPerCall, the longest that a message may have.
std::vector<proto::NumberRun> runs_of(const std::vector<MemberNumber>& numbers);
/// Of the lowest numbers, about `most` runs.
std::vector<proto::NumberRun> runs_of(const MemberList& members, std::size_t most);

}  // namespace muster::cluster
