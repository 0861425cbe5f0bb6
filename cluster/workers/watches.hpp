// Who watches what. Watchers hear of changes from updates and from nowhere else.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/replication/replicas.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

class Watches {
public:
    Watches(Context& context, Replicas& replicas, Sessions& sessions)
        : ctx_(context), replicas_(replicas), sessions_(sessions) {}

    /// Starts with a snapshot of what is shown now. Empty names: every group.
    void watch(WatchId watch, const Group& group);
    void unwatch(WatchId watch);
    /// The same for a worker's request. Errors: overloaded (watches_per_session).
    Result<Done> watch(const SessionRequest& request, const Group& group);
    /// Errors: bad_request when there is no such watch.
    Result<Done> unwatch(SessionToken token, std::uint64_t number);
    void session_ended(SessionToken token);

    void tell(const std::vector<GroupUpdate>& updates);

private:
    /// Who watches one group.
    struct Watchers {
        std::set<WatchId> embedded;
        std::set<SessionRequest> remote;
    };
    /// kNoGroup for empty names; else with a use, so that the number stays the group's.
    GroupRef begin(const Group& group);
    void end(GroupRef ref);
    void tell(const Watchers& watchers, const WatchEvent& event);
    [[nodiscard]] WatchEvent snapshot(const Group& group) const;
    void push(const SessionRequest& watch, const WatchEvent& event);

    Context& ctx_;
    Replicas& replicas_;
    Sessions& sessions_;
    std::map<WatchId, GroupRef> embedded_;
    std::map<SessionRequest, GroupRef> remote_;
    std::map<GroupRef, Watchers> by_group_;  // kNoGroup: of all groups
};

}  // namespace muster::cluster
