// The core behind one lock, shared by the loop and by the callers of an embedded node.
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

/// Every event passes here, from whichever thread. What the core asks for goes
/// to the outbox in order, and the loop performs it; answers and changed views
/// are dealt with at once, so that a caller reads its own writes.
///
/// Bounded: callers (never the loop) wait while the outbox holds kOutboxActions
/// or kOutboxBytes, until the loop has taken it.
class Engine {
public:
    static constexpr std::size_t kOutboxActions = 32768;
    static constexpr std::size_t kOutboxBytes = 64u << 20;

    Engine(cluster::Options options, std::shared_ptr<Wakeup> wakeup);

    // ---- the loop's side ----

    /// Takes in what a socket or the clock has said.
    void step(cluster::EventBody body);
    /// Swaps the outbox into `actions`, which must be empty.
    void take(cluster::Actions& actions);
    /// When to step a Tick at the latest. Until the next call of this, a caller
    /// that moves it forward notifies the wakeup.
    cluster::Instant deadline();
    [[nodiscard]] bool is_due();

    // ---- any thread ----

    /// A call that has no answer (watch, unwatch). False when closed.
    bool post(cluster::EventBody body);
    /// A call of type LocalJoin, LocalLeave or LocalNotify. The core answers in
    /// time by itself; `patience` only ends the wait should the loop be stuck.
    template <class Call>
    CallResult call(Call call, std::chrono::milliseconds patience) {
        Lock lock(mutex_);
        if (!enter(lock)) return *closed_;
        CallResult result = await(lock, std::move(call), patience);
        release(lock);
        return result;
    }
    struct Joined {
        proto::NumberRun members;
        std::uint64_t unseen = 0;  // as in JoinReply
    };
    /// A handler joins for the first time. `patience` is for a join that wants to be visible.
    Result<Joined> join(const cluster::LocalJoin& join, std::chrono::milliseconds patience);
    struct Left {
        std::vector<MemberNumber> members;
        std::vector<cluster::HandlerId> ended;  // handlers that have no member any more; without idle ones
    };
    /// Members that joined by join(), of whichever handlers. Errors: closed, not_joined.
    Result<Left> leave(const Group& group, const OwnMembers::Wanted& wanted);

    /// This life of the node; it does not change any more once a join has been answered.
    [[nodiscard]] Incarnation incarnation() const { return Incarnation{incarnation_.load(std::memory_order_acquire)}; }
    /// While the group does not change this takes no lock; else the first caller on each thread waits for the core,
    /// and the first of all makes the view anew.
    /// Errors: closed.
    Result<Members> members(const Group& group) {
        const std::uint64_t hash = proto::group_hash(group);
        if (MembersHold* hold = ThreadViews::find(number_, group, hash)) return Members(*hold);
        return look_up(group, hash);
    }
    template <class Ask>
    auto ask(const Ask& ask) const {
        const std::lock_guard lock(mutex_);
        return ask(core_);
    }
    [[nodiscard]] bool is_ready() const { return ready_.load(std::memory_order_acquire); }
    /// False when the time ran out, or the engine was closed.
    bool wait_ready(std::chrono::milliseconds timeout) const;

    /// Leaves the cluster: the goodbye lies in the outbox, every call that waits
    /// and every later one answers `why`. Idempotent.
    void close(Error why);
    [[nodiscard]] std::optional<Error> why_closed() const;
    [[nodiscard]] bool is_closed() const { return is_closed_.load(std::memory_order_acquire); }

private:
    struct Slot {
        std::condition_variable done;
        std::optional<CallResult> result;
    };

    using Lock = std::unique_lock<std::mutex>;

    Result<Members> look_up(const Group& group, std::uint64_t hash);
    /// Waits for room in the outbox; false when closed.
    bool enter(Lock& lock);
    template <class Call>
    CallResult await(Lock& lock, Call call, std::chrono::milliseconds patience) {
        call.call = cluster::CallId{++last_call_};
        const auto id = call.call;
        return await(lock, id, cluster::EventBody(std::move(call)), patience);
    }
    CallResult await(Lock& lock, cluster::CallId id, cluster::EventBody body, std::chrono::milliseconds patience);
    /// Steps the core and sorts what it asks for.
    void advance(cluster::EventBody body);
    void sort_out();
    void answer(cluster::Answer answer);
    /// Whether the loop sleeps and something has become due earlier; then it must be woken.
    [[nodiscard]] bool must_rouse();
    /// Unlocks, and then wakes the loop if it must be, and the callers that have their answer: whoever wakes takes
    /// the lock first.
    void release(Lock& lock);

    const EngineNumber number_;
    mutable std::mutex mutex_;
    cluster::Core core_;
    cluster::Actions fresh_;  // of the step under way
    cluster::Actions outbox_;
    std::size_t outbox_bytes_ = 0;  // of notification data, roughly
    std::condition_variable room_;
    std::unordered_map<cluster::CallId, std::shared_ptr<Slot>> waiting_;
    std::vector<std::shared_ptr<Slot>> answered_;                                   // to be woken
    std::optional<std::pair<cluster::CallId, std::optional<CallResult>>> calling_;  // the call under way
    std::optional<Error> closed_;
    cluster::Instant sleeps_until_ = cluster::kNever;  // the deadline the loop knows of
    bool loop_sleeps_ = true;                          // or is about to, and nobody has woken it
    mutable std::condition_variable ready_changed_;
    std::atomic<bool> ready_ = false;
    std::atomic<bool> is_closed_ = false;
    std::atomic<std::uint64_t> incarnation_;
    std::uint64_t last_call_ = 0;
    OwnMembers own_;
    ViewCache views_;  // nothing that a thread remembers is current once it is closed
    std::shared_ptr<Wakeup> wakeup_;
};

}  // namespace muster::node
