// The user's calls and the session's own requests: what is sent for them, and what their replies change.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "node/client/outbox.hpp"
#include "node/client/rejoins.hpp"
#include "node/client/requests.hpp"
#include "node/client/restoration.hpp"
#include "node/client/roster.hpp"
#include "node/client/unclaimed.hpp"
#include "node/client/unsettled.hpp"
#include "node/client/watches.hpp"

namespace muster::client {

/// PROTOCOL.md, "Requests", and what "Hello" says about requests in flight. Keeps the user's members and watches equal
/// to what the node was asked for, through every session. Repeats notifies that an earlier node may have lost.
class Calls {
public:
    Calls(Requests& requests, Unclaimed& unclaimed, Roster& roster, Watches& watches, Outbox& outbox);

    /// Ends a watch. While `attached`, the node is told immediately; otherwise when the session is resumed.
    void unwatch(Watch watch, bool attached);

    enum class Sent {
        nothing,  // no call is held, or a new session must be restored first
        one,      // the call was sent, or answered without asking the node
        claim     // a join was answered with members of an earlier process: the stream may go on
    };
    /// Handles the call that was held longest. Only while attached.
    Sent send_next(Instant now);

    /// `endless`: the node sends an answer that never ends.
    enum class Taken { unexpected, part, all, endless };
    Taken take_reply(Instant now, std::uint64_t number, proto::Body&& reply);

    /// An earlier process left these requests without an answer and these watches. Its joins are undone, its leaves are
    /// repeated, and its watches end, because nobody is left who was told their outcome.
    void continue_session(const SavedSession& saved);
    /// The node has the session: what has no answer is sent again. `handover`: whether it takes RejoinRequest and
    /// repeated notifies.
    void session_resumed(Instant now, bool handover);
    /// The session before is over: members and watches are asked for again. `former` is where the members were last.
    void begin_session(Instant now, bool handover, Former former);
    /// The death of the node does not lose any notify up to this call of the worker.
    void settled(std::uint64_t call);

    /// Members of the earlier process that nobody joined leave. The stream may go on then.
    void leave_unclaimed();

    /// Tries again to restore what could not be restored.
    void restore(Instant now);
    /// Whether all members and watches of the session before are in this one.
    [[nodiscard]] bool is_restored() const {
        return !restoration_.is_running() && restoration_.next_retry() == Instant::max();
    }
    /// When `restore` is due.
    [[nodiscard]] Instant next_restore() const { return restoration_.next_retry(); }

private:
    using Repeats = std::map<std::uint64_t, Request>;  // by call

    bool prepare(Instant now, Request& request);
    bool prepare_leave(Request& request, LeaveCall& leave);
    void prepare_notify(Instant now, Request& request, NotifyCall& notify);
    bool claim(Instant now, const Request& request);
    void submit(Request request);
    void end_requests(bool can_repeat);
    static void add_repeat(Repeats& repeats, Request&& request);
    void hold_repeats(Repeats&& repeats);
    void give_up(Repeats&& repeats);
    void send_restoration(Instant now);
    void finish(Instant now, Request&& request, proto::Body&& reply);
    void finish_join(const Request& request, const JoinCall& join, proto::Body&& reply);
    void finish_leave(const Request& request, const LeaveCall& leave, const proto::Body& reply);
    void finish_restoring(Instant now, const Purpose& purpose, const proto::Body& reply);
    void finish_rejoin(const Rejoin& rejoin, const std::vector<proto::NumberRun>& runs);
    void finish_notify(Request& request, proto::Body&& reply);

    Requests& requests_;
    Unclaimed& unclaimed_;
    Roster& roster_;
    Watches& watches_;
    Outbox& outbox_;

    Restoration restoration_;
    Unsettled unsettled_;
    bool handover_ = false;  // whether the node takes RejoinRequest and repeated notifies
    Former former_;
    std::uint64_t last_call_ = 0;               // of a notify; they go on through all sessions
    std::size_t repeating_ = 0;                 // Repeats in flight; at most 256, which nobody waits for
    std::vector<std::uint64_t> unwatch_later_;  // numbers of watches that ended while no node could be told
};

}  // namespace muster::client
