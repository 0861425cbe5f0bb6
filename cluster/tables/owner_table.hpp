// The owners of one origin's members: each pair of worker and metadata once.
#pragma once

#include <muster/types.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster {

/// What the members of one join, and others like it, have in common.
struct MemberOwner {
    std::string worker;
    SharedMeta meta;
};

/// The number of a pair while at least one use of it is held.
using OwnerRef = std::uint32_t;
inline constexpr OwnerRef kNoOwner = FlatIndex::kNone;

/// Counts uses of pairs, and forgets a pair with its last use.
class OwnerTable {
public:
    /// `secret` of the index: see KeyedHash.
    explicit OwnerTable(std::uint64_t secret) : secret_(secret) {}

    /// The pair's number with `uses` more uses. Adds the pair if it is new.
    OwnerRef acquire(const std::string& worker, const SharedMeta& meta, std::uint64_t uses);
    void use(OwnerRef ref, std::uint64_t uses) { slots_[ref].uses += uses; }
    void release(OwnerRef ref, std::uint64_t uses = 1);

    [[nodiscard]] std::uint64_t uses(OwnerRef ref) const { return slots_[ref].uses; }
    [[nodiscard]] const std::string& worker(OwnerRef ref) const { return slots_[ref].owner->worker; }
    [[nodiscard]] const SharedMeta& meta(OwnerRef ref) const { return slots_[ref].owner->meta; }
    /// The pair, for lists that outlive its last use here.
    [[nodiscard]] const std::shared_ptr<const MemberOwner>& share(OwnerRef ref) const { return slots_[ref].owner; }
    /// Bytes of the metadata's keys and values.
    [[nodiscard]] std::size_t meta_bytes(OwnerRef ref) const { return slots_[ref].meta_bytes; }
    [[nodiscard]] static std::size_t bytes_of(const Meta& meta);
    /// The memory that all pairs take, estimated.
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// The memory that one pair takes, estimated.
    [[nodiscard]] static std::size_t cost(const std::string& worker, const Meta& meta, std::size_t meta_bytes) {
        return kPairBytes + worker.size() + meta.size() * kMetaPairBytes + meta_bytes;
    }
    [[nodiscard]] std::size_t cost(OwnerRef ref) const { return cost(worker(ref), meta(ref), slots_[ref].meta_bytes); }
    /// The owner hash of PROTOCOL.md, "Snapshots": the same on every node for the same pair.
    [[nodiscard]] std::uint64_t hash(OwnerRef ref) const { return slots_[ref].hash; }

private:
    static constexpr std::size_t kPairBytes = 192;      // of an entry without texts
    static constexpr std::size_t kMetaPairBytes = 128;  // of one key and value without texts
    struct Slot {
        std::shared_ptr<const MemberOwner> owner;
        std::uint64_t hash = 0;
        std::uint64_t in_index = 0;  // its hash there
        std::uint64_t uses = 0;
        std::size_t meta_bytes = 0;
    };
    [[nodiscard]] bool matches(OwnerRef ref, const std::string& worker, const SharedMeta& meta) const {
        const MemberOwner& owner = *slots_[ref].owner;
        return owner.worker == worker && owner.meta == meta;
    }

    std::uint64_t secret_;
    Slab<Slot> slots_;
    FlatIndex by_hash_;
    std::size_t bytes_ = 0;
    OwnerRef last_acquired_ = kNoOwner;  // consecutive joins mostly have the same owner
};

}  // namespace muster::cluster
