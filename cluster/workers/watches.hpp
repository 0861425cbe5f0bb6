// Who watches which groups, inside the process and in sessions. PROTOCOL.md, "57 WatchRequest", "72 WatchNews".
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/replication/replicas.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

/// A watcher gets a snapshot first and then every update, exactly once. Whatever changes a shown table makes a
/// GroupUpdate (tables/group_updates.hpp), and watchers are told of nothing else, so none is missed.
class Watches {
public:
    Watches(Context& context, Replicas& replicas, Sessions& sessions)
        : ctx_(context), replicas_(replicas), sessions_(sessions) {}

    /// Begins with a snapshot of what is shown now. Watches every group if both names are empty.
    void watch(WatchId watch, const Group& group);
    void unwatch(WatchId watch);
    /// The same for a request of a worker. Errors: overloaded (Bounds::watches_per_session).
    Result<Done> watch(const SessionRequest& request, const Group& group);
    /// Errors: bad_request if there is no such watch.
    Result<Done> unwatch(SessionToken token, std::uint64_t number);
    void session_ended(SessionToken token);

    /// Tells the watchers what has changed.
    void tell(const std::vector<GroupUpdate>& updates);

private:
    /// The watchers of one group.
    struct Watchers {
        std::set<WatchId> embedded;
        std::set<SessionRequest> remote;
    };
    /// kNoGroup if both names are empty. Otherwise takes a use of the group, so that its ref is not given to another.
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
    std::map<GroupRef, Watchers> by_group_;  // kNoGroup: those of every group
};

}  // namespace muster::cluster
