#include "cluster/group_index.hpp"

#include "cluster/check.hpp"

namespace muster::cluster {

GroupRef GroupIndex::find(const Group& group) const {
    const auto [first, last] = by_key_.equal_range(key_of_(group));
    for (auto it = first; it != last; ++it)
        if (slots_[it->second].name == group) return it->second;
    return kNoGroup;
}

GroupRef GroupIndex::acquire(const Group& group) {
    GroupRef ref = find(group);
    if (ref == kNoGroup) {
        if (free_.empty()) {
            ref = static_cast<GroupRef>(slots_.size());
            slots_.emplace_back();
        } else {
            ref = free_.back();
            free_.pop_back();
        }
        slots_[ref] = {group, key_of_(group), 0};
        by_key_.emplace(slots_[ref].key, ref);
    }
    ++slots_[ref].uses;
    return ref;
}

void GroupIndex::release(GroupRef ref) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses > 0);
    if (--slot.uses > 0) return;
    const auto [first, last] = by_key_.equal_range(slot.key);
    for (auto it = first; it != last; ++it) {
        if (it->second != ref) continue;
        by_key_.erase(it);
        break;
    }
    slot = {};
    free_.push_back(ref);
}

}  // namespace muster::cluster
