// Whether the node that a worker is attached to still answers, and when the worker's own heartbeats are due.
#pragma once

#include "node/client/time.hpp"

namespace muster::client {

/// PROTOCOL.md, "Timers". Every frame from the node counts as a sign of life. After 300 ms without one (three of the
/// node's heartbeats) the port is checked: a port that refuses connections proves that the process is gone. Without
/// such proof, the node is given up only after the time to live that its welcome stated.
class Liveness {
public:
    /// A new connection was welcomed.
    void attached(Instant now, Duration heartbeat, Duration ttl);
    void heard(Instant now) { last_heard_ = now; }
    /// This process did not run for so long: that time does not count as silence.
    void extend(Duration time) { last_heard_ += time; }

    /// No sign of life for 300 ms.
    [[nodiscard]] bool is_quiet(Instant now) const;
    /// No sign of life for the time to live.
    [[nodiscard]] bool is_silent(Instant now) const { return now - last_heard_ >= ttl_; }
    [[nodiscard]] Duration ttl() const { return ttl_; }
    [[nodiscard]] Duration heartbeat() const { return heartbeat_; }

    /// True at most once in 300 ms, and only while the node is quiet.
    [[nodiscard]] bool begin_check(Instant now);

    [[nodiscard]] bool heartbeat_is_due(Instant now) const { return now >= next_heartbeat_; }
    void heartbeat_sent(Instant now) { next_heartbeat_ = now + heartbeat_; }

    [[nodiscard]] Instant next_deadline() const;

private:
    Duration heartbeat_{};
    Duration ttl_{};
    Instant last_heard_{};
    Instant next_check_{};
    Instant next_heartbeat_{};
};

}  // namespace muster::client
