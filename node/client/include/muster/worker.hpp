// A worker: a process that is attached to one node of a list and owns members there.
#pragma once

#include <muster/log_line.hpp>
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

/// A worker attaches to a node of its list. If it loses that node, it goes on to the others, for ever. Its members,
/// handlers and watches outlive its session with a node:
/// - A session that is lost is resumed within its grace period (set at the node). Then nothing was missed.
/// - After that, or at another node, the worker joins and watches again by itself. Its members have new numbers then;
///   ids that `join` returned earlier still name them in `leave`. Nodes remember notifications for a time that is set
///   there. So the members get what was sent meanwhile, in the order of each notifier. `on_gap` reports what is not
///   remembered any more. Nodes of older versions remember nothing: what was sent meanwhile is lost there, without a
///   report.
/// - A `notify` whose node is lost is sent again at the next node, also after its answer, until the death of one node
///   cannot lose it any more. Each member gets it once. At most 1024 answered calls with 64 MiB of data are kept for
///   that; the oldest are given up first.
/// - A node that ends soon, or has too many workers, asks the worker to move. The worker joins at another node before
/// it
///   leaves the old one, and its members miss nothing. `on_attachment` reports both steps. If no other node is found
///   within 5 s, the worker stays.
///
/// **Notifications.** A member that lives gets each notification once, and those of one notifier in the order in which
/// they were sent. `group_seq` of those of one `from_node` rises without a jump, except where `on_gap` reports a loss,
/// or where `from_node` believed the member's node dead.
///
/// **Threads.** All calls are thread-safe and may be made by handlers. A Worker's handlers run one at a time, in order.
/// They run on threads that all Workers of a process share: two, and more while handlers block, so that a handler that
/// blocks delays those of other workers by some milliseconds at most. All Workers of a process share one more thread,
/// one thread of ZeroMQ's, and one connection to each node. A notification counts as delivered when its handlers have
/// returned or thrown. An exception of a handler is counted (`handler_exceptions`), logged, and goes no further.
///
/// **Signals.** The worker's threads block all signals. While handlers, `on_log` and the other callbacks run, they have
/// the signal mask of the thread that called `connect`, so that programs that a handler starts can be signalled. If the
/// application waits for signals (sigwait, signalfd), block them before `connect`, as before starting any thread.
///
/// **Processes.** Threads do not survive a fork. In a forked child the calls of a worker that the parent made return
/// `closed` immediately; `close` and the destructor do nothing, and leak what the worker has. The parent's worker is
/// not affected. The child connects a worker of its own. A child that a handler forks ends when it returns from
/// the handler, as by `_exit(0)`. No call may be made in a signal handler (they are not async-signal-safe).
///
/// **State file.** With a `state_file`, a worker that was killed and is started again within the grace period continues
/// its session: its members never left, and watchers see no change.
/// - A `join` with the same group, metadata and count as a join of the earlier process takes over that join's members,
///   in the order of joining. It returns immediately, with their ids (those that `members` shows) and the `unseen` of
///   then.
/// - Notifications for members that were not joined yet wait, and so does everything behind them in the stream. Members
///   that nobody has joined within `state_claim_timeout` leave.
/// - A join without an answer when the process died is undone; a leave is carried out. Watches end with their process.
/// - No notification is lost across a kill, but the one that was being handled is handled again. While the process
///   lives, each is handled once.
/// - The file belongs to one worker, with one name and one scope, and is locked while that worker lives. It has mode
///   0600, because it holds the token that gives access to the session: do not copy it. `close` ends the session.
/// - The file outlives the process, not the machine. If its session is over, the worker starts a new one.
class Worker final : public Tracker {
public:
    /// A loss of notifications.
    struct Gap {
        /// Deliveries that were lost: one notification for three members of this worker counts three.
        std::uint64_t missed = 0;
        /// Perhaps more were lost than `missed`, which may be 0: the nodes that knew the number are gone.
        bool at_least = false;

        operator std::uint64_t() const { return missed; }  // NOLINT(google-explicit-constructor): see on_gap
    };

