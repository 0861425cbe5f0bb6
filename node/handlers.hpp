// Runs users' handlers: each one's items in order, different ones side by side.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace muster::node {

/// Something with items to run in order. A pool runs one batch of it at a time.
class Strand {
public:
    Strand() = default;
    Strand(const Strand&) = delete;
    Strand& operator=(const Strand&) = delete;
    virtual ~Strand() = default;

    /// Runs some items; true when there are more. Called by the pool alone.
    virtual bool run_batch() = 0;
    /// Whether the calling thread is running an item of this strand.
    [[nodiscard]] bool is_current() const;
};

/// A few threads that take strands in turn. Thread-safe.
class HandlerPool {
public:
    explicit HandlerPool(std::size_t threads);
    ~HandlerPool();
    HandlerPool(const HandlerPool&) = delete;
    HandlerPool& operator=(const HandlerPool&) = delete;

    /// The strand's run_batch will be called; it must not be scheduled already.
    void schedule(std::shared_ptr<Strand> strand);
    /// Waits for the items under way; runs no more. When called from a handler,
    /// that handler's own thread ends as soon as it returns.
    void stop();

private:
    struct State {
        std::mutex mutex;
        std::condition_variable work;
        std::deque<std::shared_ptr<Strand>> ready;  // each strand at most once
        std::size_t idle = 0;
        bool stopped = false;
    };

    static void run(State& state);

    std::shared_ptr<State> state_ = std::make_shared<State>();
    std::vector<std::thread> threads_;
};

/// The bounded queue in front of one handler. Thread-safe.
template <class Item>
class Inbox final : public Strand, public std::enable_shared_from_this<Inbox<Item>> {
public:
    struct Limits {
        std::uint64_t items = 65536;
        std::size_t bytes = 64u << 20;
    };
    using Run = std::function<void(const Item&)>;
    /// Told, before the next item is run, how many were dropped before it.
    using OnDropped = std::function<void(std::uint64_t)>;

    Inbox(HandlerPool& pool, Limits limits, Run run, OnDropped on_dropped = {})
        : pool_(pool), limits_(limits), run_(std::move(run)), on_dropped_(std::move(on_dropped)) {}

    /// Puts an item that counts as `weight`; what does not fit any more pushes out the oldest.
    void push(Item item, std::uint64_t weight, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        while (!queue_.empty() && !fits(weight, bytes)) {
            dropped_ += queue_.front().weight;
            pop();
        }
        append(std::move(item), weight, bytes);
    }

    /// The same, but refuses what does not fit: false, and nothing changes.
    bool offer(Item item, std::uint64_t weight, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (closed_) return true;
        if (!queue_.empty() && !fits(weight, bytes)) return false;
        append(std::move(item), weight, bytes);
        return true;
    }

    /// Forgets what waits.
    void clear() {
        const std::lock_guard lock(mutex_);
        while (!queue_.empty()) pop();
    }

    /// After it returns, nothing is run any more (called from an item: nothing after that one).
    void close() {
        std::unique_lock lock(mutex_);
        closed_ = true;
        while (!queue_.empty()) pop();
        if (!is_current()) idle_.wait(lock, [this] { return !running_; });
    }

    bool run_batch() override {
        for (int i = 0; i < kBatch; ++i)
            if (!run_one()) return false;
        return true;
    }

private:
    static constexpr int kBatch = 64;
    struct Queued {
        Item item;
        std::uint64_t weight;
        std::size_t bytes;
    };

    [[nodiscard]] bool fits(std::uint64_t weight, std::size_t bytes) const {
        return weight_ + weight <= limits_.items && bytes_ + bytes <= limits_.bytes;
    }
    void append(Item item, std::uint64_t weight, std::size_t bytes) {
        queue_.push_back({std::move(item), weight, bytes});
        weight_ += weight;
        bytes_ += bytes;
        if (!scheduled_) {
            scheduled_ = true;
            pool_.schedule(this->shared_from_this());
        }
    }
    Queued pop() {
        Queued front = std::move(queue_.front());
        queue_.pop_front();
        weight_ -= front.weight;
        bytes_ -= front.bytes;
        return front;
    }

    /// False when there was none; the strand is then off the pool.
    bool run_one() {
        std::unique_lock lock(mutex_);
        if (queue_.empty()) {
            scheduled_ = false;
            return false;
        }
        const Queued next = pop();
        const std::uint64_t dropped = std::exchange(dropped_, 0);
        running_ = true;
        lock.unlock();
        if (dropped != 0 && on_dropped_) on_dropped_(dropped);
        run_(next.item);
        lock.lock();
        running_ = false;
        idle_.notify_all();
        return true;
    }

    HandlerPool& pool_;
    const Limits limits_;
    const Run run_;
    const OnDropped on_dropped_;
    std::mutex mutex_;
    std::condition_variable idle_;
    std::deque<Queued> queue_;
    std::uint64_t weight_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t dropped_ = 0;
    bool scheduled_ = false;  // in the pool's hands
    bool running_ = false;    // an item is being run
    bool closed_ = false;
};

}  // namespace muster::node
