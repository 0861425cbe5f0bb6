// The session that a worker leaves because its node asks it to move.
#pragma once

#include <cstdint>

#include "node/client/outbox.hpp"
#include "node/client/time.hpp"

namespace muster::client {

/// PROTOCOL.md, "Moving". The old session stays alive over its connection until the members have joined at another
/// node. What its handlers still handle is acknowledged there.
class Moving {
public:
    explicit Moving(Outbox& outbox) : outbox_(outbox) {}

    /// The open connection is kept, and the current session is the old one. `handled`: its stream so far.
    void begin(Instant now, Duration heartbeat, std::uint64_t handled);
    [[nodiscard]] bool is_on() const { return is_on_; }
    /// The time to find another node is over.
    [[nodiscard]] bool is_in_vain(Instant now) const { return is_on_ && now >= until_; }

    void handled(std::uint64_t session, std::uint64_t seq);
    /// Sends a heartbeat if one is due.
    void tick(Instant now);

    /// The members have joined elsewhere (`moved`), or the worker ends: says goodbye.
    void finish(bool moved);
    /// The old session is resumed, or is left to its grace period: what its groups are sent stays remembered then.
    void give_up();

    /// When `tick` is due; while no node is there, also when the time is over.
    [[nodiscard]] Instant next_deadline(bool attached) const;

private:
    void close();

    Outbox& outbox_;
    bool is_on_ = false;
    SessionToken token_;
    std::uint64_t session_ = 0;
    std::uint64_t handled_ = 0;
    Duration heartbeat_{};
    Instant next_heartbeat_{};
    Instant until_{};
};

}  // namespace muster::client
