// The thread on which all workers of a process run, and the ZeroMQ context of their sockets.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>
#include <zmq.hpp>

#include "node/client/time.hpp"
#include "node/handlers/handler_pool.hpp"
#include "node/io/wakeup.hpp"

namespace muster::client {

class Carrier;

/// Runs tasks in turns on one thread: an event loop on epoll. It never runs a user's code, and no task may block.
///
/// One for all workers, because a notification for many of them then wakes one thread here and one of ZeroMQ's instead
/// of two for each worker.
class Reactor {
public:
    class Task {
    public:
        Task() = default;
        Task(const Task&) = delete;
        Task& operator=(const Task&) = delete;
        virtual ~Task() = default;
        /// Called on the reactor's thread when the task was woken, when one of its descriptors is ready, or when its
        /// time has come. Returns the latest time for the next turn, or nothing if this was the last turn.
        virtual std::optional<Instant> turn() = 0;
    };

    /// Names a task to the reactor. May outlive both.
    class Registration {
    public:
        explicit Registration(Task& task) : task_(&task) {}
        /// The reactor owns the task until its last turn.
        explicit Registration(std::shared_ptr<Task> task) : owned_(std::move(task)), task_(owned_.get()) {}
        /// Whether a descriptor may have become ready since the last call. For the task's turn only.
        bool take_ready() { return std::exchange(ready_, false); }

    private:
        friend class Reactor;
        using Timers = std::multimap<Instant, std::shared_ptr<Registration>>;

        const std::shared_ptr<Task> owned_;
        Task* const task_;
        std::uint64_t number_ = 0;  // tells epoll's events apart
        std::atomic<bool> woken_{false};
        bool ended_ = false;  // under the reactor's lock

        // Used by the reactor's thread only.
        bool collected_ = false;  // it is in turns_
        bool ready_ = true;       // see take_ready(); nothing is collected before the first turn
        std::optional<Timers::iterator> timer_;
    };

    /// The reactor of this process; a fork makes its own. It ends with its last owner. Throws std::system_error if the
    /// system has no more descriptors or threads.
    static std::shared_ptr<Reactor> shared();

    /// Whether this process is a fork of the one that made the reactor. Threads do not survive a fork, and locks may
    /// be held by threads that are not there.
    [[nodiscard]] bool is_elsewhere() const;

    /// Throws std::system_error like shared().
    Reactor();
    /// All tasks must have ended.
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// The task gets its first turn soon. Thread-safe.
    void add(const std::shared_ptr<Registration>& registration);
    /// The task gets a turn soon, unless it has ended. Thread-safe.
    void wake(const std::shared_ptr<Registration>& registration);
    /// Waits until the task has had its last turn. On the reactor's own thread it runs the task's turns itself: waiting
    /// would never end. (A handler is destroyed on this thread when its member leaves, and it may own a Worker.)
    void wait_until_ended(const std::shared_ptr<Registration>& registration);

    enum class Ready { to_read, to_write };
    /// From now on the task gets a turn each time the descriptor becomes ready, until it is closed. Edge-triggered.
    /// Call it in a turn only. False if the system cannot watch more descriptors.
    [[nodiscard]] bool listen(const Registration& registration, int fd, Ready ready) const;
    [[nodiscard]] zmq::context_t& context() { return context_; }
    /// The connections that tasks share, by what they connect to. For the reactor's thread only.
    using Carriers = std::map<std::string, std::weak_ptr<Carrier>>;
    [[nodiscard]] Carriers& carriers() { return carriers_; }
    /// Runs the handlers of all workers, with the signal mask of the thread that made the reactor.
    [[nodiscard]] node::HandlerPool& handlers() { return handlers_; }

private:
    using Lock = std::unique_lock<std::mutex>;

    void run();
    [[nodiscard]] int timeout() const;
    bool collect_woken();
    void collect_ready(int timeout);
    void collect_due();
    void collect(const std::shared_ptr<Registration>& registration);
    void run_turn(const std::shared_ptr<Registration>& registration);
    void set_timer(const std::shared_ptr<Registration>& registration, std::optional<Instant> due);

    const unsigned forks_;  // of this process when the reactor was made
    class Epoll {
    public:
        Epoll();
        ~Epoll();
        Epoll(const Epoll&) = delete;
        Epoll& operator=(const Epoll&) = delete;
        /// False if the system cannot watch more descriptors.
        [[nodiscard]] bool add(int fd, std::uint32_t events, std::uint64_t number) const;
        [[nodiscard]] int fd() const { return fd_; }

    private:
        const int fd_;
    };

    zmq::context_t context_{1};
    Epoll epoll_;
    node::Wakeup wakeup_;

    std::mutex mutex_;
    std::condition_variable ended_;
    std::vector<std::shared_ptr<Registration>> woken_;
    std::uint64_t last_number_ = 0;
    bool asleep_ = false;  // the thread has nothing to run: whoever wakes a task must notify wakeup_
    bool stopped_ = false;

    // Used by the reactor's thread only.
    std::unordered_map<std::uint64_t, std::shared_ptr<Registration>> registrations_;
    Registration::Timers timers_;
    std::vector<std::shared_ptr<Registration>> turns_;  // to be run, each once
    Carriers carriers_;

    // A thread that is blocked in handlers for so long has another one beside it, until each worker has its own.
    node::HandlerPool handlers_{{.threads = 2, .max_threads = 4096, .patience = std::chrono::milliseconds(2)}};

    std::thread thread_;
};

}  // namespace muster::client
