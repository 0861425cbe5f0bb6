// The threads that run users' handlers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "node/io/signals_blocked.hpp"

namespace muster::node {

/// A queue of items that run in order, never two at the same time. Different strands run in parallel.
class Strand {
public:
    Strand() = default;
    Strand(const Strand&) = delete;
    Strand& operator=(const Strand&) = delete;
    virtual ~Strand() = default;

    /// Runs some items. Returns true if more may wait. Called by the pool only.
    virtual bool run_batch() = 0;
    /// Whether the calling thread is running an item of this strand.
    [[nodiscard]] bool is_current() const;
};

/// Threads that run strands, one batch of a strand at a time. Thread-safe.
///
/// If all threads are blocked in handlers while another strand waits, the keeper starts more: it doubles them, up to
/// `max_threads`. Threads are blocked if no call of a handler has returned for `patience`. The keeper ends threads that
/// were idle for `linger`.
class HandlerPool {
public:
    struct Options {
        std::size_t threads = 2;
        std::size_t max_threads = 64;            // while handlers block
        std::chrono::milliseconds patience{50};  // without a returned call, after which all threads count as blocked
        std::chrono::milliseconds linger{5000};  // after which an idle thread beyond `threads` ends
        std::chrono::microseconds busy_poll{0};  // how long one idle thread polls for work before it sleeps
    };
    /// Throws std::system_error if the system has no more threads. Strands run with the signal mask of the
    /// calling thread.
    explicit HandlerPool(const Options& options);
    ~HandlerPool();
    HandlerPool(const HandlerPool&) = delete;
    HandlerPool& operator=(const HandlerPool&) = delete;

    /// Calls the strand's run_batch() soon, and again while it returns true. Must not be called for a strand that is
    /// scheduled already.
    void schedule(std::shared_ptr<Strand> strand);
    /// Waits for running batches and starts no other. If called from a handler, it does not wait for that handler,
    /// whose thread ends when the handler returns.
    void stop();
    /// With which strands run.
    [[nodiscard]] const SignalMask& signals() const { return state_->signals; }
    /// Number of threads now.
    [[nodiscard]] std::size_t threads() const;

    /// Called by a strand, on a thread of the pool, after each call of a handler.
    static void call_ended();

private:
    struct PoolThread {
        std::thread thread;
        std::atomic<std::uint64_t> calls = 0;  // returned calls; written by this thread only
    };
    using Threads = std::list<PoolThread>;
    struct State {
        explicit State(const Options& given) : options(given) {}

        const Options options;
        const SignalMask signals = SignalMask::of_this_thread();
        mutable std::mutex mutex;
        std::condition_variable work;               // threads wait for it
        std::condition_variable keeper_wakeup;      // the keeper waits for it
        std::deque<std::shared_ptr<Strand>> ready;  // each strand at most once
        Threads threads;
        Threads ended;                           // to be joined
        std::size_t idle = 0;                    // threads without a strand
        std::size_t least_idle = 0;              // smallest `idle` since the keeper last ended threads
        std::size_t to_end = 0;                  // idle threads that must end
        std::size_t polling = 0;                 // idle threads that poll; 0 or 1
        std::atomic<bool> stop_polling = false;  // a strand is ready, or the pool has stopped
        bool stopped = false;

        void put(std::shared_ptr<Strand> strand);
        std::shared_ptr<Strand> take();

        /// A strand is ready, no thread is idle, and the limit allows another thread.
        [[nodiscard]] bool is_short() const;
        [[nodiscard]] std::uint64_t calls() const;
    };
    using Lock = std::unique_lock<std::mutex>;

    // All are called with the lock held.
    static bool start_thread(const std::shared_ptr<State>& state);
    static void run(State& state, Threads::iterator self);
    static bool wait_for_work(State& state, Lock& lock);
    static void poll_for_work(State& state, Lock& lock);
    static void run_one(State& state, Lock& lock);
    /// Called unlocked.
    static void keep(const std::shared_ptr<State>& state);
    static bool grow_if_stuck(const std::shared_ptr<State>& state, Lock& lock);
    static void shrink(State& state);
    static void join_ended(State& state, Lock& lock);

    std::shared_ptr<State> state_;
    std::thread keeper_;
};

}  // namespace muster::node
