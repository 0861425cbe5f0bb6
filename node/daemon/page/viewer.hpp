// One reader of the page's stream of events, and what waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace muster::daemon {

/// An event as it goes over the wire, shared by all viewers.
using Frame = std::shared_ptr<const std::string>;

/// A queue between who makes events and the thread that writes them to one browser. It holds kFrames at most. One that
/// does not take them in time gets no more of them one by one: they give way to the whole state (Pulse does that).
/// Any thread.
class Viewer {
public:
    static constexpr std::size_t kFrames = 32;

    /// False when there is no room.
    bool offer(Frame frame);
    /// Instead of all that waits.
    void replace(Frame frame);
    /// The next one; null when none came in time, or when the viewer is closed.
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
