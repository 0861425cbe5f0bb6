// Which members the handlers of this process have, in the order they joined.
#pragma once

#include <muster/types.hpp>

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <variant>
#include <vector>

#include "cluster/event.hpp"
#include "proto/group_hash.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// Marks the number of a join without a handler: there is nothing to deliver to, so nothing is kept for it.
inline constexpr std::uint64_t kIdleHandler = std::uint64_t{1} << 63;
inline bool is_idle(cluster::HandlerId handler) {
    return (handler.value & kIdleHandler) != 0;
}

/// The core knows an owner per handler; a caller's `leave` means all handlers
/// of the process. This finds out whose members such a call takes. Not thread-safe.
class OwnMembers {
public:
    /// The latest so many, or the given ones.
    using Wanted = std::variant<std::uint64_t, std::vector<MemberNumber>>;

    struct Taken {
        std::vector<MemberNumber> members;      // ascending
        cluster::HandlerId owner;               // who had them; kAnyHandler: several
        std::vector<cluster::HandlerId> ended;  // who have none left; without idle ones
    };

    /// A handler joins once.
    void add(const Group& group, cluster::HandlerId handler, const proto::NumberRun& run);
    /// Takes out those of the wanted that are in the group.
    Taken take(const Group& group, const Wanted& wanted);

private:
    /// The members of one join that are left: of `count` numbers, those not marked in `gone`.
    struct Join {
        MemberNumber first;
        std::uint64_t count = 0;
        std::uint64_t held = 0;
        cluster::HandlerId handler;
        std::vector<bool> gone;  // empty: none

        bool take(std::uint64_t at);
    };
    /// By number. Joins that have ended stay until they are half of all, or the latest.
    struct Joins {
        std::vector<Join> all;
        std::size_t ended = 0;
    };
    using Groups = std::unordered_map<Group, Joins, proto::HashGroup>;

    static void take_one(Joins& joins, Join& join, std::uint64_t at, Taken& taken);
    static void take_latest(Joins& joins, std::uint64_t count, Taken& taken);
    static void take_these(Joins& joins, const std::vector<MemberNumber>& members, Taken& taken);
    void tidy(Groups::iterator group);

    Groups groups_;
    Groups::node_type spare_;  // of a group that has ended, so that joining and leaving in turn allocates nothing
};

}  // namespace muster::node
