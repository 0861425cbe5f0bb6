#include "cluster/tables/owner_table.hpp"

#include "cluster/base/keyed_hash.hpp"
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

std::size_t OwnerTable::bytes_of(const Meta& meta) {
    std::size_t bytes = 0;
    for (const auto& [key, value] : meta) bytes += key.size() + value.size();
    return bytes;
}

OwnerRef OwnerTable::acquire(const std::string& worker, const SharedMeta& meta, std::uint64_t uses) {
    if (last_acquired_ == kNoOwner || !matches(last_acquired_, worker, meta)) {
        KeyedHash in_index(secret_);
        in_index.add(worker).add(meta.size());
        for (const auto& [key, value] : meta) in_index.add(key).add(value);
        last_acquired_ = by_hash_.find(in_index.value(), [&](OwnerRef ref) { return matches(ref, worker, meta); });
        if (last_acquired_ == kNoOwner) {
            last_acquired_ = slots_.create();
            slots_[last_acquired_] = {std::make_shared<const MemberOwner>(MemberOwner{worker, meta}),
                                      hash_owner(worker, meta), in_index.value(), 0, bytes_of(meta)};
            by_hash_.insert(in_index.value(), last_acquired_);
            bytes_ += cost(last_acquired_);
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
    bytes_ -= cost(ref);
    by_hash_.erase(slot.in_index, ref);
    slots_.erase(ref);
    if (last_acquired_ == ref) last_acquired_ = kNoOwner;
}

}  // namespace muster::cluster
