#include "cluster/tables/owner_table.hpp"

#include "cluster/base/random.hpp"
#include "cluster/check.hpp"
#include "proto/fnv1a.hpp"

namespace muster::cluster {
namespace {

/// `text(h, t)` of PROTOCOL.md, "Snapshots".
std::uint64_t hash_text(std::uint64_t seed, const std::string& text) {
    return mix64(proto::fnv1a(text, seed) ^ text.size());
}

/// The owner hash. Metadata is ordered by its keys, as the protocol demands.
std::uint64_t hash_owner(const std::string& worker, const Meta& meta) {
    std::uint64_t hash = hash_text(proto::kFnvBasis, worker);
    for (const auto& [key, value] : meta) hash = hash_text(hash_text(hash, key), value);
    return hash;
}

}  // namespace

OwnerRef OwnerTable::acquire(const std::string& worker, const Meta& meta, std::uint64_t uses) {
    if (last_acquired_ == kNoOwner || !matches(last_acquired_, worker, meta)) {
        // The salt only changes the cell in the index. The hash itself is part of the digest, equal on all nodes.
        const std::uint64_t hash = hash_owner(worker, meta);
        last_acquired_ = by_hash_.find(mix64(hash ^ salt_), [&](OwnerRef ref) { return matches(ref, worker, meta); });
        if (last_acquired_ == kNoOwner) {
            last_acquired_ = slots_.create();
            std::size_t bytes = 0;
            for (const auto& [key, value] : meta) bytes += key.size() + value.size();
            slots_[last_acquired_] = {worker, meta, hash, 0, bytes};
            by_hash_.insert(mix64(hash ^ salt_), last_acquired_);
        }
    }
    slots_[last_acquired_].uses += uses;
    return last_acquired_;
}

void OwnerTable::release(OwnerRef ref, std::uint64_t uses) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses >= uses);
    slot.uses -= uses;
    if (slot.uses > 0) return;
    by_hash_.erase(mix64(slot.hash ^ salt_), ref);
    slots_.erase(ref);
    if (last_acquired_ == ref) last_acquired_ = kNoOwner;
}

}  // namespace muster::cluster
