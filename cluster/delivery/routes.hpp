// Where a group's notifications go: to the nodes that have members of it, and at this node to the handlers and sessions
// that own members.
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/action.hpp"
#include "cluster/base/caller.hpp"
#include "cluster/delivery/recent.hpp"
#include "cluster/replication/replicas.hpp"
#include "cluster/workers/local_members.hpp"
#include "cluster/workers/session.hpp"

namespace muster::cluster {

/// Computes a group's route when it is asked for, and keeps it until the group changes. When kGroups routes are kept,
/// all are forgotten.
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
        std::vector<Target> targets;                                   // this node may be one; by name
        std::uint64_t matched = 0;                                     // members of all targets
        std::shared_ptr<const Recipients> handlers;                    // of this node; nullptr if there are none
        std::vector<std::pair<SessionToken, SharedMembers>> sessions;  // of this node
        bool for_workers = false;                                      // some of the members are owned by workers
        mutable Recent::SharedNumbered numbered;  // set by Notifier with this node's first notice for the group
    };
    /// Valid until changed() or clear() is called, or another group is asked for.
    const Route& of(const Group& group);

    /// The members of the group have changed.
    void changed(const Group& group);
    void clear();

private:
    struct Kept {
        std::uint64_t generation = 0;  // of the GroupRef; 0: no route is kept
        Route route;
    };
    [[nodiscard]] Route compute(GroupRef group) const;

    const Replicas& replicas_;
    const LocalMembers& local_;
    const Route no_targets_;
    // By GroupRef. A ref may be given to another group when its group has neither members nor watchers, and no call of
    // changed() says so: a route is kept for one generation of its ref only.
    std::vector<Kept> kept_;
    std::size_t count_ = 0;
};

inline constexpr std::size_t kMembersPerDelivery = 8192;  // with the largest data they fit one frame
inline constexpr std::size_t kMemberBytes = 9;            // the largest msgpack uint

/// Those of a session's members that a fan-out waits for: the ones up to `newest`.
inline Session::Awaited awaited_of(const std::vector<MemberNumber>& members, FanOutId fan_out, MemberNumber newest) {
    if (!fan_out) return {};
    const auto end = std::upper_bound(members.begin(), members.end(), newest);
    const auto awaited = static_cast<std::uint64_t>(end - members.begin());
    return awaited == 0 ? Session::Awaited{} : Session::Awaited{fan_out, awaited};
}

/// Calls `visit(SharedMembers part)` for parts of the list that fit one delivery each.
template <class Visit>
void in_parts(const Routes::SharedMembers& members, Visit visit) {
    if (members->size() <= kMembersPerDelivery) return visit(members);
    for (std::size_t at = 0; at < members->size(); at += kMembersPerDelivery) {
        const auto begin = members->begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kMembersPerDelivery, members->size() - at));
        visit(std::make_shared<const std::vector<MemberNumber>>(begin, end));
    }
}

}  // namespace muster::cluster
