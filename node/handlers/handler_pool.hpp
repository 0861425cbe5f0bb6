// The threads that run users' handlers: each one's items in order, different ones side by side.
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

/// Threads that take strands in turn. Where all of them are held up by handlers that block while another
/// strand waits, more are started; those that were not needed for a while end. Thread-safe.
class HandlerPool {
public:
    struct Options {
        std::size_t threads = 2;                 // at all times
        std::size_t max_threads = 64;            // with those that stand in for blocked ones
        std::chrono::milliseconds patience{50};  // when no call has returned for so long, all threads are blocked
        std::chrono::milliseconds linger{5000};  // so long a thread beyond `threads` must not have been needed
        std::chrono::microseconds busy_poll{0};  // for which a thread with nothing to do stays awake
    };
    explicit HandlerPool(const Options& options);
    ~HandlerPool();
    HandlerPool(const HandlerPool&) = delete;
    HandlerPool& operator=(const HandlerPool&) = delete;

    /// The strand's run_batch will be called; it must not be scheduled already.
    void schedule(std::shared_ptr<Strand> strand);
    /// Waits for the items under way; runs no more. When called from a handler,
    /// that handler's own thread ends as soon as it returns.
    void stop();
    /// Threads that there are now.
    [[nodiscard]] std::size_t threads() const;

    /// A strand tells, on the pool's thread, that a call of a handler has returned.
    static void call_ended();

private:
    struct Worker {
        std::thread thread;
        std::atomic<std::uint64_t> calls = 0;  // that have returned; written by its thread alone
    };
    using Workers = std::list<Worker>;
    struct State {
        explicit State(const Options& given) : options(given) {}

        const Options options;
        mutable std::mutex mutex;
        std::condition_variable work;               // for the workers
        std::condition_variable trouble;            // for the keeper
        std::deque<std::shared_ptr<Strand>> ready;  // each strand at most once
        Workers workers;
        Workers ended;                       // to be joined
        std::size_t idle = 0;                // workers without a strand
        std::size_t least_idle = 0;          // since the keeper last looked for workers too many
        std::size_t leaving = 0;             // idle workers that are to end
        std::size_t looking = 0;             // idle workers that are awake
        std::atomic<bool> has_news = false;  // for these: a strand is ready, or the end has come
        bool stopped = false;

        void put(std::shared_ptr<Strand> strand);
        std::shared_ptr<Strand> take();

        /// A strand waits, all workers have one, and more may be started.
        [[nodiscard]] bool is_short() const;
        [[nodiscard]] std::uint64_t calls() const;
    };
    using Lock = std::unique_lock<std::mutex>;

    // All are called with the lock held.
    static bool start_worker(const std::shared_ptr<State>& state);
    static void run(State& state, Workers::iterator self);
    static bool wait_for_work(State& state, Lock& lock);
    static void look_for_work(State& state, Lock& lock);
    static void run_one(State& state, Lock& lock);
    static void keep(const std::shared_ptr<State>& state);
    static bool grow_if_stuck(const std::shared_ptr<State>& state, Lock& lock);
    static void shrink(State& state);
    static void join_ended(State& state, Lock& lock);

    std::shared_ptr<State> state_;
    std::thread keeper_;
};

}  // namespace muster::node
