// What has been received and not yet handled, and the one thread that calls
// the user's handlers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "node/client/actions.hpp"

namespace muster::client {

/// Bounded by its reader: the loop takes nothing from the node while
/// `size() >= capacity()`, so `push` never refuses.
/// Thread-safe, except that one thread only pushes.
class HandlerThread : public std::enable_shared_from_this<HandlerThread> {
public:
    struct Handlers {
        std::function<void(std::uint64_t missed)> on_gap;
        std::function<void(bool attached, const std::string& text)> on_attachment;
        std::function<void(const std::string& text)> on_state_lost;
        /// After each item of a stream, before it shows in `progress`. May be empty.
        std::function<void(std::uint64_t session, std::uint64_t seq)> on_handled;
    };
    /// How far a session's stream has been handled.
    struct Progress {
        std::uint64_t session = 0;
        std::uint64_t seq = 0;
    };

    /// `wake` is called on the handlers' thread when there is progress worth telling.
    HandlerThread(std::size_t capacity, Handlers handlers, std::function<void()> wake);

    void start();
    void push(std::vector<Item>& items);
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] std::size_t capacity() const { return capacity_; }
    [[nodiscard]] Progress progress() const;

    /// Returns when the handler is not running, or at once on the handlers' thread.
    void wait_until_idle(const WatchHandler& handler);
    /// Lets the running handler end and drops what is queued. On the handlers' own
    /// thread it does not wait; `join` does that later.
    void stop();
    void join();
    /// Whether no handler runs any more, for good.
    [[nodiscard]] bool has_ended() const;
    [[nodiscard]] bool on_own_thread() const;

private:
    void run();
    bool next_batch(std::vector<Item>& batch);
    void handle(const Item& item);
    void handle(const Deliver& deliver);
    bool set_running(const WatchHandler* handler);
    void done(const Item& item, bool last);
    void publish_progress();

    const std::size_t capacity_;
    const Handlers handlers_;
    const std::function<void()> wake_;
    std::thread thread_;
    std::thread::id thread_id_;  // set before anything is pushed

    mutable std::mutex mutex_;
    std::condition_variable filled_;
    std::condition_variable idle_;
    std::vector<Item> queue_;
    std::atomic<std::size_t> in_batch_{0};  // grows under the lock
    Progress progress_;
    const WatchHandler* running_ = nullptr;
    std::atomic<bool> stopping_{false};  // changed under the lock
    bool ended_ = false;

    // of the handlers' thread
    Progress handled_;
    std::size_t unpublished_ = 0;
    std::chrono::steady_clock::time_point published_at_{};
    Notification notification_;
};

}  // namespace muster::client
