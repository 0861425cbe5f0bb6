// The bounded queue in front of one handler, run by the threads of a HandlerPool.
#pragma once

#include <muster/types.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "node/handlers/handler_pool.hpp"
#include "proto/ring.hpp"
#include "proto/saturating.hpp"

namespace muster::node {

/// Each item is either run or reported to `on_missed`, exactly once. Items that were dropped because there was no room
/// are also reported to `on_gap`, in order with the items that are run. Thread-safe.
///
/// An item has a weight (the members that it is for), which counts against Limits::items.
template <class Item>
class Inbox final : public Strand, public std::enable_shared_from_this<Inbox<Item>> {
public:
    /// An item that exceeds the limits by itself is accepted when no other item waits.
    struct Limits {
        std::uint64_t items = 65536;
        std::size_t bytes = 64u << 20;
        OverflowPolicy policy = OverflowPolicy::drop_oldest;  // never `disconnect`
    };
    using Run = std::function<void(const Item&)>;
    /// Called with the weight that was dropped since the last item was run, on the same thread as `run`.
    using OnGap = std::function<void(std::uint64_t)>;
    /// Called for an item that will not be run: `overflow` if there was no room, `left` if the inbox is closed. The
    /// inbox may be locked then, so `on_missed` must neither block nor call the inbox.
    using OnMissed = std::function<void(const Item&, MissReason)>;

    Inbox(HandlerPool& pool, Limits limits, Run run, OnGap on_gap = {}, OnMissed on_missed = {})
        : pool_(pool),
          limits_(limits),
          run_(std::move(run)),
          on_gap_(std::move(on_gap)),
          on_missed_(std::move(on_missed)) {}

    /// Appends an item. If there is no room, drops the oldest items or this one, as the policy says.
    void push(Item item, std::uint64_t weight, std::size_t bytes) {
        Lock lock(mutex_);
        put({std::move(item), weight, bytes, 0});
        release(lock);
    }

    /// Same as push() for `count` items of the same weight, with the lock taken once. `make(i)` returns the i-th item
    /// and its bytes as a pair.
    template <class Make>
    void push_all(std::size_t count, std::uint64_t weight, const Make& make) {
        Lock lock(mutex_);
        for (std::size_t i = 0; i < count; ++i) {
            auto [item, bytes] = make(i);
            put({std::move(item), weight, bytes, 0});
        }
        release(lock);
    }

    /// Items with this weight were lost before they arrived here. Reported to `on_gap` after all items pushed so far.
    void lose(std::uint64_t weight) {
        Lock lock(mutex_);
        if (closed_) return;
        lose_after_queue(weight);
        release(lock);
    }

    /// Same as push(), but if there is no room it changes nothing and returns false. Returns true if closed.
    bool offer(Item item, std::uint64_t weight, std::size_t bytes) {
        Lock lock(mutex_);
        if (closed_) return true;
        if (!has_room(weight, bytes)) return false;
        append({std::move(item), weight, bytes, 0});
        release(lock);
        return true;
    }

    /// Removes all waiting items without reporting them.
    void clear() {
        const std::lock_guard lock(mutex_);
        while (!queue_.empty()) pop();
    }

    /// Waiting and future items are missed as `left`. Does not wait for the item that is running.
    void abandon() {
        const std::lock_guard lock(mutex_);
        close_and_drop();
    }

    /// Same as abandon(), but waits until no item runs. If called by a running item, it returns immediately, and no
    /// other item runs afterwards.
    void close() {
        Lock lock(mutex_);
        close_and_drop();
        if (!is_current()) idle_.wait(lock, [this] { return !running_; });
    }

    /// Takes 1, 2, 4 ... kShare items at a time, so that a fast handler locks rarely. Returns after kBatchTime or
    /// kBatch items, so that a slow handler yields to others after each of its items.
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
    struct Entry {
        Item item;
        std::uint64_t weight = 0;
        std::size_t bytes = 0;
        std::uint64_t lost_before = 0;  // weight lost between the previous entry and this one
    };

