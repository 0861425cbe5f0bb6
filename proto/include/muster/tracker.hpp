// The interface that an embedded Node and a remote Worker share. Code written
// against it works with either.
#pragma once

#include <muster/members.hpp>
#include <muster/types.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace muster {

/// Called once per member and notification, in order, on a thread of the library
/// that only runs handlers. `members` has exactly that member.
using OnNotification = std::function<void(const Notification&)>;
using OnWatch = std::function<void(const WatchEvent&)>;

struct JoinOptions {
    std::uint64_t count = 1;  // members to add, in one step
    Meta meta{};
    bool visible = false;  // return only when every live node has applied the join
    std::chrono::milliseconds timeout{5000};
};

struct Joined {
    std::vector<MemberId> members;
    std::uint64_t unseen = 0;  // with `visible`: live nodes that did not confirm in time
};

struct NotifyOptions {
    bool wait = false;  // return only when every member has acknowledged
    std::chrono::milliseconds timeout{5000};
};

/// Identifies a watch; see Tracker::unwatch.
using Watch = StrongId<struct WatchTag_>;

/// Threads: all calls are thread-safe and may be made from handlers. All calls
/// return within their timeout. The text of every Error says what to do.
class Tracker {
public:
    Tracker() = default;
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;
    virtual ~Tracker() = default;

    /// Adds `options.count` members to `group`. `handler` gets their notifications; it may be empty for members
    /// that only need to be visible. Each call adds new members.
    /// Errors: bad_request, overloaded, unreachable, timeout, closed.
    virtual Result<Joined> join(const Group& group, OnNotification handler, const JoinOptions& options) = 0;
    Result<Joined> join(const Group& group, OnNotification handler) { return join(group, std::move(handler), {}); }

    /// Removes the `count` newest members of the group that this tracker owns, or all if it has fewer, in one step.
    /// Returns the removed members. Errors: not_joined if it has none; nothing changes then.
    virtual Result<std::vector<MemberId>> leave(const Group& group, std::uint64_t count) = 0;
    Result<std::vector<MemberId>> leave(const Group& group) { return leave(group, 1); }
    /// Removes these members in one step; ignores those that do not exist.
    /// Errors: not_joined if this tracker owns none of them in this group.
    virtual Result<std::vector<MemberId>> leave(const Group& group, const std::vector<MemberId>& members) = 0;

    /// Returns all members of the group; an unknown group has none. At a Node this reads the process's own memory:
    /// while the group does not change, it takes no lock and copies nothing, whatever the size of the group.
    virtual Result<Members> members(const Group& group) = 0;
    /// Returns only the members at this node (for a Worker: at the node it is attached to).
    virtual Result<Members> local_members(const Group& group) = 0;
    virtual Result<std::vector<GroupInfo>> groups() = 0;
    virtual Result<std::vector<NodeInfo>> nodes() = 0;
    virtual Result<Status> status() = 0;

    /// Notifies every member of the group. The caller need not be a member.
    virtual Result<NotifyReport> notify(NotificationKind kind, const Group& group, const Data& data,
                                        const NotifyOptions& options) = 0;
    Result<NotifyReport> notify_created(const Group& group, const Data& data, const NotifyOptions& options = {}) {
        return notify(NotificationKind::created, group, data, options);
    }
    Result<NotifyReport> notify_updated(const Group& group, const Data& data, const NotifyOptions& options = {}) {
        return notify(NotificationKind::updated, group, data, options);
    }
    Result<NotifyReport> notify_deleted(const Group& group, const Data& data, const NotifyOptions& options = {}) {
        return notify(NotificationKind::deleted, group, data, options);
    }

    /// Calls `handler` with a snapshot of the group, then with every later join and leave, each once. After a lost
    /// session it gets a new snapshot, which replaces everything before.
    virtual Result<Watch> watch(const Group& group, OnWatch handler) = 0;
    /// Same as watch(), for all groups of the scope.
    virtual Result<Watch> watch_all(OnWatch handler) = 0;
    /// Ends a watch. Returns false if it had already ended. The handler is not called again after unwatch() returns
    /// (if called from that handler: after the current call).
    virtual bool unwatch(Watch watch) = 0;
};

}  // namespace muster
