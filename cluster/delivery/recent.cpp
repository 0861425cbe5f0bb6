#include "cluster/delivery/recent.hpp"

#include <utility>

namespace muster::cluster {
namespace {

constexpr std::size_t kKeptBytes = 96;         // of a notice in all lists, without its text
constexpr std::size_t kGroupsPerSweep = 1024;  // looked at in one tick

}  // namespace

Recent::SharedNumbered Recent::of(const Group& group) {
    auto& known = groups_[group];
    if (!known) {
        known = std::make_shared<Numbered>();
        known->first = known->last = last_seq;
    }
    return known;
}

Recent::SharedNumbered Recent::needed(const Group& group) {
    if (ctx_.now < all_needed_until_) return of(group);
    if (groups_.empty()) return nullptr;
    const auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : found->second;
}

const Recent::Numbered* Recent::find(const Group& group) const {
    const auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : found->second.get();
}

bool Recent::number_next(Numbered& group, bool for_workers) {
    ++group.last;
    if (for_workers || ctx_.now < group.needed_until || ctx_.now < all_needed_until_) return true;
    if (!group.kept.empty()) forget_all_of(group);  // they would not go up to `last` any more
    return false;
}

void Recent::keep(const SharedNumbered& group, const proto::SharedNotice& notice, std::size_t size) {
    bytes_ += size + kKeptBytes;
    group->kept.push_back({notice, ctx_.now, size});
    order_.push_back({group, group->last, ctx_.now});
    // Perhaps this one as well, if there is no memory at all.
    while (!order_.empty() && (is_over_bounds() || !bytes_.has_room(0))) {
        ctx_.count("recent_notices_forgotten");
        forget_oldest(true);
    }
}

void Recent::forget_all_of(Numbered& group) {
    for (const Kept& kept : group.kept) bytes_ -= kept.size + kKeptBytes;
    group.kept.clear();
}

void Recent::forget_oldest(bool by_bound) {
    Numbered& group = *order_.front().group;
    if (order_.front().number == group.forgotten() + 1 && !group.kept.empty()) {
        bytes_ -= group.kept.front().size + kKeptBytes;
        if (by_bound) group.forgotten_at = group.kept.front().at;
        group.kept.pop_front();
    }
    order_.pop_front();
}

void Recent::lost_members(const std::optional<Group>& group) {
    const Instant until = ctx_.now + ctx_.options.timing.handover_window;
    if (group)
        of(*group)->needed_until = until;
    else
        all_needed_until_ = until;
}

void Recent::tick(const std::function<bool(const Group&)>& has_members) {
    const Instant since = ctx_.now - ctx_.options.timing.handover_window;
    while (!order_.empty() && order_.front().at < since) forget_oldest(false);
    auto at = groups_.lower_bound(swept_);
    for (std::size_t looked = 0; looked < kGroupsPerSweep && at != groups_.end(); ++looked) {
        const Numbered& group = *at->second;
        const bool needed = !group.kept.empty() || ctx_.now < group.needed_until || has_members(at->first);
        at = needed ? std::next(at) : groups_.erase(at);
    }
    swept_ = at == groups_.end() ? Group{} : at->first;
}

void Recent::begin_life() {
    order_.clear();
    groups_.clear();
    bytes_ -= bytes_.amount();
}

bool Recent::is_over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    return order_.size() > bounds.recent_items || bytes_.amount() > bounds.recent_bytes;
}

}  // namespace muster::cluster
