// Who owns one origin's members: every worker and metadata once.
#pragma once

#include <muster/types.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster {

using OwnerRef = std::uint32_t;
inline constexpr OwnerRef kNoOwner = FlatIndex::kNone;

/// The (worker, metadata) pairs of one origin's members, each kept while it is used.
class OwnerTable {
public:
    explicit OwnerTable(std::uint64_t salt) : salt_(salt) {}

    /// The pair's number, with `uses` more uses.
    OwnerRef acquire(const std::string& worker, const Meta& meta, std::uint64_t uses);
    void use(OwnerRef ref, std::uint64_t uses) { slots_[ref].uses += uses; }
    void release(OwnerRef ref, std::uint64_t uses = 1);

    [[nodiscard]] std::uint64_t uses(OwnerRef ref) const { return slots_[ref].uses; }
    [[nodiscard]] const std::string& worker(OwnerRef ref) const { return slots_[ref].worker; }
    [[nodiscard]] const Meta& meta(OwnerRef ref) const { return slots_[ref].meta; }
    /// Bytes of the metadata's texts.
    [[nodiscard]] std::size_t meta_bytes(OwnerRef ref) const { return slots_[ref].meta_bytes; }
    /// The same on every node for the same pair.
    [[nodiscard]] std::uint64_t hash(OwnerRef ref) const { return slots_[ref].hash; }

private:
    struct Slot {
        std::string worker;
        Meta meta;
        std::uint64_t hash = 0;
        std::uint64_t uses = 0;
        std::size_t meta_bytes = 0;
    };
    [[nodiscard]] bool is(OwnerRef ref, const std::string& worker, const Meta& meta) const {
        return slots_[ref].worker == worker && slots_[ref].meta == meta;
    }

    std::uint64_t salt_;
    Slab<Slot> slots_;
    FlatIndex by_hash_;
    OwnerRef latest_ = kNoOwner;  // mostly the next one, too
};

}  // namespace muster::cluster
