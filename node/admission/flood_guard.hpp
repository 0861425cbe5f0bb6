// Closes connections that block the loop inside of libzmq.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>

#include "node/io/connection_counts.hpp"

namespace muster::node {

/// An XPUB processes all subscriptions that a connection has sent before any call on the socket returns, however many
/// arrive meanwhile. So a client that sends subscriptions without end blocks the loop for as long, and libzmq's memory
/// grows. While the loop is blocked, this guard closes the connections to the publisher's port on which data keeps
/// arriving. A regular subscriber sends some hundred bytes and then nothing.
///
/// The guard has a thread of its own. It checks the loop's age 100 times a second, and looks at connections only while
/// the loop is blocked and for some seconds after it closed one, so that a client that reconnects is closed before it
/// blocks the loop again.
///
/// Between the check and the close, a descriptor may have been closed and reused for another connection of this
/// process. Then that connection is closed by mistake, and the side that made it connects again.
class FloodGuard {
public:
    /// `loop_age`: time since the loop's last turn began; called on the guard's thread. `publisher`: the XPUB's port.
    FloodGuard(std::function<std::chrono::milliseconds()> loop_age, std::uint16_t publisher, ConnectionCounts& counts);
    ~FloodGuard();
    FloodGuard(const FloodGuard&) = delete;
    FloodGuard& operator=(const FloodGuard&) = delete;

private:
    using Received = std::map<int, std::uint64_t>;  // bytes, by descriptor

    void run();
    /// Bytes received so far on each connection to the publisher.
    [[nodiscard]] Received received() const;
    /// Closes the connections that received too much between the two. Returns whether there were any.
    bool close_flooding(const Received& before, const Received& now);

    const std::function<std::chrono::milliseconds()> loop_age_;
    const std::uint16_t publisher_;
    ConnectionCounts& counts_;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

}  // namespace muster::node
