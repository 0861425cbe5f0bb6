// The bounded queue in front of one handler.
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "node/handlers/handler_pool.hpp"

namespace muster::node {

/// Every item put in is run, or else told to `on_missed`, once; what was missed for want of room is also
/// told to `on_gap`, in its place among those that are run. Thread-safe.
template <class Item>
class Inbox final : public Strand, public std::enable_shared_from_this<Inbox<Item>> {
public:
    /// An item that is beyond them alone is taken when nothing else waits.
    struct Limits {
        std::uint64_t items = 65536;
        std::size_t bytes = 64u << 20;
        OverflowPolicy policy = OverflowPolicy::drop_oldest;  // never `disconnect`
    };
    using Run = std::function<void(const Item&)>;
    /// So many were missed for want of room since the last item was run. Called as `run` is.
    using OnGap = std::function<void(std::uint64_t)>;
    /// The item is not run: no room (overflow), or closed (left). Must not block, nor call the inbox.
    using OnMissed = std::function<void(const Item&, MissReason)>;

    Inbox(HandlerPool& pool, Limits limits, Run run, OnGap on_gap = {}, OnMissed on_missed = {})
        : pool_(pool),
          limits_(limits),
          run_(std::move(run)),
          on_gap_(std::move(on_gap)),
          on_missed_(std::move(on_missed)) {}

    /// Puts an item that counts as `weight`; when there is no room for it, the policy says what gives way.
    void push(Item item, std::uint64_t weight, std::size_t bytes) {
        Lock lock(mutex_);
        put({std::move(item), weight, bytes, 0});
        release(lock);
    }

    /// As push() for `count` items of the same weight; `make(i)` gives the i-th as (item, bytes).
    template <class Make>
    void push_all(std::size_t count, std::uint64_t weight, const Make& make) {
        Lock lock(mutex_);
        for (std::size_t i = 0; i < count; ++i) {
            auto [item, bytes] = make(i);
            put({std::move(item), weight, bytes, 0});
        }
        release(lock);
    }

    /// So many were lost on their way here, after all that was put in: told to `on_gap` in that place.
    void lose(std::uint64_t weight) {
        Lock lock(mutex_);
        if (closed_) return;
        lost_last_ += weight;
        release(lock);
    }

    /// As push(), but without room nothing changes: false.
    bool offer(Item item, std::uint64_t weight, std::size_t bytes) {
        Lock lock(mutex_);
        if (closed_) return true;
        if (!has_room(weight, bytes)) return false;
        append({std::move(item), weight, bytes, 0});
        release(lock);
        return true;
    }

    /// Forgets what waits.
    void clear() {
        const std::lock_guard lock(mutex_);
        while (!queue_.empty()) pop();
    }

    /// What waits is missed, and so is what comes; the item under way goes on.
    void abandon() {
        const std::lock_guard lock(mutex_);
        end();
    }

    /// The same. After it returns, nothing is run any more (called from an item: nothing after that one).
    void close() {
        Lock lock(mutex_);
        end();
        if (!is_current()) idle_.wait(lock, [this] { return !running_; });
    }

    /// A slow handler gives way to others after each of its items; of a quick one more and more are taken at once.
    bool run_batch() override {
        const auto enough = std::chrono::steady_clock::now() + kBatchTime;
        std::size_t left = kBatch;
        for (std::size_t share = 1; left != 0; share = std::min({2 * share, kShare, left})) {
            if (!take(share)) return false;
            run_taken();
            left -= share;
            if (std::chrono::steady_clock::now() >= enough) break;
        }
        return true;
    }

private:
    static constexpr std::size_t kBatch = 64;
    static constexpr std::size_t kShare = 16;
    static constexpr std::chrono::milliseconds kBatchTime{1};
    using Lock = std::unique_lock<std::mutex>;
    struct Queued {
        Item item;
        std::uint64_t weight = 0;
        std::size_t bytes = 0;
        std::uint64_t lost_before = 0;  // between the one before and this one
    };

