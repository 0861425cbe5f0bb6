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

/// The same node that `musterd` runs, with handlers of its own: it also serves
/// workers. One thread owns its sockets; handlers run on others, the calls of
/// one join or watch in order and never two at once.
///
/// A handler that blocks holds back its own join alone: where all
/// `handler_threads` are blocked, further ones are started within some 100 ms,
/// and end when they are not needed any more. Only `max_handler_threads` blocked
/// handlers at once hold back the others; nothing holds back the node.
///
/// What waits for a join's handler is bounded by `inbox` and `inbox_bytes`. What
/// finds no room is dropped as `inbox_policy` says, told to `on_gap`, and
/// reported as `overflow` to who notified with wait. There, `delivered` counts
/// the members whose handler has returned (or thrown; a join without a handler
/// takes all at once), and `left` those that left before it was called.
class Node final : public Tracker {
public:
    struct Options {
        std::string name{};                     // unique in the cluster: 1-64 of [A-Za-z0-9._-]
        std::string listen = "127.0.0.1:7100";  // port 0: any free one
        std::string advertise{};                // what others connect to; empty: as `listen`
        std::uint16_t control_port = 0;         // node to node; 0: any free one below 32768
        std::uint16_t gossip_port = 0;          // publications; 0: any free one below 32768
        std::vector<std::string> seeds{};       // "[NAME@]host:port" of other nodes, retried for ever
        std::string scope = "default";
        /// This node's own NAME.key, and the folder of the keys that it trusts (nodes/, workers/, observers/): both,
        /// and every connection is encrypted and proves who it is; or neither. Changes are noticed within seconds.
        std::string key_file{};
        std::string keys_dir{};
        /// Without keys only loopback is bound, since everyone may speak; this allows any address. With keys: nothing.
        bool insecure = false;
        std::chrono::milliseconds session_grace{1000};
        std::chrono::milliseconds ready_wait{3000};
        // Bounds of what waits for others; at least 16 items and 4 MiB each.
        std::size_t backlog_items = 65536;                            // for one worker: of its stream, not acknowledged
        std::size_t backlog_bytes = std::size_t{64} << 20;            // the same
        OverflowPolicy backlog_policy = OverflowPolicy::drop_oldest;  // refuse_newest is for this worker alone
        std::size_t link_items = 65536;                  // for one node: notifications and reports, not acknowledged
        std::size_t link_bytes = std::size_t{64} << 20;  // the same
        OverflowPolicy link_policy = OverflowPolicy::drop_oldest;  // refuse_newest refuses the whole notify call
        std::chrono::milliseconds link_retention = std::chrono::minutes(5);  // of it, for a node that is down
        // What one who connects may take.
        std::size_t connections = 16384;                        // to one port; at least 16; within the system's limit
        std::size_t connection_bytes = std::size_t{256} << 20;  // on its way in or out, of one; at least 4 MiB
        std::size_t workers = 65536;
        std::size_t worker_members = std::size_t{1} << 20;  // of one worker, or of one join of this process
        std::size_t worker_groups = 65536;                  // the same, that its members are in
        std::size_t worker_bytes = std::size_t{64} << 20;   // the same, of groups' names and metadata
        std::size_t worker_watches = 1024;
        std::size_t worker_requests = 4096;  // that have no answer yet; at least 1024
        std::size_t peers = 4096;            // other nodes that are known, those that are down included
        std::size_t handler_threads = 2;
        std::size_t max_handler_threads = 64;  // while handlers block; at most 4096
        std::size_t inbox = 65536;             // notifications that wait for one join's handler, times its members
        std::size_t inbox_bytes = 64u << 20;   // of the same; one notification beyond either waits if it is alone
        OverflowPolicy inbox_policy = OverflowPolicy::drop_oldest;  // or refuse_newest
        /// After each turn with traffic, the node's own thread and one of the handlers' stay awake for so long, at
        /// most 1 s: what comes then finds no processor asleep. Costs as much processor time, which other threads
        /// can have at any moment. 0: they sleep at once.
        std::chrono::microseconds busy_poll{100};
        /// So many changes() are kept, of nodes and of members and workers each; 0: none.
        std::size_t journal = 0;
        /// So many notifications, times members, were dropped from the inbox of a join to `group`. Called where
        /// they would have been: on the handler's thread, between the calls before and after them.
        std::function<void(const Group& group, std::uint64_t missed)> on_gap{};
        /// One line for each event worth telling, on the node's own thread; it must not block. Of one kind of event
        /// at most 20 in ten seconds; the next one says how many were held back.
        std::function<void(const LogLine& line)> on_log{};
        /// The node ended by itself (its name is taken by a live node); called once, on the node's own thread,
        /// which must not destroy the Node.
        std::function<void(const Error& error)> on_stopped{};
    };

    /// How long things took since the start.
    struct Latencies {
        Histogram turn;      // of the node's own thread, without its waiting
        Histogram lateness;  // of that thread, when a timer of it was due
        Histogram report;    // from a notify with wait at this node to its report
        Histogram delivery;  // from a notification going to a worker here to the worker having handled it
        Histogram repair;    // from a copy of another node's table being behind to its being complete again
    };

    /// What of the options start() would refuse, and key files that cannot be used. Binds and changes nothing.
    /// Errors: as start().
    static Result<Done> check(const Options& options);

    /// Binds and starts. Errors: bad_request (which option, and why), unreachable (port in use).
    static Result<std::unique_ptr<Node>> start(Options options);

    /// Leaves the cluster: its members are gone everywhere at once, with reason `node_left`.
    ~Node() override;
    /// As the destructor; all calls answer `closed` afterwards. Idempotent.
    void close();

    [[nodiscard]] NodeId id() const;
    /// "host:port" that workers and seeds use.
    [[nodiscard]] std::string address() const;
    /// Synced with every peer that could be reached, or no seed answered in time.
    [[nodiscard]] bool is_ready() const;
    /// Waits for is_ready(); false when the time ran out.
    bool wait_ready(std::chrono::milliseconds timeout) const;
    /// Reads the key files again at once, instead of when they are next looked at; answers what has changed.
    /// Errors: bad_request (the node has none, or a file is broken, and then nothing has changed), closed.
    Result<std::string> reload_keys();
    /// Since the node's own thread last turned; half a second when it has nothing to do,
    /// and when it is many seconds, the node is stuck.
    [[nodiscard]] std::chrono::milliseconds loop_age() const;

    /// Errors: closed.
    [[nodiscard]] Result<Latencies> latencies() const;

    /// Those of status() that take no look at every group or worker. Errors: closed.
    Result<std::map<std::string, std::uint64_t>> counters();
    /// This node and every other that it has not forgotten, by name. Errors: closed.
    Result<std::vector<NodeView>> views();
    /// A part of a walk through all groups that keeps the node for some 100 us at most, however many there are.
    /// `from` is 0, then the `next` of the part before. A group that stands all the while is met once; one that comes
    /// or goes meanwhile may be. Errors: closed.
    Result<GroupsPart> groups_part(std::uint64_t from);
    /// What changed lately beyond `version` (0: all that is kept), oldest first. Errors: closed.
    Result<std::vector<Change>> changes(std::uint64_t version);

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
