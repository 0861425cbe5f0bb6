// Requests without an answer: those held until they can be sent, and those in flight.
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
    Instant asked_at{};  // when the request was first sent; Instant(): not yet
};
/// The given members, or if none are given the latest `count`. They are picked when the request is sent, because
/// members have other numbers in another session.
struct LeaveCall {
    Group group;
    std::vector<MemberId> members;
    std::uint64_t count = 1;
    std::vector<Roster::Place> picked;
};
struct NotifyCall {
    proto::NotifyRequest request;  // moved to Request::sent when it is sent
    bool was_sent = false;         // in this session or another one: it has the number of its call
};
/// MembersRequest, GroupsRequest, NodesRequest, StatusRequest, or a request that administers.
struct QueryCall {
    proto::Body request;
};
struct WatchCall {
    Watch watch;
};
// The session's own requests. Nobody waits for their answers.
/// With a JoinRequest it has one join; with a RejoinRequest it has those of the request, in order, or none if they are
/// an earlier process's.
struct Rejoin {
    Group group;
    std::vector<Roster::JoinId> joins;
};
struct Rewatch {
    Watch watch;
};
struct Unwatch {
    std::uint64_t number = 0;
};
/// The members of a join whose caller does not wait any more leave.
struct UndoJoin {
    Group group;
    std::vector<MemberNumber> members;
};
/// A notify that was sent in another session. Its caller has the report, or does not wait any more.
struct Repeat {
    proto::NotifyRequest request;  // moved to Request::sent when it is sent
};

using Purpose =
    std::variant<JoinCall, LeaveCall, NotifyCall, QueryCall, WatchCall, Rejoin, Rewatch, Unwatch, UndoJoin, Repeat>;

struct Request {
    CallId call;  // 0: nobody waits for the answer
    Instant deadline{};
    Purpose purpose;
    proto::Body sent;  // kept to send it again when the session is resumed
    Reply parts;       // what has come of an answer in parts
    std::size_t part_items = 0;
};

/// Pure. At most 1024 calls of the user, with 64 MiB of data, are held or in flight. In a session, requests are
/// numbered 1, 2, 3, … (PROTOCOL.md, "Requests").
class Requests {
public:
    static constexpr std::size_t kMost = 1024;
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20;

    /// Holds a call of the user until it is sent. False if a bound is reached.
    bool hold(Request request);
    /// The call that was held longest. The caller of this sends it or answers it.
    std::optional<Request> next_held();
    /// What `next_held` would return; null if nothing is held.
    [[nodiscard]] const Request* first_held() const { return held_.empty() ? nullptr : &held_.front(); }

    /// Gives a request its number and keeps it until it is answered.
    std::uint64_t in_flight(Request request);
    /// The number that the next request will have.
    [[nodiscard]] std::uint64_t next_number() const { return last_number_ + 1; }
    /// The request in flight with that number; null if there is none.
    [[nodiscard]] Request* find(std::uint64_t number);
    std::optional<Request> take(std::uint64_t number);
    [[nodiscard]] const std::map<std::uint64_t, Request>& all_in_flight() const { return in_flight_; }

    /// Whether the call that makes this watch is held.
    [[nodiscard]] bool is_held(Watch watch) const;
    /// Whether a join of this group is in flight.
    [[nodiscard]] bool joining(const Group& group) const;

    /// Calls whose deadline has passed. A call in flight stays, because its answer may still change something (a join
    /// has to be undone), but nobody waits for it. A call that was held is forgotten, unless it is a notify that was
    /// sent in another session: it becomes a Repeat.
    struct Expired {
        CallId call;
        bool was_sent = false;
    };
    std::vector<Expired> expire(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    /// Takes over requests of an earlier process, by their numbers. Nobody waits for them. The next number is last + 1.
    void continue_session(std::map<std::uint64_t, Request> requests, std::uint64_t last);

    /// Returns what was in flight, in order. Numbers begin at 1 again.
    std::vector<Request> session_ended();
    /// Takes out the notifies that are held and were sent in another session, in order.
    std::vector<Request> take_held_repeats();
    /// Holds these before all others, although a bound may be reached: they had been accepted before.
    void hold_first(std::vector<Request> requests);

    /// Forgets everything. Returns the calls that somebody waits for.
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