    struct Options {
        std::vector<std::string> nodes{};  // "host:port" or "NAME@host:port"; tried in random order, at least one
        /// Empty: the name in the state file, or "<host name>-<process id>". With keys, a name is that of the key, or
        /// begins with it and a dot; then the default is "KEY.<host name>-<process id>", of the file KEY.key.
        std::string name{};
        std::string scope = "default";  // must be the nodes' scope
        /// Encryption: the file NAME.key with this worker's own key pair, and the folder whose nodes/NAME.pub are the
        /// keys of the nodes that it trusts. Give both if the nodes have keys, otherwise neither. NAME@ in an address
        /// says which node's key to expect there; without it, every trusted key is tried.
        std::string key_file{};
        std::string keys_dir{};
        std::chrono::milliseconds connect_timeout{5000};  // for connect() only
        /// Items received and not yet handled, at least 1. When it is full, the worker takes no more from its node: up
        /// to 1024 items or 1 MiB wait in the process, and the node keeps what follows.
        std::size_t inbox = 65536;
        /// Called on the handlers' thread when notifications were lost for good, in order with the handlers of those
        /// that were not. A function of `missed` alone, std::uint64_t, fits too.
        std::function<void(const Gap& gap)> on_gap{};
        /// Called on the handlers' thread when the worker was attached (true, "attached to a at host:port") or has lost
        /// or leaves its node (false, why).
        std::function<void(bool attached, const std::string& text)> on_attachment{};
        /// Called for events that the application's author should see, such as an exception of a handler, on a thread
        /// for it alone. If it is slow, 1,024 lines wait and further ones are dropped; a line in their place says how
        /// many. The end of the worker waits for it for half a second at most. Empty: one line on standard error.
        std::function<void(const LogLine& line)> on_log{};
        /// The file from which the next process continues the session (see above). Empty: none.
        std::string state_file{};
        /// How long, after the session was resumed, members of an earlier process wait to be joined.
        std::chrono::milliseconds state_claim_timeout{5000};
        /// Called at most once, on the handlers' thread, when the state file cannot be written any more. `text` says
        /// why. The worker goes on, but the next process will be a new worker.
        std::function<void(const std::string& text)> on_state_lost{};
        /// Try the nodes in the order of the list. Otherwise workers with one list spread over its nodes, also after
        /// one of them was lost.
        bool in_order = false;
        /// Attach to nodes of the list only. Otherwise the worker also tries nodes that its node knows, after those of
        /// the list.
        bool listed_only = false;
    };

    /// Returns when the worker is attached, at the latest after `connect_timeout`.
    /// Errors: bad_request (an option or the state file is wrong; the file is left as it is), unreachable (no node
    /// answered in time), overloaded (the system refuses descriptors or threads), refused (also: another process has
    /// the state file), wrong_scope, wrong_version, name_taken.
    static Result<std::unique_ptr<Worker>> connect(Options options);

    /// As `close`.
    ~Worker() override;
    /// Says goodbye: the members leave immediately, with reason `left`. Calls return `closed` afterwards, and no
    /// handler is called any more. Waits up to 200 ms for a handler that runs, so that its notification counts as
    /// delivered, and then until that handler has returned; called by a handler, it does not wait. Idempotent.
    void close();

    [[nodiscard]] const std::string& name() const;
    /// How many exceptions left handlers and other callbacks since `connect`.
    [[nodiscard]] std::uint64_t handler_exceptions() const;
    /// The node that the worker is attached to, or was last.
    [[nodiscard]] NodeInfo node() const;

    // Calls without a timeout of their own return within 5 s. While no node is there, calls wait for one. Errors of all
    // calls: bad_request; overloaded (at most 1024 calls with 64 MiB of data may be unanswered); unreachable (no node
    // answered in time); timeout (the call may still be carried out); closed.
    /// Administers the cluster: nodes forget a node that is down or has left, as they would by themselves after an
    /// hour. With keys, only an operator's key may; without, only a worker on the node's own host, over loopback.
    /// Errors: also refused; bad_request (no such node is known, or it is alive).
    Result<Done> forget(const std::string& node);
    /// Administers the node that the worker is attached to: it asks its workers to go to other nodes, those that come
    /// later as well, until drain(false) or its end. It serves those that stay. Errors: also refused; bad_request (it
    /// stops).
    Result<Done> drain(bool on = true);
    /// Administers that node: it asks `count` of its workers, not this one, to go to the node with the address `to`.
    /// Those that do not know it go to another one, or stay. Errors: also refused.
    Result<Done> move_workers(std::uint64_t count, const std::string& to);
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
    /// After an error `timeout` the notification may still be sent, also by another node. Errors: also unknown_session
    /// (only where a node is of an older version: its session ended before the answer came, so the notification may or
    /// may not have been sent).
    Result<NotifyReport> notify(NotificationKind kind, const Group& group, const Data& data,
                                const NotifyOptions& options) override;
    /// Like `notify`, but does not wait for the report, so that one thread can have many notifications under way. At
    /// most 512 posts with 32 MiB of data may be unanswered; at that bound `post` waits, at most the timeout. The posts
    /// of one thread are sent in order. The future becomes ready within the timeout, with the result of `notify`, or
    /// with overloaded if the bound was still reached (nothing was sent then). A future that is dropped cancels
    /// nothing.
    std::future<Result<NotifyReport>> post(NotificationKind kind, const Group& group, const Data& data,
                                           const NotifyOptions& options = {});
    Result<Watch> watch(const Group& group, OnWatch handler) override;
    Result<Watch> watch_all(OnWatch handler) override;
    struct WatchOptions {
        /// Calls the handler for each part of an event as it comes. The whole of a snapshot takes as much memory as its
        /// members, which may be millions; a part has about a thousand.
        bool in_parts = false;
    };
    Result<Watch> watch(const Group& group, OnWatch handler, const WatchOptions& options);
    Result<Watch> watch_all(OnWatch handler, const WatchOptions& options);
    bool unwatch(Watch watch) override;

private:
    struct Impl;
    explicit Worker(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster
