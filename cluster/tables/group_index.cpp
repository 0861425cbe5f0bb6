#include "cluster/tables/group_index.hpp"

#include <algorithm>

#include "cluster/check.hpp"

namespace muster::cluster {

std::uint64_t GroupIndex::hash_of(const Group& group) const {
    return hash_(group, secret_);
}

GroupRef GroupIndex::acquire(const Group& group) {
    const std::uint64_t hash = hash_of(group);
    GroupRef ref = find(group, hash);
    if (ref == kNoGroup) {
        ref = slots_.create();
        Slot& slot = slots_[ref];
        slot.name = group;
        slot.hash = hash;
        slot.key = group_key(group);
        slot.generation = ++generations_;
        by_hash_.insert(hash, ref);
    }
    ++slots_[ref].uses;
    return ref;
}

void GroupIndex::release(GroupRef ref) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses > 0);
    if (--slot.uses > 0) return;
    // Each holder and watcher has a use of its own.
    MUSTER_CHECK(slot.holders.empty() && slot.watchers == 0 && slot.shown == 0);
    by_hash_.erase(slot.hash, ref);
    slots_.erase(ref);
}

void GroupIndex::remove_holder(GroupRef ref, const Replica& holder) {
    auto& holders = slots_[ref].holders;
    const auto at = std::find(holders.begin(), holders.end(), &holder);
    MUSTER_CHECK(at != holders.end());
    holders.erase(at);
}

}  // namespace muster::cluster
