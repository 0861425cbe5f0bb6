// The implementation of muster::Node.
#pragma once

#include <muster/node.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "node/engine/engine.hpp"
#include "node/engine/loop.hpp"
#include "node/handlers/deliver_batches.hpp"
#include "node/handlers/handler_errors.hpp"
#include "node/handlers/outcome_box.hpp"
#include "node/handlers/own_members.hpp"
#include "node/io/forks.hpp"
#include "node/io/log_queue.hpp"
#include "node/io/node_counters.hpp"
#include "node/io/signals_blocked.hpp"
#include "node/keys/keyring.hpp"
#include "node/notes.hpp"

namespace muster {

/// Connects the engine, the loop and the handlers, and translates the calls of users into events of the core.
///
/// Each join is a handler of its own to the core, with an inbox of its own. A watch whose handler is too slow for all
/// events starts again with a fresh snapshot: its WatchId changes, its Watch, which the user has, does not.
struct Node::Impl final : node::LoopCallbacks {
    explicit Impl(Node::Options given) : options(std::move(given)) {}
    ~Impl() override;

    /// See Node::check(). Empty if start() would accept the options.
    static std::optional<Error> why_not(const Node::Options& options);
    /// See Node::start(). `drop` is for tests: it chooses gossip messages to drop.
    static Result<std::unique_ptr<Impl>> start(Node::Options options, node::DropFilter drop = {});
    /// The same; throws if the system has no more descriptors or threads.
    static Result<std::unique_ptr<Impl>> start_or_throw(Node::Options options, node::DropFilter drop);
    void close();
    void drain();

    /// Whether this process is a fork of the one that started the node. Threads do not survive a fork, so calls then
    /// return `elsewhere()`, and the object must be leaked.
    [[nodiscard]] bool is_elsewhere() const { return forks != node::forks(); }
    static Error elsewhere() {
        return {ErrorCode::closed,
                "the node belongs to another process, and this is a fork of it: start a new one here"};
    }

    // ---- called by Node; any thread ----

    [[nodiscard]] std::optional<Error> why_closed() const {
        return is_elsewhere() ? elsewhere() : engine->why_closed();
    }

    /// Registers a handler. Called before the core knows it, so that nothing can be delivered to a handler that is not
    /// registered yet. An empty handler is idle and is not registered.
    cluster::HandlerId add_handler(const Group& group, OnNotification handler);
    /// Notifications that wait for it are missed as `left`. Does not wait for a call of the handler that runs.
    void remove_handler(cluster::HandlerId id);
    /// nullptr if the handler is idle or removed.
    [[nodiscard]] std::shared_ptr<node::NotificationInbox> inbox_of(cluster::HandlerId handler) const;
    Result<std::vector<MemberId>> leave(const Group& group, const node::OwnMembers::Wanted& wanted);
    Result<Watch> watch(const Group& group, OnWatch handler);
    bool unwatch(Watch watch);
    [[nodiscard]] bool is_watched(cluster::WatchId id) const;
    [[nodiscard]] NodeId id() const { return {options.name, engine->incarnation()}; }

    // ---- node::LoopCallbacks; the loop's thread ----

    void deliver(cluster::Deliver&& deliver) override;
    void deliver(const cluster::DeliverGap& gap) override;
    void flush_deliveries() override;
    std::vector<cluster::Outcome> take_outcomes() override { return outcomes->take(); }
    void tell(cluster::TellWatcher&& tell) override;
    void note(cluster::Note&& note) override;
    void stopped(Error&& error) override;

    void log(LogLine line) { log_queue->push(std::move(line)); }
    [[nodiscard]] node::HandlerErrors errors() const { return {counts, log_queue}; }

    /// An event of a watch, whose handler's thread puts it together.
    struct Told {
        std::vector<WatchEvent> parts;
        std::size_t bytes = 0;
    };
    using WatchInbox = node::Inbox<std::shared_ptr<Told>>;
    struct Watcher {
        Group group;
        cluster::WatchId id;
        std::shared_ptr<WatchInbox> inbox;
        std::shared_ptr<Told> told = std::make_shared<Told>();  // what has come of an event; the loop's thread
    };

    const Node::Options options;
    const unsigned forks = node::forks();  // of this process when the node was made
    std::shared_ptr<node::Wakeup> wakeup = std::make_shared<node::Wakeup>();
    // Shared with handlers: one that destroys the node still runs afterwards.
    std::shared_ptr<node::NodeCounters> counts = std::make_shared<node::NodeCounters>();
    std::shared_ptr<node::LogQueue> log_queue =
        std::make_shared<node::LogQueue>(options.on_log, std::shared_ptr<node::LogCounts>(counts, &counts->log));
    const node::SignalMask signals = node::SignalMask::of_this_thread();  // of the application
    std::shared_ptr<node::OutcomeBox> outcomes = std::make_shared<node::OutcomeBox>(wakeup);
    std::optional<node::HandlerPool> pool;
    std::optional<node::Engine> engine;
    std::shared_ptr<keys::Keyring> keys;  // null without keys
    std::string address;
    node::DeliverBatches deliver_batches{outcomes};  // used by the loop only
    std::atomic<std::uint64_t> last_handler = 0;

    /// Guards the members from here to `closing`. Never held while the engine or a handler is called.
    mutable std::mutex mutex;
    std::unordered_map<cluster::HandlerId, std::shared_ptr<node::NotificationInbox>> handlers;  // except idle ones
    std::unordered_map<Watch, Watcher> watchers;
    std::unordered_map<cluster::WatchId, Watch> watch_of;
    std::uint64_t last_watch = 0;
    std::uint64_t last_watch_id = 0;

    std::mutex closing;  // one close() at a time
    /// Guards the pointer. Held for moments only, so that loop_age() waits for nobody, not even for close().
    mutable std::mutex loop_mutex;
    std::unique_ptr<node::Loop> loop;  // ends first, because it uses everything above
};

}  // namespace muster
