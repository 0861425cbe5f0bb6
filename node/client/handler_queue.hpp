// The queue in front of a worker's handlers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "node/client/actions.hpp"
#include "node/handlers/handler_pool.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::client {

/// Handles items one at a time and in order, on threads of a pool. The queue is bounded by back-pressure: while
/// `size() >= capacity()`, the loop takes nothing that has arrived, so `push` never refuses.
///
/// Thread-safe, but only one thread may push.
class HandlerQueue final : public node::Strand, public std::enable_shared_from_this<HandlerQueue> {
public:
    struct Handlers {
        std::function<void(const Lost& lost)> on_gap;
        std::function<void(bool attached, const std::string& text)> on_attachment;
        std::function<void(const std::string& text)> on_state_lost;
        /// A handler threw `what`. `whose` names the handler. May be empty.
        std::function<void(const std::string& whose, std::string_view what)> on_exception;
        /// Called after each item of a stream, before `progress` shows it. May be empty.
        std::function<void(std::uint64_t session, std::uint64_t seq)> on_handled;
    };
    /// All items of that session's stream up to `seq` were handled.
    struct Progress {
        std::uint64_t session = 0;
        std::uint64_t seq = 0;
    };

    /// Handlers run with the signal mask of the calling thread. `wake` is called after `progress` has changed, and when
    /// the last handler has returned after `stop`. The pool must live as long as `wake`.
    HandlerQueue(node::HandlerPool& pool, std::size_t capacity, Handlers handlers, std::function<void()> wake);

    void push(std::vector<Item>& items);
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] Progress progress() const;

    /// Waits until the handler does not run. Does not wait if a handler of this queue calls it.
    void wait_until_idle(const WatchHandler& handler);
    /// Drops what is queued. The handler that runs may return; no other handler is called. Does not wait.
    void stop();
    /// After `stop`: waits until no handler runs. Does not wait if a handler of this queue calls it.
    void join();
    /// No handler runs, and none will.
    [[nodiscard]] bool has_ended() const;

    /// Called by the pool only.
    bool run_batch() override;

private:
    bool begin_batch();
    bool end_batch();
    void handle(const Item& item);
    void handle(const Deliver& deliver);
    /// Calls a user's handler. An exception goes no further: see Handlers::on_exception.
    template <class Call>
    void guard(const std::string& whose, const Call& call) const;
    bool set_running(const WatchHandler* handler);
    void done(const Item& item, bool last);
    void publish_progress();

    node::HandlerPool& pool_;
    const std::size_t capacity_;
    const Handlers handlers_;
    const std::function<void()> wake_;
    const node::SignalMask signals_ = node::SignalMask::of_this_thread();
    const bool has_other_signals_;  // than the pool
    mutable std::mutex mutex_;
    std::condition_variable idle_;
    std::vector<Item> queue_;
    std::atomic<std::size_t> in_batch_{0};  // items taken from the queue and not handled; increases under the lock
    Progress progress_;
    const WatchHandler* running_ = nullptr;  // the watch whose handler runs
    std::atomic<bool> stopping_{false};      // changed under the lock
    bool scheduled_ = false;                 // the pool has the queue
    bool busy_ = false;                      // a batch runs

    // Used by the thread that runs a batch only.
    std::vector<Item> batch_;  // taken from the queue
    std::size_t next_ = 0;     // of the batch
    Progress handled_;
    std::size_t unpublished_ = 0;
    std::chrono::nanoseconds published_at_{};
    Notification notification_;  // reused, because most notifications have the same group and data size
};

}  // namespace muster::client
