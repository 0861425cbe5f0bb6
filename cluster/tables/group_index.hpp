// The groups that one core knows, by a small number, and for each the tables that have members in it.
//
// A lookup hashes the group's names with a secret, and then compares them. The group's key (PROTOCOL.md, "Groups and
// their keys") is no hash for it: whoever makes a thousand groups with one key would make each lookup a thousand times
// longer. Because the index knows which tables have members in a group, a lookup takes no step for the others.
#pragma once

#include <muster/group.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cluster/base/keyed_hash.hpp"
#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster {

class Replica;

/// The number of a group. It belongs to the group while at least one use of it is held, and may then be given to
/// another group.
using GroupRef = std::uint32_t;
inline constexpr GroupRef kNoGroup = FlatIndex::kNone;

class GroupIndex {
public:
    using HashFunction = std::uint64_t (*)(const Group&, std::uint64_t secret);

    /// `hash`: null for keyed_hash().
    GroupIndex(HashFunction hash, std::uint64_t secret) : hash_(hash ? hash : keyed_hash), secret_(secret) {}

    /// The group's number, or kNoGroup.
    [[nodiscard]] GroupRef find(const Group& group) const { return find(group, hash_of(group)); }
    /// The group's number with one more use. Gives the group a number if it has none.
    GroupRef acquire(const Group& group);
    void use(GroupRef ref) { ++slots_[ref].uses; }
    /// One use less. With the last use the number becomes free.
    void release(GroupRef ref);

    [[nodiscard]] const Group& name(GroupRef ref) const { return slots_[ref].name; }
    /// The memory that one group takes, estimated: its entry here, and that in one table.
    [[nodiscard]] static std::size_t cost(const Group& group) {
        return kGroupBytes + group.store.size() + group.feature.size();
    }
    [[nodiscard]] std::size_t cost(GroupRef ref) const { return cost(slots_[ref].name); }
    /// The key of the protocol, which digests need.
    [[nodiscard]] GroupKey key(GroupRef ref) const { return slots_[ref].key; }
    /// Changes whenever the number is given to a group, so that what was cached for the number can be checked. Never 0.
    [[nodiscard]] std::uint64_t generation(GroupRef ref) const { return slots_[ref].generation; }
    /// Every number in use is below. Unused numbers below it have no holders.
    [[nodiscard]] GroupRef limit() const { return slots_.limit(); }

    /// The tables with members in this group, in the order that `add_holder` was given.
    [[nodiscard]] const std::vector<const Replica*>& holders(GroupRef ref) const { return slots_[ref].holders; }
    /// `before(const Replica*, const Replica*)` sorts the holders, because the index does not look into a table. Equal
    /// ones keep the order in which they were added: two tables of one origin are here while one replaces the other.
    template <class Before>
    void add_holder(GroupRef ref, const Replica& holder, Before before) {
        auto& holders = slots_[ref].holders;
        holders.insert(std::upper_bound(holders.begin(), holders.end(), &holder, before), &holder);
    }
    void remove_holder(GroupRef ref, const Replica& holder);

    /// A holder of this group is shown, or is not any more.
    void add_shown(GroupRef ref) { shown_groups_ += ++slots_[ref].shown == 1 ? 1 : 0; }
    void remove_shown(GroupRef ref) { shown_groups_ -= --slots_[ref].shown == 0 ? 1 : 0; }
    /// Groups with at least one holder that is shown.
    [[nodiscard]] std::uint64_t shown_groups() const { return shown_groups_; }

    /// True if anyone watches this group, or all groups.
    [[nodiscard]] bool is_watched(GroupRef ref) const { return watch_all_ > 0 || slots_[ref].watchers > 0; }
    /// kNoGroup: watches all groups. A watcher of one group must hold a use of it.
    void add_watcher(GroupRef ref) { ++(ref == kNoGroup ? watch_all_ : slots_[ref].watchers); }
    void remove_watcher(GroupRef ref) { --(ref == kNoGroup ? watch_all_ : slots_[ref].watchers); }

private:
    static constexpr std::size_t kGroupBytes = 320;
    struct Slot {
        Group name;
        std::uint64_t hash = 0;
        GroupKey key;
        std::uint64_t generation = 0;
        std::uint32_t uses = 0;
        std::uint32_t watchers = 0;
        std::uint32_t shown = 0;  // of the holders
        std::vector<const Replica*> holders;
    };
    [[nodiscard]] std::uint64_t hash_of(const Group& group) const;
    [[nodiscard]] GroupRef find(const Group& group, std::uint64_t hash) const {
        return by_hash_.find(hash, [&](GroupRef ref) { return slots_[ref].name == group; });
    }

    HashFunction hash_;
    std::uint64_t secret_;
    Slab<Slot> slots_;
    FlatIndex by_hash_;
    std::uint32_t watch_all_ = 0;
    std::uint64_t shown_groups_ = 0;
    std::uint64_t generations_ = 0;
};

}  // namespace muster::cluster
