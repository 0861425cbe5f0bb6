// The stream of a session: notifications, gaps and watch events, each passed on once and in order.
#pragma once

#include <cstdint>
#include <deque>

#include "node/client/outbox.hpp"
#include "node/client/requests.hpp"
#include "node/client/roster.hpp"
#include "node/client/unclaimed.hpp"
#include "node/client/watches.hpp"
#include "proto/messages.hpp"

namespace muster::client {

/// PROTOCOL.md, "The stream". Every item becomes one Item action, also if nobody handles it: its number must be
/// acknowledged all the same. Items that must wait (see `release`) hold back those behind them.
class Stream {
public:
    /// `hole`: an item is missing. `overflow`: the node sent more than its window allows.
    /// `endless`: the node sent a snapshot that is larger than any cluster.
    enum class Fault { none, hole, overflow, endless };

    Stream(const Requests& requests, const Unclaimed& unclaimed, Roster& roster, Watches& watches, Outbox& outbox);

    /// Continues the stream of an earlier process, which had handled it up to `handled`.
    void continue_session(std::uint64_t handled);
    /// What still waits is passed on; items count from 1 again. Must precede `Outbox::begin_session`.
    void begin_session();

    /// Ignores an item that was taken before.
    Fault take(std::uint64_t seq, proto::StreamItem&& item);
    /// Passes on what need not wait any more: to be called when a join was answered, or when members that nobody had
    /// claimed were claimed or left.
    Fault release();

    /// The handlers of all items up to `seq` have returned. Ignored for another session than the current one.
    void handled(std::uint64_t session, std::uint64_t seq);
    [[nodiscard]] std::uint64_t last_handled() const { return last_handled_; }
    [[nodiscard]] bool ack_is_due() const { return ack_due_; }
    void acknowledged() { ack_due_ = false; }

private:
    struct Waiting {
        std::uint64_t seq = 0;
        proto::StreamItem item;
    };

    [[nodiscard]] bool must_wait(const proto::StreamItem& item);
    bool pass(Waiting&& waiting);

    const Requests& requests_;
    const Unclaimed& unclaimed_;
    Roster& roster_;
    Watches& watches_;
    Outbox& outbox_;

    std::uint64_t last_taken_ = 0;
    std::uint64_t last_handled_ = 0;
    bool ack_due_ = false;
    bool first_sets_position_ = false;  // see `take`
    std::deque<Waiting> waiting_;
};

}  // namespace muster::client