    [[nodiscard]] bool has_room(std::uint64_t weight, std::size_t bytes) const {
        return queue_.empty() ||
               (weight_ + taken_weight_ + weight <= limits_.items && bytes_ + taken_bytes_ + bytes <= limits_.bytes);
    }
    [[nodiscard]] bool has_work() const { return !queue_.empty() || lost_after_queue_ != 0; }
    void miss(const Item& item, MissReason reason) {
        if (on_missed_) on_missed_(item, reason);
    }
    void lose_after_queue(std::uint64_t weight) {
        lost_after_queue_ = proto::saturating_sum(lost_after_queue_, weight);
    }
    void put(Entry&& entry) {
        if (closed_) return miss(entry.item, MissReason::left);
        if (limits_.policy == OverflowPolicy::refuse_newest && !has_room(entry.weight, entry.bytes)) {
            lose_after_queue(entry.weight);
            return miss(entry.item, MissReason::overflow);
        }
        while (!has_room(entry.weight, entry.bytes)) drop_oldest();
        append(std::move(entry));
    }
    void append(Entry&& entry) {
        weight_ += entry.weight;
        bytes_ += entry.bytes;
        entry.lost_before = std::exchange(lost_after_queue_, 0);
        queue_.push_back(std::move(entry));
    }
    /// Unlocks before it wakes a thread of the pool, which would otherwise have to wait for the lock.
    void release(Lock& lock) {
        const bool schedule = has_work() && !std::exchange(scheduled_, true);
        lock.unlock();
        if (schedule) pool_.schedule(this->shared_from_this());
    }
    Entry pop() {
        Entry front = std::move(queue_.front());
        queue_.pop_front();
        weight_ -= front.weight;
        bytes_ -= front.bytes;
        return front;
    }
    /// Keeps the gap in order: what the dropped entry had lost before it is now lost before its successor.
    void drop_oldest() {
        const Entry oldest = pop();
        const auto lost = proto::saturating_sum(oldest.lost_before, oldest.weight);
        lost_before_queue_ = proto::saturating_sum(lost_before_queue_, lost);
        miss(oldest.item, MissReason::overflow);
    }
    void close_and_drop() {
        closed_ = true;
        while (!queue_.empty()) miss(pop().item, MissReason::left);
        lost_before_queue_ = lost_after_queue_ = 0;
    }

    /// Moves up to `share` items to `taken_`. False if there is nothing to run; the pool then drops this strand.
    bool take(std::size_t share) {
        const std::lock_guard lock(mutex_);
        if (!has_work()) {
            scheduled_ = false;
            return false;
        }
        lost_before_taken_ = std::exchange(lost_before_queue_, 0);
        // Without a waiting item no entry will carry this loss, so it is reported now.
        if (queue_.empty())
            lost_before_taken_ = proto::saturating_sum(lost_before_taken_, std::exchange(lost_after_queue_, 0));
        for (; share != 0 && !queue_.empty(); --share) {
            taken_.push_back(pop());
            if (taken_.size() == 1) continue;  // runs now, so it waits no longer
            taken_weight_ += taken_.back().weight;
            taken_bytes_ += taken_.back().bytes;
        }
        running_ = true;
        return true;
    }

    void run_taken() {
        if (taken_.empty()) report_gap(lost_before_taken_);
        for (const Entry& next : taken_) {
            report_gap(std::exchange(lost_before_taken_, 0) + next.lost_before);
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
    void report_gap(std::uint64_t lost) {
        if (lost != 0 && on_gap_ && !closed_) on_gap_(lost);
    }

    HandlerPool& pool_;
    const Limits limits_;
    const Run run_;
    const OnGap on_gap_;
    const OnMissed on_missed_;
    std::mutex mutex_;
    std::condition_variable idle_;
    proto::Ring<Entry> queue_;
    std::uint64_t weight_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t taken_weight_ = 0;  // of taken items that have not begun to run
    std::size_t taken_bytes_ = 0;
    std::uint64_t lost_before_queue_ = 0;  // weight lost before the oldest waiting item
    std::uint64_t lost_after_queue_ = 0;   // weight lost after the newest waiting item
    bool scheduled_ = false;               // held by the pool
    bool running_ = false;                 // items of taken_ are run
    std::atomic<bool> closed_ = false;     // changed under the lock
    // Used only by the thread that runs the strand:
    std::vector<Entry> taken_;
    std::uint64_t lost_before_taken_ = 0;
};

}  // namespace muster::node
