// A node of the cluster inside this process.
#pragma once

#include <muster/histogram.hpp>
#include <muster/insight.hpp>
#include <muster/log_line.hpp>
#include <muster/tracker.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace muster {

/// The same node that `musterd` runs, in this process. It also serves workers.
///
/// Processes: threads do not survive a fork. In a forked child all calls return
/// `closed` immediately, and `close` and the destructor do nothing. The parent's
/// node is not affected. The child may start a node of its own. A child that a
/// handler forks ends when it returns from the handler, as by `_exit(0)`.
///
/// Threads: one thread of the node owns its sockets. Handlers run on other
/// threads. The calls of one join or watch are made in order, one at a time.
/// A handler that blocks delays only its own join. When all
/// `limits.handler_threads` threads are blocked, the node starts another one
/// within about 100 ms and ends it when it is idle again. Other joins wait only
/// while `limits.max_handler_threads` handlers block at the same time. Handlers
/// never block the node. An exception of a handler is counted
/// (`handler_exceptions`), logged, and goes no further.
///
/// Signals: the node's threads block all signals. While they run user code
/// (handlers, on_log, on_stopped) they have the signal mask of the thread that
/// called start(), so that programs that user code starts can be signalled.
/// If the application waits for signals (sigwait, signalfd), block them before
/// start(), as before starting any thread.
///
/// Delivery: notifications wait for a join's handler in an inbox, which
/// `queues.inbox` bounds. A notification that does not fit is dropped by the
/// inbox's policy, reported to `on_gap`, and reported as `overflow` to a
/// notifier that waits. In a NotifyReport, `delivered` counts members whose
/// handler has returned or thrown (members that joined without a handler count
/// immediately), and `left` counts members that left before their handler was
/// called.
class Node final : public Tracker {
public:
    struct Options {
        /// Bounds of a queue, and what happens when it is full.
        struct Queue {
            std::size_t items = 65536;
            std::size_t bytes = std::size_t{64} << 20;
            OverflowPolicy policy = OverflowPolicy::drop_oldest;
        };

        /// What waits for a receiver that is slow or away.
        struct Queues {
            /// For one worker: items of its stream that it has not acknowledged. At least 16 items and 4 MiB.
            /// `refuse_newest` refuses the notification for this worker only; other members still receive it.
            Queue backlog{};
            /// For one other node: notifications and reports that it has not acknowledged. At least 16 items and 4 MiB.
            /// `refuse_newest` refuses the whole notify call; `disconnect` is not allowed.
            Queue link{};
            /// For the handler of one join of this process. A notification counts as one item for each member of the
            /// join. One that exceeds the bounds by itself waits only if no other does. At least 1 item and 1 byte.
            /// `disconnect` is not allowed.
            Queue inbox{};
        };

        /// Counts and sizes. Each is at least 1 unless it says otherwise.
        struct Limits {
            /// Connections to one port, at least 16. The system's limit on open files may lower it.
            std::size_t connections = 16384;
            /// Bytes on their way in, and bytes on their way out, of one connection. At least 4 MiB. All connections of
            /// a port together have at most a quarter of `memory`, on top of it.
            std::size_t connection_bytes = std::size_t{256} << 20;
            /// Bytes of all that workers and other nodes can make this node keep, at least 64 MiB. 0: a quarter of the
            /// memory of the machine or cgroup. Each key, and each other node, may have as much of it as is left free.
            /// The tables of other nodes come on top, and what libzmq holds: in all, less than four times as much.
            std::size_t memory = 0;
            std::size_t workers = 65536;  // attached at the same time, those in their grace period included
            // What one worker, or one join of this process, may have:
            std::size_t worker_members = std::size_t{1} << 20;
            std::size_t worker_groups = 65536;                 // groups that its members are in
            std::size_t worker_bytes = std::size_t{64} << 20;  // names of these groups, and metadata of the members
            std::size_t worker_watches = 1024;
            std::size_t worker_requests = 4096;    // not answered yet; at least 1024
            std::size_t peers = 4096;              // other nodes that this node knows, down ones included
            std::size_t handler_threads = 2;       // threads for handlers, when none blocks
            std::size_t max_handler_threads = 64;  // while handlers block; from handler_threads to 4096
            /// Entries that changes() keeps: so many of nodes, and so many of members and workers. 0: none.
            std::size_t journal = 0;
        };

