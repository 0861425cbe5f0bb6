// Where notifications to a group go: to the nodes that have members of it, and
// here to their owners. Found once, and kept until the group changes.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/action.hpp"
#include "cluster/base/caller.hpp"
#include "cluster/replication/replicas.hpp"
#include "cluster/workers/local_members.hpp"

namespace muster::cluster {

/// Bounded: beyond kGroups all are forgotten, and found anew when they are asked for.
class Routes {
public:
    static constexpr std::size_t kGroups = 16384;

    Routes(const Replicas& replicas, const LocalMembers& local) : replicas_(replicas), local_(local) {}

    using SharedMembers = std::shared_ptr<const std::vector<MemberNumber>>;  // ascending

    /// A node that has members of the group.
    struct Target {
        NodeId node;
        std::uint64_t members = 0;
        MemberNumber newest;
    };
    struct Route {
        std::vector<Target> targets;                                   // by name
        std::uint64_t matched = 0;                                     // members of all targets
        std::shared_ptr<const Recipients> handlers;                    // here; null: none
        std::vector<std::pair<SessionToken, SharedMembers>> sessions;  // here
    };
    /// Stands until the next call that is not const.
    const Route& of(const Group& group);

    /// Members of the group have changed.
    void changed(const Group& group);
    void clear();

private:
    struct Kept {
        std::uint64_t generation = 0;  // 0: nothing is kept
        Route route;
    };
    [[nodiscard]] Route find(GroupRef group) const;

    const Replicas& replicas_;
    const LocalMembers& local_;
    const Route nowhere_;
    // By GroupRef. The number of a group that has vanished may pass to another, or to the same one later, without
    // members: so each is kept for one generation of its number.
    std::vector<Kept> kept_;
    std::size_t count_ = 0;
};

}  // namespace muster::cluster
