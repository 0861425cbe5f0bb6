// The one thread on which all workers of a process run, and the ZeroMQ context of their sockets: a notification for
// many of them wakes one thread here and one of ZeroMQ's, not two for each worker.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "node/client/time.hpp"

namespace muster::client {

/// Runs tasks in turns. It never runs a user's code, and no task may block it.
class Reactor {
public:
    class Task {
    public:
        Task() = default;
        Task(const Task&) = delete;
        Task& operator=(const Task&) = delete;
        virtual ~Task() = default;
        /// On the reactor's thread, when the task was woken, one of its descriptors is ready, or its time has come.
        /// Returns when the next turn is wanted at the latest; nothing when this was the last.
        virtual std::optional<Instant> turn() = 0;
    };

    /// A task's place on the reactor; may outlive both.
    class Registration {
    public:
        explicit Registration(Task& task) : task_(&task) {}

    private:
        friend class Reactor;
        using Timers = std::multimap<Instant, std::shared_ptr<Registration>>;

        Task* const task_;
        std::uint64_t number_ = 0;
        std::atomic<bool> woken_{false};
        bool ended_ = false;  // under the reactor's lock

        // of the reactor's thread
        bool collected_ = false;
        std::optional<Timers::iterator> timer_;
    };

    /// The process's own; ends with its last owner. Throws std::system_error when the system has no more
    /// descriptors or threads.
    static std::shared_ptr<Reactor> shared();

    Reactor();
    /// All tasks have ended.
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// The task's first turn comes soon.
    void add(const std::shared_ptr<Registration>& registration);
    /// A turn soon, if the task has not ended. Thread-safe.
    void wake(const std::shared_ptr<Registration>& registration);
    /// Waits for the task's last turn. On the reactor's own thread, where a user's object may be destroyed, it runs
    /// the turns that are left.
    void wait_until_ended(const std::shared_ptr<Registration>& registration);

    enum class Ready { to_read, to_write };
    /// Another turn each time that the descriptor becomes ready, until it is closed. In a turn only.
    /// False when the system has no room for more.
    [[nodiscard]] bool listen(const Registration& registration, int fd, Ready ready);
    [[nodiscard]] zmq::context_t& context() { return context_; }

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

    zmq::context_t context_{1};
    int epoll_fd_ = -1;
    int wake_fd_ = -1;

    std::mutex mutex_;
    std::condition_variable ended_;
    std::vector<std::shared_ptr<Registration>> woken_;
    std::uint64_t last_number_ = 0;
    bool asleep_ = false;
    bool stopped_ = false;

    // of the reactor's thread
    std::unordered_map<std::uint64_t, std::shared_ptr<Registration>> registrations_;
    Registration::Timers timers_;
    std::vector<std::shared_ptr<Registration>> turns_;  // to be run, each once

    std::thread thread_;
};

}  // namespace muster::client
