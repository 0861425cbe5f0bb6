#include "cluster/delivery/recent.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/memory_size.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kGroupsPerSweep = 1024;  // looked at in one tick
constexpr std::size_t kInLists = 160;          // of a notice in its Ring, which may have room for four, and in order_

/// Of a notice. It keeps its text twice: decoded, and encoded once it has been sent.
std::size_t bytes_of(std::size_t size_on_wire) {
    return 2 * size_on_wire + sizeof(proto::SharedNotice::Held) + 3 * kAllocation + kInLists;
}

std::size_t bytes_of(const Group& group) {
    return kMapNode + sizeof(Group) + sizeof(Recent::SharedNumbered) + sizeof(Recent::Numbered) + 3 * kAllocation +
           memory_of(group);
}

}  // namespace

Recent::SharedNumbered Recent::of(const Group& group) {
    const auto [known, is_new] = groups_.try_emplace(group);
    if (is_new) {
        known->second = std::make_shared<Numbered>();
        known->second->first = known->second->last = last_seq;
        group_bytes_ += bytes_of(known->first);
    }
    return known->second;
}

Recent::Groups::iterator Recent::forget(Groups::iterator group) {
    group_bytes_ -= bytes_of(group->first);
    return groups_.erase(group);
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

Instant Recent::forgotten_at(const Numbered* group) const {
    return group ? std::max(group->forgotten_at, forgotten_with_group_) : forgotten_with_group_;
}

bool Recent::number_next(Numbered& group, bool for_workers) {
    ++group.last;
    if (for_workers || ctx_.now < group.needed_until || ctx_.now < all_needed_until_) return true;
    if (!group.kept.empty()) forget_all_of(group);  // they would not go up to `last` any more
    return false;
}

void Recent::keep(const SharedNumbered& group, const proto::SharedNotice& notice, std::size_t size) {
    bytes_ += bytes_of(size);
    group->kept.push_back({notice, ctx_.now, size});
    order_.push_back({group, group->last, ctx_.now});
    // Perhaps this one as well, if there is no memory at all.
    while (!order_.empty() && (is_over_bounds() || !bytes_.has_room(0))) {
        ctx_.count("recent_notices_forgotten");
        forget_oldest(true);
    }
}

void Recent::forget_all_of(Numbered& group) {
    for (const Kept& kept : group.kept) bytes_ -= bytes_of(kept.size);
    group.kept.clear();
}

void Recent::forget_oldest(bool by_bound) {
    const Place place = std::move(order_.front());
    order_.pop_front();
    Numbered& group = *place.group;
    if (place.number != group.forgotten() + 1 || group.kept.empty()) return;
    const Kept oldest = group.kept.front();
    group.kept.pop_front();
    bytes_ -= bytes_of(oldest.size);
    if (!by_bound) return;
    group.forgotten_at = oldest.at;
    if (!group.kept.empty() || has_members_(oldest.notice->group)) return;
    // Or else notices for ever more groups without members would take memory without a bound.
    all_needed_until_ = std::max(all_needed_until_, group.needed_until);
    forgotten_with_group_ = std::max(forgotten_with_group_, group.forgotten_at);
    if (const auto found = groups_.find(oldest.notice->group); found != groups_.end() && found->second == place.group)
        forget(found);
}

void Recent::lost_members(const std::optional<Group>& group) {
    const Instant until = ctx_.now + ctx_.options.timing.handover_window;
    if (group && (groups_.size() < ctx_.options.bounds.recent_items || groups_.contains(*group)))
        of(*group)->needed_until = until;
    else
        all_needed_until_ = until;
}

void Recent::tick() {
    const Instant since = ctx_.now - ctx_.options.timing.handover_window;
    while (!order_.empty() && order_.front().at < since) forget_oldest(false);
    auto at = groups_.lower_bound(swept_);
    for (std::size_t looked = 0; looked < kGroupsPerSweep && at != groups_.end(); ++looked) {
        const Numbered& group = *at->second;
        const bool needed = !group.kept.empty() || ctx_.now < group.needed_until || has_members_(at->first);
        at = needed ? std::next(at) : forget(at);
    }
    swept_ = at == groups_.end() ? Group{} : at->first;
}

void Recent::begin_life() {
    order_.clear();
    groups_.clear();
    bytes_ -= bytes_.amount();
    group_bytes_ -= group_bytes_.amount();
}

bool Recent::is_over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    return order_.size() > bounds.recent_items || bytes_.amount() > bounds.recent_bytes;
}

}  // namespace muster::cluster
