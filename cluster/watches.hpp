// Who watches what. Watchers hear of changes from merges and from nowhere else.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "cluster/replicator.hpp"
#include "cluster/sessions.hpp"

namespace muster::cluster {

class Watches {
public:
    Watches(Context& context, const Replicator& replicator, Sessions& sessions)
        : ctx_(context), replicator_(replicator), sessions_(sessions) {}

    /// Starts with a snapshot of what is shown now. Empty names: every group.
    void watch(WatchId watch, const Group& group);
    void unwatch(WatchId watch) { embedded_.erase(watch); }
    /// The same for a worker's request. Errors: overloaded (watches_per_session).
    Result<Done> watch(const SessionRequest& request, const Group& group);
    /// Errors: bad_request when there is no such watch.
    Result<Done> unwatch(SessionToken token, std::uint64_t number);
    void session_ended(SessionToken token);

    void tell(const std::vector<Merge>& merges);

private:
    [[nodiscard]] WatchEvent snapshot(const Group& group) const;
    void push(const SessionRequest& watch, const WatchEvent& event);

    Context& ctx_;
    const Replicator& replicator_;
    Sessions& sessions_;
    std::map<WatchId, Group> embedded_;
    std::map<SessionRequest, Group> remote_;
};

/// Members of all shown tables by node name, then number; of one node only when `node` is not empty.
std::vector<Member> members_of(const Replicator& replicator, const Group& group, const std::string& node = {});
/// Every group with the number of its shown members, by name.
std::map<Group, std::uint64_t> group_sizes(const Replicator& replicator);

}  // namespace muster::cluster
