// The one thread that owns a node's sockets and timers.
#pragma once

#include <muster/histogram.hpp>
#include <muster/result.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "node/engine/engine.hpp"
#include "node/sockets/sockets.hpp"

namespace muster::node {

/// The node, as its loop sees it: performs the actions that concern handlers, watchers, the log and the end of the
/// node. An interface because engine/ may not include the node. Called on the loop's thread. Must not block.
class LoopCallbacks {
public:
    virtual ~LoopCallbacks() = default;
    virtual void deliver(cluster::Deliver&& deliver) = 0;
    virtual void deliver(const cluster::DeliverGap& gap) = 0;
    /// Called at the end of each turn. Puts the notifications of that turn into the inboxes of their handlers.
    virtual void flush_deliveries() = 0;
    /// Outcomes of notifications that a fan-out awaits, since the last call.
    virtual std::vector<cluster::Outcome> take_outcomes() = 0;
    virtual void tell(cluster::TellWatcher&& tell) = 0;
    virtual void note(cluster::Note&& note) = 0;
    /// The node cannot go on. It closes the engine, which ends the loop.
    virtual void stopped(Error&& error) = 0;
};

/// A turn: wait, take in what has arrived and what handlers have done, step a
/// tick if one is due (having first read what nodes have sent), perform what
/// the core asks for.
class Loop {
public:
    /// `node` and `engine` outlive the loop. After a turn in which something went on to members or watchers, or was on
    /// its way to them, the loop stays awake for `busy_poll`.
    Loop(Engine& engine, std::unique_ptr<Sockets> sockets, LoopCallbacks& node, std::chrono::microseconds busy_poll);
    /// The engine must have been closed: waits until its last actions are
    /// performed and the sockets are closed, some 200 ms.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Since the last turn began; a loop that has ended counts as turning no more.
    [[nodiscard]] std::chrono::milliseconds age() const;

    struct Times {
        Histogram turns;     // from waking up to waiting again
        Histogram lateness;  // from when a timer was due to waking up for it
    };
    [[nodiscard]] Times times() const;

private:
    void run();
    /// Returns when there is something to do.
    void wait();
    /// Whether something was among it that others may soon answer.
    bool perform();

    Engine& engine_;
    std::unique_ptr<Sockets> sockets_;
    LoopCallbacks& node_;
    const std::chrono::microseconds busy_poll_;
    Emit emit_;
    cluster::Actions actions_;
    cluster::Instant awake_until_{};
    cluster::Instant housekept_{};
    std::atomic<cluster::Instant> turned_;
    mutable std::mutex times_mutex_;
    Times times_;
    std::thread thread_;
};

}  // namespace muster::node
