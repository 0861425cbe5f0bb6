#include "cluster/tables/member_list.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/check.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

using Offset = std::ptrdiff_t;
constexpr std::size_t kKeptCapacity = 8;  // runs; less is not worth shrinking

bool ends_before(const Run& run, MemberNumber number) {
    return run.last() < number;
}

bool can_extend(const Run& run, const Run& next) {
    return run.tag == next.tag && run.first.plus(run.count) == next.first && run.count <= UINT32_MAX - next.count;
}

}  // namespace

MemberList::Position MemberList::lower_bound(MemberNumber number) const {
    std::size_t at = blocks_.size();
    // Most numbers that are searched are recent ones, in the tail: the blocks are searched only for lower ones.
    if (at > 0 && blocks_.back().back().last() >= number) {
        const auto holds = std::lower_bound(blocks_.begin(), blocks_.end(), number, [](const Block& runs, auto wanted) {
            return ends_before(runs.back(), wanted);
        });
        at = static_cast<std::size_t>(holds - blocks_.begin());
    }
    const Block& runs = block(at);
    const auto run = std::lower_bound(runs.begin(), runs.end(), number, ends_before);
    return {at, static_cast<std::size_t>(run - runs.begin())};
}

Run MemberList::find(MemberNumber number) const {
    const Position at = lower_bound(number);
    const Block& runs = block(at.block);
    if (at.run == runs.size() || runs[at.run].first > number) return {};
    return runs[at.run];
}

std::vector<MemberNumber> MemberList::latest(std::uint64_t most) const {
    auto count = static_cast<std::size_t>(std::min(most, size_));
    std::vector<MemberNumber> numbers(count);
    for (std::size_t at = blocks_.size() + 1; at > 0 && count > 0; --at) {
        const Block& runs = block(at - 1);
        for (auto run = runs.rbegin(); run != runs.rend() && count > 0; ++run)
            for (std::uint32_t i = run->count; i > 0 && count > 0; --i) numbers[--count] = run->first.plus(i - 1);
    }
    return numbers;
}

void MemberList::append(const Run& run) {
    size_ += run.count;
    if (!tail_.empty() && can_extend(tail_.back(), run)) {
        tail_.back().count += run.count;
        return;
    }
    if (tail_.size() == kBlockRuns) blocks_.push_back(std::exchange(tail_, {}));
    tail_.push_back(run);
    ++runs_;
}

Run MemberList::insert_piece(MemberNumber from, const Run& run) {
    for (;;) {
        if (from > run.last()) return {};
        Run piece{from, static_cast<std::uint32_t>(run.last().value - from.value + 1), run.tag};
        const Position at = lower_bound(from);
        if (at.run == block(at.block).size()) {
            append(piece);
            return piece;
        }
        const Run& next = block(at.block)[at.run];
        if (next.first <= from) {
            from = next.last().next();
            continue;
        }
        piece.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(piece.count, next.first.value - from.value));
        insert_run(at, piece);
        size_ += piece.count;
        return piece;
    }
}

void MemberList::insert_run(Position at, const Run& run) {
    ++runs_;
    Block& runs = block(at.block);
    runs.insert(runs.begin() + static_cast<Offset>(at.run), run);
    if (runs.size() <= kBlockRuns) return;
    // The lower half becomes a block of its own before this one. That is right for the tail, too.
    Block first(runs.begin(), runs.begin() + static_cast<Offset>(runs.size() / 2));
    runs.erase(runs.begin(), runs.begin() + static_cast<Offset>(first.size()));
    blocks_.insert(blocks_.begin() + static_cast<Offset>(at.block), std::move(first));
}

void MemberList::erase_run(Position at) {
    --runs_;
    Block& runs = block(at.block);
    runs.erase(runs.begin() + static_cast<Offset>(at.run));
    if (!runs.empty()) {
        // A large group that has become small gives its memory back.
        if (runs.capacity() > kKeptCapacity && runs.size() < runs.capacity() / 4) runs.shrink_to_fit();
        return;
    }
    if (at.block < blocks_.size()) {
        blocks_.erase(blocks_.begin() + static_cast<Offset>(at.block));
    } else if (!blocks_.empty()) {  // the tail must not be empty while there are blocks
        tail_ = std::move(blocks_.back());
        blocks_.pop_back();
    }
}

Run MemberList::remove_piece(MemberNumber first, MemberNumber last) {
    const Position at = lower_bound(first);
    if (at.run == block(at.block).size()) return {};
    Run& run = block(at.block)[at.run];
    if (run.first > last) return {};
    const MemberNumber from = std::max(first, run.first);
    const MemberNumber to = std::min(last, run.last());
    const Run piece{from, static_cast<std::uint32_t>(to.value - from.value + 1), run.tag};
    // What stays of the run on both sides of the piece.
    const auto before = static_cast<std::uint32_t>(from.value - run.first.value);
    const auto after = static_cast<std::uint32_t>(run.last().value - to.value);
    size_ -= piece.count;
    if (before == 0 && after == 0) {
        erase_run(at);
    } else if (before == 0) {
        run = {to.next(), after, run.tag};
    } else {
        const Run rest{to.next(), after, run.tag};
        run.count = before;
        if (after > 0) insert_run({at.block, at.run + 1}, rest);
    }
    return piece;
}

void MemberList::check() const {
    std::uint64_t size = 0;
    std::uint32_t run_count = 0;
    MemberNumber last;
    for_each_run([&](const Run& run) {
        ++run_count;
        MUSTER_CHECK(run.count > 0 && run.first > last && run.last() >= run.first);
        last = run.last();
        size += run.count;
    });
    for (const Block& runs : blocks_) MUSTER_CHECK(!runs.empty() && runs.size() <= kBlockRuns);
    MUSTER_CHECK(size == size_ && run_count == runs_ && tail_.empty() == (size_ == 0));
}

std::vector<proto::NumberRun> runs_of(const std::vector<MemberNumber>& numbers) {
    std::vector<proto::NumberRun> runs;
    for (const MemberNumber number : numbers) {
        const bool next = !runs.empty() && runs.back().count < limits::kMembersPerCall &&
                          runs.back().first.plus(runs.back().count) == number;
        if (next)
            ++runs.back().count;
        else
            runs.push_back({number, 1});
    }
    return runs;
}

std::vector<proto::NumberRun> runs_of(const MemberList& members, std::size_t most) {
    std::vector<proto::NumberRun> runs;
    members.for_each_run_from(MemberNumber{}, [&](const Run& run) {
        for (std::uint32_t done = 0; done < run.count; done += limits::kMembersPerCall)
            runs.push_back({run.first.plus(done), std::min<std::uint64_t>(limits::kMembersPerCall, run.count - done)});
        return runs.size() < most;
    });
    return runs;
}

}  // namespace muster::cluster
