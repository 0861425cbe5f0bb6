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

/// Repeats turns until the engine is closed. A turn:
///  1. wait until a socket has something, the core's deadline has come, or a caller wakes the loop;
///  2. step all messages that have arrived, and the outcomes of handlers;
///  3. if the deadline has come, read the sockets of nodes once more, then step a Tick. Without the second read, the
///     failure detector could suspect a node whose heartbeat waits in a socket;
///  4. perform the actions of the outbox, then put the gathered notifications into the inboxes.
///
/// What the core gathered during the turn (own deltas, link items, streams of workers) leaves with the Tick.
class Loop {
public:
    /// Starts the thread. `node` and `engine` must outlive the loop. After a turn with traffic (something for members
    /// or watchers, here or at other nodes), the loop polls for `busy_poll` before it sleeps.
    Loop(Engine& engine, std::unique_ptr<Sockets> sockets, LoopCallbacks& node, std::chrono::microseconds busy_poll);
    /// Waits until the last actions are performed and the sockets are closed, about 200 ms. The engine must be closed.
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Time since the last turn began. Grows without end when the loop has ended. Any thread.
    [[nodiscard]] std::chrono::milliseconds age() const;

    struct Times {
        Histogram turns;     // from waking up to waiting again
        Histogram work;      // the processor time of that
        Histogram lateness;  // from the deadline to waking up for it
    };
    /// Any thread.
    [[nodiscard]] Times times() const;

private:
    void run();
    /// Step 1 of a turn; also measures the previous turn.
    void wait();
    /// Step 4 of a turn. Whether it had traffic, so that answers may arrive soon.
    bool perform();

    Engine& engine_;
    std::unique_ptr<Sockets> sockets_;
    LoopCallbacks& node_;
    const std::chrono::microseconds busy_poll_;
    Emit emit_;
    cluster::Actions actions_;
    cluster::Instant poll_until_{};
    cluster::Instant last_housekeeping_{};
    std::atomic<cluster::Instant> turn_began_;
    std::chrono::nanoseconds used_before_turn_{};  // processor time
    mutable std::mutex times_mutex_;
    Times times_;
    std::thread thread_;
};

}  // namespace muster::node
