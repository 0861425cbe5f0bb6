#include "cluster/tables/group_index.hpp"

#include <algorithm>

#include "cluster/base/random.hpp"
#include "cluster/check.hpp"
#include "cluster/tables/replica.hpp"

namespace muster::cluster {
namespace {

bool by_origin(const Replica* a, const Replica* b) {
    return a->id().name < b->id().name;
}

}  // namespace

std::uint64_t GroupIndex::hash_of(const Group& group) const {
    return mix64(key_of_(group).value ^ salt_);
}

GroupRef GroupIndex::acquire(const Group& group) {
    const std::uint64_t hash = hash_of(group);
    GroupRef ref = find(group, hash);
    if (ref == kNoGroup) {
        ref = slots_.take();
        Slot& slot = slots_[ref];
        slot.name = group;
        slot.hash = hash;
        slot.key = group_key(group);
        slot.life = ++lives_;
        by_hash_.insert(hash, ref);
    }
    ++slots_[ref].uses;
    return ref;
}

void GroupIndex::release(GroupRef ref) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses > 0);
    if (--slot.uses > 0) return;
    MUSTER_CHECK(slot.holders.empty() && slot.watchers == 0);
    by_hash_.erase(slot.hash, ref);
    slots_.give_back(ref);
}

void GroupIndex::add_holder(GroupRef ref, const Replica& holder) {
    auto& holders = slots_[ref].holders;
    holders.insert(std::upper_bound(holders.begin(), holders.end(), &holder, by_origin), &holder);
}

void GroupIndex::remove_holder(GroupRef ref, const Replica& holder) {
    auto& holders = slots_[ref].holders;
    // Two tables of one origin stand here for a moment, when one replaces the other.
    const auto [first, last] = std::equal_range(holders.begin(), holders.end(), &holder, by_origin);
    const auto at = std::find(first, last, &holder);
    MUSTER_CHECK(at != last);
    holders.erase(at);
}

}  // namespace muster::cluster
