// The event queue of one browser that follows the page.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace muster::daemon {

/// A server-sent event in wire format, shared by all viewers.
using Frame = std::shared_ptr<const std::string>;

/// A bounded queue from StateFeed to the thread that writes to one browser. If the browser is too slow and the queue is
/// full, StateFeed replaces its content by the whole state. Any thread.
class Viewer {
public:
    static constexpr std::size_t kFrames = 32;

    /// False if the queue is full.
    bool offer(Frame frame);
    /// Replaces all queued events.
    void replace(Frame frame);
    /// The next event. Null if there was none in time, or if the viewer is closed.
    Frame take(std::chrono::milliseconds timeout);
    void close();
    [[nodiscard]] bool is_closed() const;

private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Frame> frames_;
    bool closed_ = false;
};

}  // namespace muster::daemon
