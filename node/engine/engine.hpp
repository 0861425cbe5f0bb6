// The core behind one lock, shared by the loop and the callers of an embedded node.
#pragma once

#include <muster/members.hpp>
#include <muster/result.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "cluster/core.hpp"
#include "node/engine/thread_views.hpp"
#include "node/engine/view_cache.hpp"
#include "node/handlers/own_members.hpp"
#include "node/io/wakeup.hpp"

namespace muster::node {

using CallResult = decltype(cluster::Answer::result);

/// Every event of every thread enters the core here. Callers step the core themselves, under the lock. Answers and
/// outdated views are handled before the lock is released, so a caller reads its own writes. All other actions go to
/// the outbox, in order, and the loop performs them.
///
/// Bounded: while the outbox holds kOutboxActions or kOutboxBytes, callers wait until the loop has taken it. The loop
/// never waits.
class Engine {
public:
    static constexpr std::size_t kOutboxActions = 32768;
    static constexpr std::size_t kOutboxBytes = 64u << 20;

    Engine(cluster::Options options, std::shared_ptr<Wakeup> wakeup);

    // ---- called by the loop ----

    /// Steps the core with an event of a socket, a handler or the clock.
    void step(cluster::EventBody body);
    /// Swaps the outbox into `actions`, which must be empty.
    void take(cluster::Actions& actions);
    /// The latest time to step a Tick; called before the loop sleeps. Until the loop's next call, a caller that makes
    /// it earlier, or fills the outbox, notifies the wakeup.
    cluster::Instant deadline();
    /// Whether the time to step a Tick has come.
    [[nodiscard]] bool is_due();

    // ---- any thread ----

    /// Steps an event that has no answer (watch, unwatch). False if closed.
    bool post(cluster::EventBody body);
    /// Steps a LocalJoin, LocalLeave or LocalNotify and waits for its answer. The core answers within the timeout of
    /// the call. `patience` ends the wait if the loop is stuck and does not step the core. Errors: closed, timeout, and
    /// those of the call.
    template <class Call>
    CallResult call(Call call, std::chrono::milliseconds patience) {
        Lock lock(mutex_);
        if (!wait_for_room(lock)) return *closed_;
        CallResult result = await(lock, std::move(call), patience);
        release(lock);
        return result;
    }
    struct Joined {
        proto::NumberRun members;
        std::uint64_t unseen = 0;  // live nodes that have not confirmed in time; see JoinReply
    };
    /// Same as call(LocalJoin), and remembers whose members they are. Each handler joins once. Only a visible join
    /// waits, at most `patience`. Errors: closed, timeout, bad_request, overloaded.
    Result<Joined> join(const cluster::LocalJoin& join, std::chrono::milliseconds patience);
    struct Left {
        std::vector<MemberNumber> members;
        std::vector<cluster::HandlerId> ended;  // handlers that have no member left, except idle ones
    };
    /// Members that joined through join() leave, whichever handlers they have. Errors: closed, not_joined.
    Result<Left> leave(const Group& group, const OwnMembers::Wanted& wanted);

    /// The incarnation of this node. It rises if a later life of the node's name is known in the cluster. All ids of
    /// members then change; their numbers stay.
    [[nodiscard]] Incarnation incarnation() const { return Incarnation{incarnation_.load(std::memory_order_acquire)}; }
    /// Takes no lock while the group does not change. After a change, the first call on each thread takes the lock, and
    /// the first call of all makes a new view. Errors: closed.
    Result<Members> members(const Group& group) {
        const std::uint64_t hash = group_hash(group);
        if (MembersHold* hold = ThreadViews::find(number_, group, hash)) return Members(*hold);
        return look_up(group, hash);
    }
    /// Calls `ask(core)` under the lock and returns its result.
    template <class Ask>
    auto ask(const Ask& ask) const {
        const std::lock_guard lock(mutex_);
        return ask(core_);
    }
    [[nodiscard]] bool is_ready() const { return ready_.load(std::memory_order_acquire); }
    /// Waits for is_ready(). False after the timeout, or if the engine is closed.
    bool wait_ready(std::chrono::milliseconds timeout) const;

    /// Leaves the cluster: puts the Goodbye into the outbox. Every waiting call and every later call returns `why`.
    /// Idempotent.
    void close(Error why);
    [[nodiscard]] std::optional<Error> why_closed() const;
    [[nodiscard]] bool is_closed() const { return is_closed_.load(std::memory_order_acquire); }

private:
    /// A call whose thread waits for the answer.
    struct WaitingCall {
        std::condition_variable done;
        std::optional<CallResult> result;
    };

    using Lock = std::unique_lock<std::mutex>;

    Result<Members> look_up(const Group& group, std::uint64_t hash);
    /// Waits for room in the outbox. False if closed.
    bool wait_for_room(Lock& lock);
    template <class Call>
    CallResult await(Lock& lock, Call call, std::chrono::milliseconds patience) {
        call.call = cluster::CallId{++last_call_};
        const auto id = call.call;
        return await(lock, id, cluster::EventBody(std::move(call)), patience);
    }
    CallResult await(Lock& lock, cluster::CallId id, cluster::EventBody body, std::chrono::milliseconds patience);
    /// join() without its end.
    Result<Joined> join_core(Lock& lock, const cluster::LocalJoin& join, std::chrono::milliseconds patience);
    /// Steps the core and sorts the new actions.
    void step_core(cluster::EventBody body);
    /// Performs what callers must see when their call returns, and moves the rest to the outbox.
    void sort_new_actions();
    void answer(cluster::Answer answer);
    /// Whether the loop sleeps longer than it may: the outbox has actions, or the core has an earlier deadline.
    [[nodiscard]] bool must_wake_loop();
    /// Unlocks, then wakes the loop if it must, and the callers that have their answer. A thread that wakes takes the
    /// lock first, so waking it before unlocking would cost two context switches more.
    void release(Lock& lock);

    const EngineNumber number_;
    mutable std::mutex mutex_;
    cluster::Core core_;
    cluster::Actions new_actions_;  // of the current step
    cluster::Actions outbox_;
    std::size_t outbox_bytes_ = 0;  // of notification data, approximately
    std::condition_variable room_;
    std::unordered_map<cluster::CallId, std::shared_ptr<WaitingCall>> waiting_;
    std::vector<std::shared_ptr<WaitingCall>> answered_;  // must be woken
    std::optional<std::pair<cluster::CallId, std::optional<CallResult>>>
        current_call_;  // answered in its own step, usually
    std::optional<Error> closed_;
    cluster::Instant sleeps_until_ = cluster::kNever;  // last result of deadline()
    bool loop_sleeps_ = true;                          // or is about to sleep, and has not been woken
    mutable std::condition_variable ready_changed_;
    std::atomic<bool> ready_ = false;
    std::atomic<bool> is_closed_ = false;
    std::atomic<std::uint64_t> incarnation_;
    std::uint64_t last_call_ = 0;
    OwnMembers own_;
    ViewCache views_;  // cleared by close(), so that all views in ThreadViews are outdated, too
    std::shared_ptr<Wakeup> wakeup_;
};

}  // namespace muster::node
