// Who watches which groups, inside the process and in sessions. PROTOCOL.md, "57 WatchRequest", "72 WatchNews".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/replication/lookups.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

/// A watcher gets a snapshot first and then every update, exactly once. Whatever changes a shown table makes a
/// GroupUpdate (tables/group_updates.hpp), and watchers are told of nothing else, so none is missed.
///
/// The snapshot for a worker is a walk: its parts are made while the worker takes them, so it needs no memory, however
/// large the tables are. What changes where the walk has passed is told after it. Other changes are in the parts to
/// come.
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
    /// Continues walks. Nothing that was changed may be untold.
    void flush();
    /// Whether a walk can go on now. If not, it waits until its worker has taken what was sent.
    [[nodiscard]] bool wants_flush() const { return !ready_.empty() || sessions_.has_roomy(); }
    [[nodiscard]] std::optional<std::string> over_bounds() const;
    /// What walks have drawn from Context::memory.
    [[nodiscard]] std::size_t memory() const;

private:
    /// The watchers of one group.
    struct Watchers {
        std::set<WatchId> embedded;
        std::set<SessionRequest> remote;
    };
    /// A snapshot under way.
    struct Walk {
        GroupRef next = 0;   // all groups below have been passed,
        MembersPlace place;  // and in this one, the members before
        GroupRef end = 0;    // the group at which it ends; kNoGroup: after all groups
        std::vector<std::shared_ptr<const WatchUpdate>> later{};  // what changed where it has passed
        Drawn bytes{};                                            // of `later`
    };
    using Walks = std::map<SessionRequest, Walk>;

    /// kNoGroup if both names are empty. Otherwise takes a use of the group, so that its ref is not given to another.
    GroupRef begin(const Group& group);
    void end(GroupRef ref);
    void tell(const Watchers& watchers, const GroupUpdate& update);
    [[nodiscard]] WatchEvent snapshot(const Group& group) const;
    void push(const SessionRequest& watch, const std::shared_ptr<const WatchUpdate>& update, bool last = true);
    bool keep_for_later(const SessionRequest& watch, const GroupUpdate& update);
    static std::shared_ptr<const WatchUpdate> passed(const Walk& walk, const GroupUpdate& update);
    bool walk_on(SessionToken token, GroupRef& budget);
    void walk_on(Walks::iterator at, std::size_t most, GroupRef& budget);

    Context& ctx_;
    Replicas& replicas_;
    Sessions& sessions_;
    std::map<WatchId, GroupRef> embedded_;
    std::map<SessionRequest, GroupRef> remote_;
    std::map<GroupRef, Watchers> by_group_;  // kNoGroup: those of every group
    Walks walks_;
    std::set<SessionToken> ready_;  // sessions with a walk that can go on
    SessionToken last_;             // of them, whose walk went on last: the others are next
};

}  // namespace muster::cluster