        /// Without keys anybody who reaches the node may speak to it, so it binds to loopback only.
        struct Security {
            /// This node's own NAME.key, and the folder with the keys that it trusts (nodes/, workers/, observers/,
            /// operators/).
            /// Give both or neither. With both, every connection is encrypted and authenticated. Changes of the
            /// files take effect within seconds; see reload_keys().
            std::string key_file{};
            std::string keys_dir{};
            bool insecure = false;  // without keys: may bind to any address. With keys: no effect
        };

        struct Timing {
            /// How long a worker that lost its connection keeps its members. 0: they leave immediately.
            std::chrono::milliseconds session_grace{1000};
            /// How long the node waits for seeds that do not answer before it becomes ready.
            std::chrono::milliseconds ready_wait{3000};
            /// How long `queues.link` keeps notifications for a node that is down.
            std::chrono::milliseconds link_retention = std::chrono::minutes(5);
            /// close() first asks the workers of this node to go to other nodes, and waits so long for them at most. 0:
            /// it asks nobody. Without workers, or without another node, it does not wait.
            std::chrono::milliseconds drain_timeout = std::chrono::seconds(10);
            /// How long notifications are remembered for workers that go to another node, because theirs has died.
            std::chrono::milliseconds handover_window = std::chrono::seconds(30);
            /// After traffic, the node's own thread and one handler thread poll for so long before they sleep, so that
            /// what arrives then does not wait for a thread to wake up. 0 to 1 s. Polling uses only CPU time that is
            /// otherwise idle; 0 sleeps immediately.
            std::chrono::microseconds busy_poll{100};
        };

        /// Unique in the cluster: 1 to 64 of [A-Za-z0-9._-], beginning with a letter or digit.
        std::string name{};
        /// "HOST:PORT" or "[IPv6]:PORT" that workers and other nodes connect to. Port 0: any free port.
        std::string listen = "127.0.0.1:7100";
        /// "HOST:PORT" that others are told to connect to. Empty: `listen`. Needed behind NAT.
        std::string advertise{};
        std::uint16_t control_port = 0;  // for messages between nodes. 0: any free port below 32768
        std::uint16_t gossip_port = 0;   // for publications to other nodes. 0: any free port below 32768
        /// "[NAME@]HOST:PORT" of other nodes. The node tries them until they answer, without end; one is enough.
        /// With NAME@ only the node of that name is accepted there.
        std::vector<std::string> seeds{};
        /// Nodes of different scopes share nothing. 1 to 64 bytes without control characters.
        std::string scope = "default";

        Security security{};
        Queues queues{};
        Limits limits{};
        Timing timing{};

        /// Called when notifications to a join of `group` were dropped from its inbox. `missed` counts them once for
        /// each member of the join. Called on a handler thread, between the calls before and after the gap.
        std::function<void(const Group& group, std::uint64_t missed)> on_gap{};
        /// Called for each event worth logging, on a thread for it alone. If it is slow, 1,024 lines wait; further
        /// ones are dropped, and a line in their place says how many. At most 20 lines of one kind of event in ten
        /// seconds; the next line of that kind says how many were held back. close() waits for it for half a second
        /// at most, so an on_log that can block for longer must own what it uses.
        std::function<void(const LogLine& line)> on_log{};
        /// Called once if the node ends by itself, because a live node has its name. Called on the node's own thread,
        /// which must not destroy the Node. It should return soon: close() waits for it.
        std::function<void(const Error& error)> on_stopped{};
    };

