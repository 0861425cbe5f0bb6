// The verbs. An embedded Node and a remote Worker are both a Tracker: code
// written against this header does not know which one it was given.
#pragma once

#include <muster/members.hpp>
#include <muster/types.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace muster {

/// Called once for each member and notification, in order, on a thread of the
/// library that serves handlers only; `members` holds that one member.
using OnNotification = std::function<void(const Notification&)>;
using OnWatch = std::function<void(const WatchEvent&)>;

struct JoinOptions {
    std::uint64_t count = 1;  // members to make, in one delta
    Meta meta{};
    bool visible = false;  // return only when every live node has them
    std::chrono::milliseconds timeout{5000};
};

struct Joined {
    std::vector<MemberId> members;
    std::uint64_t unseen = 0;  // with `visible`: live nodes that had not confirmed in time
};

struct NotifyOptions {
    bool wait = false;  // for the acknowledgement of every member
    std::chrono::milliseconds timeout{5000};
};

/// Ends a watch; see Tracker::unwatch.
using Watch = StrongId<struct WatchTag_>;

/// All calls are thread-safe, may be made from handlers, and answer within
/// their timeout. Every Error has one line that says what to do about it.
class Tracker {
public:
    Tracker() = default;
    Tracker(const Tracker&) = delete;
    Tracker& operator=(const Tracker&) = delete;
    virtual ~Tracker() = default;

    /// Makes `options.count` members of `group` that `handler` serves (it may be
    /// empty, for a member that is only seen). Joining n times makes n members.
    virtual Result<Joined> join(const Group& group, OnNotification handler, const JoinOptions& options) = 0;
    Result<Joined> join(const Group& group, OnNotification handler) { return join(group, std::move(handler), {}); }

    /// The `count` latest joined members of the group that this tracker owns leave,
    /// in one delta; fewer when it has fewer.
    /// Errors: not_joined when it has none; nothing changes then.
    virtual Result<std::vector<MemberId>> leave(const Group& group, std::uint64_t count) = 0;
    Result<std::vector<MemberId>> leave(const Group& group) { return leave(group, 1); }
    /// These members leave, in one delta; those not joined are passed over.
    /// Errors: not_joined when none of them is joined by this tracker in this group.
    virtual Result<std::vector<MemberId>> leave(const Group& group, const std::vector<MemberId>& members) = 0;

    /// A group without members is empty, never an error. At a Node this is a look into its own memory: while the
    /// group does not change it takes no lock and copies nothing, whatever its size.
    virtual Result<Members> members(const Group& group) = 0;
    /// Only members at the node (for a Worker: the node it is attached to).
    virtual Result<Members> local_members(const Group& group) = 0;
    virtual Result<std::vector<GroupInfo>> groups() = 0;
    virtual Result<std::vector<NodeInfo>> nodes() = 0;
    virtual Result<Status> status() = 0;

    /// To every member of the group; the caller need not be one.
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

    /// A snapshot of the group, then every join and leave, with nothing between
    /// missed or doubled. After a lost session a fresh snapshot replaces the old one.
    virtual Result<Watch> watch(const Group& group, OnWatch handler) = 0;
    /// The same for every group of the scope.
    virtual Result<Watch> watch_all(OnWatch handler) = 0;
    /// False when that watch had ended. After it returns no event of the watch is
    /// handled any more (called from its own handler: none after the present one).
    virtual bool unwatch(Watch watch) = 0;
};

}  // namespace muster
