// Groups by a small number, found through their key; and for each, who has
// members in it. Two groups whose keys collide stand side by side under their
// hash; the name decides.
#pragma once

#include <muster/group.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster {

class Replica;

/// Names a group within one core while anyone holds a use of it.
using GroupRef = std::uint32_t;
inline constexpr GroupRef kNoGroup = FlatIndex::kNone;

class GroupIndex {
public:
    using KeyFunction = GroupKey (*)(const Group&);

    /// `salt` keeps from others where in the index a group stands.
    GroupIndex(KeyFunction key_of, std::uint64_t salt) : key_of_(key_of), salt_(salt) {}

    /// The group's number, or kNoGroup.
    [[nodiscard]] GroupRef find(const Group& group) const { return find(group, hash_of(group)); }
    /// The group's number, made if need be, with one more use.
    GroupRef acquire(const Group& group);
    void use(GroupRef ref) { ++slots_[ref].uses; }
    /// One use less; with the last the number is free for another group.
    void release(GroupRef ref);

    [[nodiscard]] const Group& name(GroupRef ref) const { return slots_[ref].name; }
    /// The published key, whatever this index uses: digests are compared between nodes.
    [[nodiscard]] GroupKey key(GroupRef ref) const { return slots_[ref].key; }
    /// Differs for each time that the number was given to a group; never 0.
    [[nodiscard]] std::uint64_t generation(GroupRef ref) const { return slots_[ref].generation; }
    /// All numbers in use are below; among them are some that are not.
    [[nodiscard]] GroupRef limit() const { return slots_.limit(); }

    /// The tables with members in this group, in the order that add_holder was given.
    [[nodiscard]] const std::vector<const Replica*>& holders(GroupRef ref) const { return slots_[ref].holders; }
    /// The index does not look into a table: `before(const Replica*, const Replica*)` sorts them. Equals stay in the
    /// order in which they came.
    template <class Before>
    void add_holder(GroupRef ref, const Replica& holder, Before before) {
        auto& holders = slots_[ref].holders;
        holders.insert(std::upper_bound(holders.begin(), holders.end(), &holder, before), &holder);
    }
    void remove_holder(GroupRef ref, const Replica& holder);

    /// Whether anyone watches this group, or all of them.
    [[nodiscard]] bool is_watched(GroupRef ref) const { return watch_all_ > 0 || slots_[ref].watchers > 0; }
    /// kNoGroup: all groups. Whoever watches a group holds a use of it.
    void add_watcher(GroupRef ref) { ++(ref == kNoGroup ? watch_all_ : slots_[ref].watchers); }
    void remove_watcher(GroupRef ref) { --(ref == kNoGroup ? watch_all_ : slots_[ref].watchers); }

private:
    struct Slot {
        Group name;
        std::uint64_t hash = 0;
        GroupKey key;
        std::uint64_t generation = 0;
        std::uint32_t uses = 0;
        std::uint32_t watchers = 0;
        std::vector<const Replica*> holders;
    };
    [[nodiscard]] std::uint64_t hash_of(const Group& group) const;
    [[nodiscard]] GroupRef find(const Group& group, std::uint64_t hash) const {
        return by_hash_.find(hash, [&](GroupRef ref) { return slots_[ref].name == group; });
    }

    KeyFunction key_of_;
    std::uint64_t salt_;
    Slab<Slot> slots_;
    FlatIndex by_hash_;
    std::uint32_t watch_all_ = 0;
    std::uint64_t generations_ = 0;
};

}  // namespace muster::cluster