    /// Durations measured since the start.
    struct Latencies {
        Histogram turn;      // of the node's own thread: from waking up to waiting again
        Histogram work;      // processor time of that thread in one turn
        Histogram lateness;  // of that thread: from when a timer was due to waking up for it
        Histogram report;    // from a notify call with `wait` at this node to its report
        Histogram delivery;  // from queueing a notification for a worker of this node to the worker having handled it
        Histogram repair;    // from finding that a copy of another node's table is behind to its being complete again
    };

    /// Checks everything that start() checks before it binds, and reads the key files. Changes nothing.
    /// Errors: bad_request (which option, and why), unreachable (the name in `listen` does not resolve now).
    static Result<Done> check(const Options& options);

    /// Binds the ports and starts the threads. Returns before the node is ready; see wait_ready().
    /// If `listen` has a host name, waits for it to be resolved, 5 s at most.
    /// Errors: bad_request (which option, and why), unreachable (the port is in use, this host does not have the
    /// address, or the name in `listen` does not resolve; this may change), overloaded (the system refuses descriptors
    /// or threads).
    static Result<std::unique_ptr<Node>> start(Options options);

    /// Same as close(). May be called by a handler or on_log, but not by on_stopped.
    ~Node() override;
    /// Leaves the cluster: the members of this node, and those of its workers, leave with the reason `node_left`. Waits
    /// until the goodbye is sent, about 200 ms, and for handlers that run. All later calls return `closed`. Idempotent.
    void close();

    [[nodiscard]] NodeId id() const;
    /// "HOST:PORT" for workers and for the seeds of other nodes.
    [[nodiscard]] std::string address() const;
    /// True once the node has synced with every peer that it can reach, or no seed has answered for `ready_wait`.
    [[nodiscard]] bool is_ready() const;
    /// Waits for is_ready(). False after the timeout.
    bool wait_ready(std::chrono::milliseconds timeout) const;
    /// Reads the key files now instead of at the next regular check. Returns a description of what has changed.
    /// Errors: bad_request (the node has no keys, or a file is broken: then its owner has the keys that it had, and the
    /// changes of all other files take effect), overloaded (no descriptor to read a file with), closed.
    Result<std::string> reload_keys();
    /// Time since the node's own thread began its last turn: up to half a second when the node is idle. If it is many
    /// seconds, the node is stuck. Waits for nothing, whatever other calls do.
    [[nodiscard]] std::chrono::milliseconds loop_age() const;

    /// Errors: closed.
    [[nodiscard]] Result<Latencies> latencies() const;

    /// The counters of status() without those that take a step per node. Errors: closed.
    Result<std::map<std::string, std::uint64_t>> counters();
    /// This node and every other node that it has not forgotten, sorted by name. Errors: closed.
    Result<std::vector<NodeView>> views();
    /// One part of a walk through all groups. Each part takes at most about 100 us, however many groups there are.
    /// `from` is 0 for the first part, then `next` of the previous part. A group that exists during the whole walk is
    /// returned once; one that is created or removed meanwhile may or may not be. Errors: closed.
    Result<GroupsPart> groups_part(std::uint64_t from);
    /// Up to 100 members of a group, by node name, then number, after the first `from`. Copies no others, however many
    /// there are. Errors: closed.
    Result<MembersPart> members_part(const Group& group, std::uint64_t from);
    /// Recent changes after `version` (0: all that are kept), oldest first; see Limits::journal. Errors: closed.
    Result<std::vector<Change>> changes(std::uint64_t version);

    // The verbs; see Tracker. All may also fail with `closed`.

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
    Result<Watch> watch(const Group& group, OnWatch handler) override;
    Result<Watch> watch_all(OnWatch handler) override;
    bool unwatch(Watch watch) override;

    struct Impl;

private:
    explicit Node(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace muster
