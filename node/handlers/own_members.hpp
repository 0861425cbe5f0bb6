// The members that handlers of this process have, in the order in which they joined.
#pragma once

#include <muster/types.hpp>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <variant>
#include <vector>

#include "cluster/event.hpp"
#include "node/io/group_hash.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// Set in the id of a join without a handler. Such an idle handler has no inbox: its members count as delivered.
inline constexpr std::uint64_t kIdleHandler = std::uint64_t{1} << 63;
inline bool is_idle(cluster::HandlerId handler) {
    return (handler.value & kIdleHandler) != 0;
}

/// Finds the handlers that a caller's `leave` concerns. To the core each handler is an owner of its own, but leave() of
/// an embedded node means the members of all handlers in the process. Not thread-safe.
class OwnMembers {
public:
    /// A number of members, latest first, or given members.
    using Wanted = std::variant<std::uint64_t, std::vector<MemberNumber>>;

    struct Taken {
        std::vector<MemberNumber> members;      // ascending
        cluster::HandlerId owner;               // of all members; kAnyHandler if they have different owners
        std::vector<cluster::HandlerId> ended;  // handlers that have no member left, except idle ones
    };

    /// Called once for each handler.
    void add(const Group& group, cluster::HandlerId handler, const proto::NumberRun& run);
    /// Removes the wanted members that are in the group.
    Taken take(const Group& group, const Wanted& wanted);

private:
    /// One join: the numbers from `first` to `first + count - 1` without those marked in `gone`.
    struct Join {
        MemberNumber first;
        std::uint64_t count = 0;
        std::uint64_t held = 0;  // members that have not left
        cluster::HandlerId handler;
        std::vector<bool> gone;  // members that have left; empty: none

        bool take(std::uint64_t index);
    };
    /// Sorted by number. A join without members is removed when it is the latest, or when half of all joins have none.
    struct Joins {
        std::vector<Join> all;
        std::size_t ended = 0;  // joins without members
    };
    using Groups = std::unordered_map<Group, Joins, HashGroup>;

    static void take_one(Joins& joins, Join& join, std::uint64_t at, Taken& taken);
    static void take_latest(Joins& joins, std::uint64_t count, Taken& taken);
    static void take_these(Joins& joins, const std::vector<MemberNumber>& members, Taken& taken);
    void tidy(Groups::iterator group);

    Groups groups_;
    Groups::node_type spare_;  // of a removed group, reused so that joining and leaving in turn does not allocate
};

}  // namespace muster::node
