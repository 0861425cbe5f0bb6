// Requests that have no answer yet: those held until there is a session to
// send them in, and those in flight, numbered 1, 2, 3, … within a session.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "node/client/actions.hpp"
#include "node/client/roster.hpp"
#include "node/client/time.hpp"

namespace muster::client {

// ---- what a request is for ----

struct JoinCall {
    proto::JoinRequest request;
    Handler handler;
};
/// The given members, or else the latest `count`. Chosen when it is sent: numbers change with the session.
struct LeaveCall {
    Group group;
    std::vector<MemberId> members;
    std::uint64_t count = 1;
    std::vector<Roster::Position> picked;
};
struct NotifyCall {
    proto::NotifyRequest request;
};
/// MembersRequest, GroupsRequest, NodesRequest or StatusRequest.
struct QueryCall {
    proto::Body request;
};
struct WatchCall {
    Watch watch;
};
// The session's own; nobody waits for these.
struct Rejoin {
    Roster::JoinId join = 0;
    Group group;
};
struct Rewatch {
    Watch watch;
};
struct Unwatch {
    std::uint64_t number = 0;
};
/// Of a join whose caller has stopped waiting.
struct UndoJoin {
    Group group;
    std::vector<MemberNumber> members;
};

using Purpose = std::variant<JoinCall, LeaveCall, NotifyCall, QueryCall, WatchCall, Rejoin, Rewatch, Unwatch, UndoJoin>;

struct Request {
    CallId call;  // 0: nobody waits for it, or not any more
    Instant deadline{};
    Purpose purpose;
    proto::Body sent;  // for sending it again
    Reply parts;       // of an answer that comes in parts
    std::size_t part_items = 0;
};

/// Pure. Bounded: at most 1024 calls of the user and 64 MiB of their data.
class Requests {
public:
    static constexpr std::size_t kMost = 1024;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    /// Holds a call of the user until it is sent; false when there is no room for it.
    bool hold(Request request);
    /// The one held longest; the caller sends it or answers it.
    std::optional<Request> next_held();

    /// Numbers a request and keeps it until it is answered. `sent` is filled by the caller.
    std::uint64_t in_flight(Request request);
    /// The number that `in_flight` gives next.
    [[nodiscard]] std::uint64_t next_number() const { return last_number_ + 1; }
    [[nodiscard]] Request* find(std::uint64_t number);
    std::optional<Request> take(std::uint64_t number);
    [[nodiscard]] const std::map<std::uint64_t, Request>& all_in_flight() const { return in_flight_; }

    /// Whether the call that makes this watch is held.
    [[nodiscard]] bool is_held(Watch watch) const;
    /// Whether a join of this group is in flight.
    [[nodiscard]] bool joining(const Group& group) const;

    /// Calls whose time is up. Those in flight stay, for their answer, but nobody waits for it;
    /// those held are forgotten.
    struct Expired {
        CallId call;
        bool was_sent = false;
    };
    std::vector<Expired> expire(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    /// Those of an earlier process, by their numbers; nobody waits for them. The next number is beyond `last`.
    void continue_session(std::map<std::uint64_t, Request> requests, std::uint64_t last);

    /// What was in flight is returned, in its order; numbers begin at 1 again.
    std::vector<Request> session_ended();
    /// To be sent (again) before all that is held; it had its room already.
    void hold_first(std::vector<Request> requests);

    /// Every call somebody waits for; nothing is left.
    std::vector<CallId> close();

private:
    void release(const Request& request);

    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Request> in_flight_;
    std::deque<Request> held_;
    std::set<std::pair<Instant, CallId>> deadlines_;
    std::size_t calls_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace muster::client