    [[nodiscard]] bool has_room(std::uint64_t weight, std::size_t bytes) const {
        return queue_.empty() ||
               (weight_ + taken_weight_ + weight <= limits_.items && bytes_ + taken_bytes_ + bytes <= limits_.bytes);
    }
    [[nodiscard]] bool has_work() const { return !queue_.empty() || lost_last_ != 0; }
    void miss(const Item& item, MissReason reason) {
        if (on_missed_) on_missed_(item, reason);
    }
    void put(Queued&& queued) {
        if (closed_) return miss(queued.item, MissReason::left);
        if (limits_.policy == OverflowPolicy::refuse_newest && !has_room(queued.weight, queued.bytes)) {
            lost_last_ += queued.weight;
            return miss(queued.item, MissReason::overflow);
        }
        while (!has_room(queued.weight, queued.bytes)) drop_oldest();
        append(std::move(queued));
    }
    void append(Queued&& queued) {
        weight_ += queued.weight;
        bytes_ += queued.bytes;
        queued.lost_before = std::exchange(lost_last_, 0);
        queue_.push_back(std::move(queued));
    }
    /// Unlocks, and only then wakes a thread, which would have to wait for the lock.
    void release(Lock& lock) {
        const bool schedule = has_work() && !std::exchange(scheduled_, true);
        lock.unlock();
        if (schedule) pool_.schedule(this->shared_from_this());
    }
    Queued pop() {
        Queued front = std::move(queue_.front());
        queue_.pop_front();
        weight_ -= front.weight;
        bytes_ -= front.bytes;
        return front;
    }
    void drop_oldest() {
        const Queued oldest = pop();
        lost_first_ += oldest.lost_before + oldest.weight;
        miss(oldest.item, MissReason::overflow);
    }
    void end() {
        closed_ = true;
        while (!queue_.empty()) miss(pop().item, MissReason::left);
        lost_first_ = lost_last_ = 0;
    }

    /// Takes up to `share` items to be run. False when there was nothing left; the strand is then off the pool.
    bool take(std::size_t share) {
        const std::lock_guard lock(mutex_);
        if (!has_work()) {
            scheduled_ = false;
            return false;
        }
        lost_before_taken_ = std::exchange(lost_first_, 0);
        if (queue_.empty()) lost_before_taken_ += std::exchange(lost_last_, 0);
        for (; share != 0 && !queue_.empty(); --share) {
            taken_.push_back(pop());
            if (taken_.size() == 1) continue;  // under way
            taken_weight_ += taken_.back().weight;
            taken_bytes_ += taken_.back().bytes;
        }
        running_ = true;
        return true;
    }

    void run_taken() {
        if (taken_.empty()) tell_gap(lost_before_taken_);
        for (const Queued& next : taken_) {
            tell_gap(std::exchange(lost_before_taken_, 0) + next.lost_before);
            if (closed_) {
                miss(next.item, MissReason::left);
                continue;
            }
            run_(next.item);
            HandlerPool::call_ended();
        }
        taken_.clear();
        const std::lock_guard lock(mutex_);
        taken_weight_ = 0;
        taken_bytes_ = 0;
        running_ = false;
        if (closed_) idle_.notify_all();
    }
    void tell_gap(std::uint64_t lost) {
        if (lost != 0 && on_gap_ && !closed_) on_gap_(lost);
    }

    HandlerPool& pool_;
    const Limits limits_;
    const Run run_;
    const OnGap on_gap_;
    const OnMissed on_missed_;
    std::mutex mutex_;
    std::condition_variable idle_;
    std::deque<Queued> queue_;
    std::uint64_t weight_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t taken_weight_ = 0;  // of what is taken and has not begun
    std::size_t taken_bytes_ = 0;
    std::uint64_t lost_first_ = 0;      // before the oldest that waits
    std::uint64_t lost_last_ = 0;       // after the newest that waits
    bool scheduled_ = false;            // in the pool's hands
    bool running_ = false;              // an item is being run
    std::atomic<bool> closed_ = false;  // changed under the lock
    // Of the thread that runs the strand:
    std::vector<Queued> taken_;
    std::uint64_t lost_before_taken_ = 0;
};

}  // namespace muster::node
