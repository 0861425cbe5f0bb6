#include "cluster/tables/delta_log.hpp"

namespace muster::cluster {

DeltaLog::Start DeltaLog::end() const {
    return {begin_.change + static_cast<std::uint32_t>(changes_.size()),
            begin_.run + static_cast<std::uint32_t>(runs_.size())};
}

void DeltaLog::begin(Seq seq) {
    if (starts_.empty()) first_ = seq;
    starts_.push_back(end());
}

void DeltaLog::drop_first() {
    starts_.pop_front();
    first_ = first_.next();
    const Start next = starts_.empty() ? end() : starts_.front();
    // The counts wrap at 2^32, so they are compared with != only.
    for (; begin_.run != next.run; ++begin_.run) {
        if (const OwnerRef owner = runs_.front().tag; owner != kNoOwner) {
            name_bytes_ -= owners_.cost(owner);
            owners_.release(owner);
        }
        runs_.pop_front();
    }
    for (; begin_.change != next.change; ++begin_.change) {
        name_bytes_ -= groups_.cost(changes_.front().group);
        groups_.release(changes_.front().group);
        changes_.pop_front();
    }
}

proto::Delta DeltaLog::at(Seq seq) const {
    const auto index = static_cast<std::size_t>(seq.value - first_.value);
    const Start start = starts_[index];
    const Start next = index + 1 < starts_.size() ? starts_[index + 1] : end();
    proto::Delta delta;
    // 32-bit differences, for the same reason.
    auto run = runs_.begin() + static_cast<std::uint32_t>(start.run - begin_.run);
    for (std::uint32_t at = start.change; at != next.change; ++at) {
        const Change& change = changes_[static_cast<std::uint32_t>(at - begin_.change)];
        proto::GroupDelta& to = delta.changes.emplace_back();
        to.group = groups_.name(change.group);
        to.reason = change.reason;
        for (std::uint32_t i = 0; i < change.joins; ++i, ++run)
            to.joins.push_back({run->first, run->count, owners_.worker(run->tag), owners_.meta(run->tag)});
        for (std::uint32_t i = 0; i < change.leaves; ++i, ++run) to.leaves.push_back({run->first, run->count});
    }
    return delta;
}

}  // namespace muster::cluster
