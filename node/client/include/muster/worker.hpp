// A process that is attached to one node of a list and owns members there.
#pragma once

#include <muster/tracker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace muster {

/// Attaches to the first node that answers and fails over along the list. Its
/// members, handlers and watches outlive the session: a session that is lost is
/// resumed within its grace, with all that was missed meanwhile; after that,
/// or at another node, the worker joins and watches again by itself (its
/// members then have new numbers; the ids given earlier still name them in `leave`).
///
/// Handlers run one at a time on one thread of the Worker's own; a handler that
/// blocks holds back this worker's notifications and nobody else's. All Workers
/// of a process share one more thread, and one of ZeroMQ's. A
/// notification counts as delivered when its handlers have returned.
///
/// With a `state_file`, a worker that was killed and is started again within the
/// grace goes on where it was: its members never left, and nobody is told
/// anything. A `join` of the same group, metadata and count as one of the
/// earlier process's joins takes over those members, in the order of joining:
/// it answers their ids (those that `members` shows) and the `unseen` of then,
/// at once. What arrives for them meanwhile waits, and so does what stands
/// behind it; members that nobody has joined within `state_claim_timeout` leave.
/// A join that had no answer when the process died is undone, a leave is done;
/// watches end with their process. Across a kill there is no gap, but the
/// notification whose handlers were running is handled again; while the process
/// lives, each is handled once.
/// The file belongs to one worker, of one name and scope, is locked while that lives, and holds
/// the right to its session (mode 0600): do not copy it. `close` ends the session.
/// It outlives the process, not the machine, and it is harmless when its
/// session is over: the worker is a new one then.
class Worker final : public Tracker {
public:
    struct Options {
        std::vector<std::string> nodes{};  // "host:port" or "NAME@host:port", tried in order, for ever
        std::string name{};                // empty: as in the state file, or "<host name>-<process id>"
        std::string scope = "default";
        /// This worker's own NAME.key, and the folder with nodes/NAME.pub of the nodes that it trusts: both, where the
        /// nodes have keys, or neither. A NAME@ in an address says whose key to expect there; without it all are tried.
        std::string key_file{};
        std::string keys_dir{};
        std::chrono::milliseconds connect_timeout{5000};  // for connect() alone
        std::size_t inbox = 65536;  // items received, not yet handled; when full, no more are taken
        /// Called (on the handlers' thread) when notifications were lost for good, with how many.
        std::function<void(std::uint64_t missed)> on_gap{};
        /// Called (on the handlers' thread) when the worker was attached ("attached to a at host:port",
        /// true) or lost its node (false).
        std::function<void(bool attached, const std::string& text)> on_attachment{};
        /// Where the session is kept so that the next process can go on with it (see above); empty: nowhere.
        std::string state_file{};
        /// How long, since the session was resumed, members of an earlier process wait to be joined.
        std::chrono::milliseconds state_claim_timeout{5000};
        /// Called once (on the handlers' thread) when the state file cannot be written any more, with why:
        /// the worker goes on, but the next process will be a new worker.
        std::function<void(const std::string& text)> on_state_lost{};
    };

    /// Errors: bad_request (an option, or the state file, which is left as it is), unreachable (no node answered
    /// in time), refused (also: another process has the state file), wrong_scope, wrong_version, name_taken.
    static Result<std::unique_ptr<Worker>> connect(Options options);

    /// Says goodbye: the members leave at once, with reason `left`.
    ~Worker() override;
    /// As the destructor; all calls answer `closed` afterwards. Idempotent.
    void close();

    [[nodiscard]] const std::string& name() const;
    /// The node it is attached to, or was attached to last.
    [[nodiscard]] NodeInfo node() const;

    using Tracker::join;
    using Tracker::leave;
    Result<Joined> join(const Group& group, OnNotification handler, const JoinOptions& options) override;
    Result<std::vector<MemberId>> leave(const Group& group, std::uint64_t count) override;
    Result<std::vector<MemberId>> leave(const Group& group, const std::vector<MemberId>& members) override;
    Result<Members> members(const Group& group) override;
    Result<Members> local_members(const Group& group) override;
    Result<std::vector<GroupInfo>> groups() override;
    Result<std::vector<NodeInfo>> nodes() override;
    Result<Status> status() override;
    Result<NotifyReport> notify(NotificationKind kind, const Group& group, const Data& data,
                                const NotifyOptions& options) override;
    /// As notify, but returns as soon as the call has its place among the posts that have no answer yet (512 of them,
    /// with 32 MiB of data), so that one thread keeps many under way; it waits for a place for at most the timeout.
    /// One thread's posts go out in order. The future is ready within the timeout, with what notify would answer
    /// (or overloaded: there was no place, and nothing was sent); who drops it forgets the answer alone.
    std::future<Result<NotifyReport>> post(NotificationKind kind, const Group& group, const Data& data,
                                           const NotifyOptions& options = {});
    Result<Watch> watch(const Group& group, OnWatch handler) override;
    Result<Watch> watch_all(OnWatch handler) override;
    bool unwatch(Watch watch) override;

private:
    struct Impl;
    explicit Worker(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster
