// Against peers that hold up the loop from within libzmq.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>

#include "node/io/connection_counts.hpp"

namespace muster::node {

/// A publisher takes in all subscriptions of a connection whenever it is touched, however many come, before the call
/// returns; so whoever subscribes without end holds the loop for as long, and its memory grows. While the loop stands,
/// this ends the connections to the publisher that go on sending: who subscribes to what nodes publish sends some
/// hundred bytes and then nothing.
///
/// A thread of its own, which looks at the loop some times a second and at connections only while it stands, and for
/// some seconds after it has found one, so that those that follow are ended before the loop stands again. A descriptor
/// may be another connection's by the time it is ended: then that one is made anew by whoever made it.
class FloodGuard {
public:
    /// `loop_age`: since the loop's last turn began. Any thread. `publisher`: the port that subscribers connect to.
    FloodGuard(std::function<std::chrono::milliseconds()> loop_age, std::uint16_t publisher, ConnectionCounts& counts);
    ~FloodGuard();
    FloodGuard(const FloodGuard&) = delete;
    FloodGuard& operator=(const FloodGuard&) = delete;

private:
    using Received = std::map<int, std::uint64_t>;  // bytes, by descriptor

    void run();
    [[nodiscard]] Received look() const;
    /// Whether there were any.
    bool end_those_who_sent(const Received& before, const Received& now);

    const std::function<std::chrono::milliseconds()> loop_age_;
    const std::uint16_t publisher_;
    ConnectionCounts& counts_;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

}  // namespace muster::node
