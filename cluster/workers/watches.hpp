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
/// The snapshot is a walk, of which a turn makes a part, so that it delays nobody, however large the tables are. For a
/// worker the parts are made while it takes them, so it needs no memory. What changes where the walk has passed is told
/// after it. Other changes are in the parts to come.
class Watches {
public:
    Watches(Context& context, Replicas& replicas, Sessions& sessions)
        : ctx_(context), replicas_(replicas), sessions_(sessions) {}

    /// Begins with a snapshot, with as much of it as fits one turn at once. Watches every group if both names are
    /// empty.
    void watch(WatchId watch, const Group& group);
    void unwatch(WatchId watch) { (void)unwatch({}, watch.value); }
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
    /// Watchers inside this process have no session, and the number of their WatchId.
    using Watchers = std::set<SessionRequest>;
    /// A snapshot under way.
    struct Walk {
        GroupRef next = 0;   // all groups below have been passed,
        MembersPlace place;  // and in this one, the members before
        GroupRef end = 0;    // the group at which it ends; kNoGroup: after all groups
        bool has_begun = false;
        std::vector<std::shared_ptr<const WatchUpdate>> later{};  // what changed where it has passed
        Drawn bytes{};                                            // of `later`
    };
    using Walks = std::map<SessionRequest, Walk>;

    void begin(const SessionRequest& watch, const Group& group, const SharedShare& share);
    using Watched = std::map<SessionRequest, GroupRef>;
    Watched::iterator end(Watched::iterator watch);
    void tell(const Watchers& watchers, const GroupUpdate& update);
    void push(const SessionRequest& watch, const std::shared_ptr<const WatchUpdate>& update, bool continued = false,
              bool last = true);
    bool keep_for_later(const SessionRequest& watch, const GroupUpdate& update);
    static std::shared_ptr<const WatchUpdate> passed(const Walk& walk, const GroupUpdate& update);
    bool walk_on(SessionToken token, GroupRef& budget);
    void walk_on(Walks::iterator at, std::size_t most, GroupRef& budget);

    Context& ctx_;
    Replicas& replicas_;
    Sessions& sessions_;
    Watched watches_;                        // kNoGroup: of every group; else each holds a use of its group
    std::map<GroupRef, Watchers> by_group_;  // the same
    Walks walks_;
    std::set<SessionToken> ready_;  // sessions, and this process, with a walk that can go on
    SessionToken last_;             // of them, whose walk went on last: the others are next
};

}  // namespace muster::cluster
