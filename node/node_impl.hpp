// What stands behind muster::Node.
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
#include "node/handlers/outcome_box.hpp"
#include "node/handlers/own_members.hpp"
#include "node/io/line_limiter.hpp"
#include "node/io/node_counters.hpp"
#include "node/keys/keyring.hpp"
#include "node/notes.hpp"

namespace muster {

/// Every join is a handler of its own to the core, with an inbox of its own. A
/// watch keeps its number when it has to begin anew with another snapshot,
/// because its handler was too slow for the changes.
struct Node::Impl final : node::LoopCallbacks {
    explicit Impl(Node::Options given) : options(std::move(given)) {}
    ~Impl() override;

    /// What of the options, and of the files that they name, start() would refuse.
    static std::optional<Error> why_not(const Node::Options& options);
    /// Checks the options, binds, starts the threads.
    static Result<std::unique_ptr<Impl>> start(Node::Options options, node::Lose lose = {});
    void close();

    // ---- the verbs' helpers; any thread ----

    /// Registers a handler before the core can deliver to it. An empty one is idle: it is not registered, and what
    /// comes for it counts as delivered.
    cluster::HandlerId add_handler(const Group& group, OnNotification handler);
    /// What waits for it is missed, as `left`. A call under way goes on.
    void remove_handler(cluster::HandlerId id);
    /// nullptr when there is no such handler (any more), or an idle one.
    [[nodiscard]] std::shared_ptr<node::NotificationInbox> inbox_of(cluster::HandlerId handler) const;
    Result<std::vector<MemberId>> leave(const Group& group, const node::OwnMembers::Wanted& wanted);
    Result<Watch> watch(const Group& group, OnWatch handler);
    bool unwatch(Watch watch);
    /// Of this life.
    [[nodiscard]] NodeId id() const { return {options.name, engine->incarnation()}; }

    // ---- node::LoopCallbacks; the loop's thread ----

    void deliver(cluster::Deliver&& deliver) override;
    void deliver(const cluster::DeliverGap& gap) override;
    void flush_deliveries() override;
    std::vector<cluster::Outcome> take_outcomes() override { return outcomes->take(); }
    void tell(cluster::TellWatcher&& tell) override;
    void note(cluster::Note&& note) override;
    void stopped(Error&& error) override;

    /// The loop's, or the starter's before there is a loop.
    void log(LogLine line);

    using WatchInbox = node::Inbox<WatchEvent>;
    struct Watcher {
        Group group;
        cluster::WatchId id;
        std::shared_ptr<WatchInbox> inbox;
    };

    const Node::Options options;
    std::shared_ptr<node::Wakeup> wakeup = std::make_shared<node::Wakeup>();
    // Shared with the handlers, which may outlive the node that they end.
    std::shared_ptr<node::NodeCounters> counts = std::make_shared<node::NodeCounters>();
    std::shared_ptr<node::OutcomeBox> outcomes = std::make_shared<node::OutcomeBox>(wakeup);
    std::optional<node::HandlerPool> pool;
    std::optional<node::Engine> engine;
    std::shared_ptr<keys::Keyring> keys;  // empty: none
    std::string address;
    node::LineLimiter limiter;                       // the loop's
    node::DeliverBatches deliver_batches{outcomes};  // the loop's
    std::atomic<std::uint64_t> last_handler = 0;

    mutable std::mutex mutex;  // of all below; never held while the engine or a handler is called
    std::unordered_map<cluster::HandlerId, std::shared_ptr<node::NotificationInbox>> handlers;  // not idle ones
    std::unordered_map<Watch, Watcher> watchers;
    std::unordered_map<cluster::WatchId, Watch> watch_of;
    std::uint64_t last_watch = 0;
    std::uint64_t last_watch_id = 0;

    std::mutex closing;
    std::optional<node::Loop> loop;  // ended first
};

}  // namespace muster
