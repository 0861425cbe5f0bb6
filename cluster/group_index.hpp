// Groups by a small number, found through their key. Two groups whose keys
// collide stand side by side under it; the name decides.
#pragma once

#include <muster/group.hpp>

#include <cstdint>
#include <map>
#include <vector>

namespace muster::cluster {

/// Names a group within one core while anyone holds a use of it.
using GroupRef = std::uint32_t;
inline constexpr GroupRef kNoGroup = UINT32_MAX;

class GroupIndex {
public:
    using KeyFunction = GroupKey (*)(const Group&);

    explicit GroupIndex(KeyFunction key_of) : key_of_(key_of) {}

    /// The group's number, or kNoGroup.
    [[nodiscard]] GroupRef find(const Group& group) const;
    /// The group's number, made if need be, with one more use.
    GroupRef acquire(const Group& group);
    /// One use less; with the last the number is free for another group.
    void release(GroupRef ref);

    [[nodiscard]] const Group& name(GroupRef ref) const { return slots_[ref].name; }
    [[nodiscard]] GroupKey key(GroupRef ref) const { return slots_[ref].key; }
    [[nodiscard]] std::size_t size() const { return slots_.size() - free_.size(); }

private:
    struct Slot {
        Group name;
        GroupKey key;
        std::uint32_t uses = 0;
    };

    KeyFunction key_of_;
    std::vector<Slot> slots_;
    std::vector<GroupRef> free_;
    std::multimap<GroupKey, GroupRef> by_key_;
};

}  // namespace muster::cluster
