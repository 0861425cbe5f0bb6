#include "cluster/tables/owner_table.hpp"

#include "cluster/base/random.hpp"
#include "cluster/check.hpp"

namespace muster::cluster {
namespace {

std::uint64_t hash_text(std::uint64_t seed, const std::string& text) {
    for (const char c : text) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3u;  // FNV-1a
    return mix64(seed ^ text.size());
}

std::uint64_t hash_owner(const std::string& worker, const Meta& meta) {
    std::uint64_t hash = hash_text(0xcbf29ce484222325u, worker);
    for (const auto& [key, value] : meta) hash = hash_text(hash_text(hash, key), value);
    return hash;
}

}  // namespace

OwnerRef OwnerTable::acquire(const std::string& worker, const Meta& meta, std::uint64_t uses) {
    if (latest_ == kNoOwner || !is(latest_, worker, meta)) {
        const std::uint64_t hash = hash_owner(worker, meta);
        latest_ = by_hash_.find(mix64(hash ^ salt_), [&](OwnerRef ref) { return is(ref, worker, meta); });
        if (latest_ == kNoOwner) {
            latest_ = slots_.create();
            std::size_t bytes = 0;
            for (const auto& [key, value] : meta) bytes += key.size() + value.size();
            slots_[latest_] = {worker, meta, hash, 0, bytes};
            by_hash_.insert(mix64(hash ^ salt_), latest_);
        }
    }
    slots_[latest_].uses += uses;
    return latest_;
}

void OwnerTable::release(OwnerRef ref, std::uint64_t uses) {
    Slot& slot = slots_[ref];
    MUSTER_CHECK(slot.uses >= uses);
    slot.uses -= uses;
    if (slot.uses > 0) return;
    by_hash_.erase(mix64(slot.hash ^ salt_), ref);
    slots_.erase(ref);
    if (latest_ == ref) latest_ = kNoOwner;
}

}  // namespace muster::cluster
