// The latest deltas of one origin, kept to answer those who missed some.
#pragma once

#include <muster/ids.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

#include "proto/messages.hpp"

namespace muster::cluster {

/// How much a delta weighs against the log's bound: its runs and changes.
inline std::size_t weight_of(const proto::Delta& delta) {
    std::size_t weight = 1;
    for (const auto& change : delta.changes) weight += 1 + change.joins.size() + change.leaves.size();
    return weight;
}

/// Consecutive deltas; beyond its bounds the oldest go.
class DeltaLog {
public:
    DeltaLog(std::size_t max_deltas, std::size_t max_weight) : max_deltas_(max_deltas), max_weight_(max_weight) {}

    /// Appends the delta numbered `seq`, which follows the last one.
    void append(Seq seq, proto::Delta delta) {
        if (deltas_.empty()) first_ = seq;
        weight_ += weight_of(delta);
        deltas_.push_back(std::move(delta));
        while (deltas_.size() > max_deltas_ || (weight_ > max_weight_ && deltas_.size() > 1)) {
            weight_ -= weight_of(deltas_.front());
            deltas_.pop_front();
            first_ = first_.next();
        }
    }
    void clear() {
        deltas_.clear();
        weight_ = 0;
    }

    /// Whether everything after `have`, up to the last delta appended, is here.
    [[nodiscard]] bool covers(Seq have) const { return !deltas_.empty() && have.next() >= first_; }
    /// Up to `count` deltas from number `from` on, which stands in the log.
    [[nodiscard]] std::vector<proto::Delta> slice(Seq from, std::size_t count) const {
        const auto begin = deltas_.begin() + static_cast<std::ptrdiff_t>(from.value - first_.value);
        const auto left = static_cast<std::size_t>(deltas_.end() - begin);
        return {begin, begin + static_cast<std::ptrdiff_t>(std::min(count, left))};
    }
    [[nodiscard]] const proto::Delta& at(Seq seq) const { return deltas_[seq.value - first_.value]; }
    [[nodiscard]] Seq last() const { return first_.plus(deltas_.size() - 1); }
    [[nodiscard]] std::size_t size() const { return deltas_.size(); }

private:
    std::size_t max_deltas_;
    std::size_t max_weight_;
    std::size_t weight_ = 0;
    Seq first_;  // number of deltas_.front()
    std::deque<proto::Delta> deltas_;
};

}  // namespace muster::cluster
