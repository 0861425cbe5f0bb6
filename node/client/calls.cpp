#include "node/client/calls.hpp"

#include <map>
#include <utility>

#include "node/client/number_runs.hpp"
#include "node/client/replies.hpp"

namespace muster::client {
namespace {

constexpr std::uint64_t kRestoreTimeoutMs = 5000;

}  // namespace

Calls::Calls(Requests& requests, Unclaimed& unclaimed, Roster& roster, Watches& watches, Outbox& outbox)
    : requests_(requests), unclaimed_(unclaimed), roster_(roster), watches_(watches), outbox_(outbox) {}

// ---- sending ---------------------------------------------------------------

void Calls::unwatch(Watch watch, bool attached) {
    const auto number = watches_.remove(watch);
    if (!number || *number == 0) return;
    if (attached) {
        submit({{}, {}, Unwatch{*number}, {}, {}});
    } else {
        unwatch_later_.push_back(*number);
    }
}

/// A caller reads its own writes: nothing is sent before the members and watches of a new session are restored.
Calls::Sent Calls::send_next() {
    if (restoration_.is_running()) return Sent::nothing;
    auto request = requests_.next_held();
    if (!request) return Sent::nothing;
    if (std::holds_alternative<JoinCall>(request->purpose) && claim(*request)) return Sent::claim;
    if (prepare(*request)) submit(*std::move(request));
    return Sent::one;
}

/// Whether the join was answered with members of an earlier process.
bool Calls::claim(const Request& request) {
    const auto& join = std::get<JoinCall>(request.purpose);
    auto claimed = unclaimed_.claim(join.request);
    if (!claimed) return false;
    auto members = roster_.add({join.request.group, join.request.meta, join.handler, {}}, runs_of(claimed->members));
    outbox_.answer(request.call, Joined{std::move(members), claimed->unseen});
    return true;
}

/// Makes the message for a held call. False if the call was answered instead.
bool Calls::prepare(Request& request) {
    if (const auto* join = std::get_if<JoinCall>(&request.purpose)) {
        request.sent = join->request;
    } else if (const auto* notify = std::get_if<NotifyCall>(&request.purpose)) {
        request.sent = notify->request;
    } else if (const auto* query = std::get_if<QueryCall>(&request.purpose)) {
        request.sent = query->request;
    } else if (const auto* watching = std::get_if<WatchCall>(&request.purpose)) {
        const Group* group = watches_.group_of(watching->watch);
        if (group == nullptr) {  // the watch ended while its call was held
            outbox_.answer(request.call, Done{});
            return false;
        }
        request.sent = proto::WatchRequest{*group};
    } else if (auto* leave = std::get_if<LeaveCall>(&request.purpose)) {
        return prepare_leave(request, *leave);
    }
    return true;
}

bool Calls::prepare_leave(Request& request, LeaveCall& leave) {
    leave.picked =
        leave.members.empty() ? roster_.pick(leave.group, leave.count) : roster_.pick(leave.group, leave.members);
    if (leave.picked.empty()) {
        outbox_.answer(request.call,
                       Error{ErrorCode::not_joined, "this worker has no such member in " + leave.group.store + " " +
                                                        leave.group.feature + ": join first"});
        return false;
    }
    auto numbers = roster_.numbers(leave.picked);
    if (numbers.empty()) {  // no session has these members
        outbox_.answer(request.call, roster_.remove(leave.picked));
        return false;
    }
    request.sent = proto::LeaveRequest{leave.group, std::move(numbers), 1};
    return true;
}

void Calls::submit(Request request) {
    const auto number = requests_.next_number();
    if (const auto* unwatch = std::get_if<Unwatch>(&request.purpose)) {
        request.sent = proto::UnwatchRequest{unwatch->number};
    } else if (const auto* undo = std::get_if<UndoJoin>(&request.purpose)) {
        request.sent = proto::LeaveRequest{undo->group, undo->members, 1};
    } else if (const auto* watch = std::get_if<WatchCall>(&request.purpose)) {
        watches_.requested(watch->watch, number);
    } else if (const auto* again = std::get_if<Rewatch>(&request.purpose)) {
        watches_.requested(again->watch, number);
    }
    outbox_.send_request(request.sent, number);
    requests_.in_flight(std::move(request));
}

// ---- replies ---------------------------------------------------------------

Calls::Taken Calls::take_reply(Instant now, std::uint64_t number, proto::Body&& reply) {
    Request* waiting = requests_.find(number);
    if (waiting == nullptr || !fits(waiting->purpose, reply)) return Taken::unexpected;
    if (take_part(*waiting, reply)) return waiting->part_items > kMostReplyItems ? Taken::endless : Taken::part;
    auto request = *requests_.take(number);
    if (is_remembered(request.sent) && !std::holds_alternative<proto::WatchRequest>(request.sent))
        outbox_.keep_reply(reply, number);
    restoration_.answered(number);
    finish(now, std::move(request), std::move(reply));
    send_restoration();
    return Taken::all;
}

void Calls::finish(Instant now, Request&& request, proto::Body&& reply) {
    const auto& purpose = request.purpose;
    if (const auto* join = std::get_if<JoinCall>(&purpose)) return finish_join(request, *join, std::move(reply));
    if (const auto* leave = std::get_if<LeaveCall>(&purpose)) return finish_leave(request, *leave, reply);
    if (std::holds_alternative<Rejoin>(purpose) || std::holds_alternative<Rewatch>(purpose))
        return finish_restoring(now, purpose, reply);
    const auto* watching = std::get_if<WatchCall>(&purpose);
    if (watching != nullptr && std::holds_alternative<proto::ErrorReply>(reply)) watches_.remove(watching->watch);
    if (auto answer = plain_answer(request, reply)) outbox_.answer(request.call, *std::move(answer));
}

void Calls::finish_join(const Request& request, const JoinCall& join, proto::Body&& reply) {
    if (auto* error = std::get_if<proto::ErrorReply>(&reply))
        return outbox_.answer(request.call, Error{error->code, std::move(error->text)});
    const auto& joined = std::get<proto::JoinReply>(reply);
    auto members = roster_.add({join.request.group, join.request.meta, join.handler, {}}, joined.members);
    if (request.call) return outbox_.answer(request.call, Joined{std::move(members), joined.unseen});
    // Nobody waits for this join any more, so nobody knows of its members.
    const auto picked = roster_.pick(join.request.group, members);
    auto numbers = roster_.numbers(picked);
    roster_.remove(picked);
    if (!numbers.empty()) submit({{}, {}, UndoJoin{join.request.group, std::move(numbers)}, {}, {}});
}

void Calls::finish_leave(const Request& request, const LeaveCall& leave, const proto::Body& reply) {
    const auto* error = std::get_if<proto::ErrorReply>(&reply);
    if (error != nullptr && error->code != ErrorCode::not_joined) {
        roster_.put_back(leave.picked);
        return outbox_.answer(request.call, Error{error->code, error->text});
    }
    auto ids = roster_.remove(leave.picked);
    if (error != nullptr) return outbox_.answer(request.call, Error{error->code, error->text});
    outbox_.answer(request.call, std::move(ids));
}

void Calls::finish_restoring(Instant now, const Purpose& purpose, const proto::Body& reply) {
    const bool failed = std::holds_alternative<proto::ErrorReply>(reply);
    if (const auto* join = std::get_if<Rejoin>(&purpose)) {
        if (!failed) roster_.rejoined(join->join, std::get<proto::JoinReply>(reply).members);
    } else if (failed) {
        watches_.request_failed(std::get<Rewatch>(purpose).watch);
    }
    if (failed) restoration_.failed(now);
}

// ---- sessions --------------------------------------------------------------

void Calls::session_resumed() {
    for (const auto& [number, request] : requests_.all_in_flight()) outbox_.repeat_request(request.sent, number);
    for (const auto number : std::exchange(unwatch_later_, {})) submit({{}, {}, Unwatch{number}, {}, {}});
    send_restoration();
}

void Calls::begin_session() {
    (void)unclaimed_.take_all();
    roster_.session_ended();
    watches_.session_ended();
    unwatch_later_.clear();
    end_requests();
    restore();
}

void Calls::end_requests() {
    std::vector<Request> again;
    for (auto& request : requests_.session_ended()) {
        if (const auto* leave = std::get_if<LeaveCall>(&request.purpose)) {
            // PROTOCOL.md, "Hello": all members of the old session leave, at the end of its grace period at the
            // latest. These are not joined again.
            outbox_.answer(request.call, roster_.remove(leave->picked));
        } else if (!request.call) {
            if (const auto* watching = std::get_if<WatchCall>(&request.purpose)) watches_.remove(watching->watch);
        } else if (std::holds_alternative<NotifyCall>(request.purpose)) {
            outbox_.answer(request.call,
                           Error{ErrorCode::unknown_session,
                                 "the session ended before the answer: the notification may or may not have "
                                 "been sent; send it again if it may be handled twice"});
        } else {
            request.parts = {};
            request.part_items = 0;
            again.push_back(std::move(request));
        }
    }
    requests_.hold_first(std::move(again));
}

void Calls::restore() {
    std::deque<Request> queue;
    for (auto& absent : roster_.absent()) {
        proto::JoinRequest join{absent.group, absent.count, std::move(absent.meta), false, kRestoreTimeoutMs};
        queue.push_back({{}, {}, Rejoin{absent.join, std::move(absent.group)}, std::move(join), {}});
    }
    for (const auto watch : watches_.absent()) {
        if (requests_.is_held(watch)) continue;  // the call that makes it will ask for it
        queue.push_back({{}, {}, Rewatch{watch}, proto::WatchRequest{*watches_.group_of(watch)}, {}});
    }
    restoration_.begin(std::move(queue));
    send_restoration();
}

void Calls::send_restoration() {
    while (auto request = restoration_.next()) {
        const auto* again = std::get_if<Rewatch>(&request->purpose);
        if (again != nullptr && watches_.group_of(again->watch) == nullptr) continue;  // it ended meanwhile
        restoration_.sent(requests_.next_number());
        submit(*std::move(request));
    }
}

// ---- another process's session ---------------------------------------------

void Calls::continue_session(const SavedSession& saved) {
    unwatch_later_.assign(saved.watches.begin(), saved.watches.end());
    std::map<std::uint64_t, Request> unfinished;
    for (const auto& [number, sent] : saved.unfinished) {
        Request request{{}, {}, QueryCall{}, sent, {}};
        if (const auto* join = std::get_if<proto::JoinRequest>(&sent)) {
            request.purpose = JoinCall{*join, nullptr};
        } else if (const auto* leave = std::get_if<proto::LeaveRequest>(&sent)) {
            unclaimed_.remove(leave->members);
            request.purpose = UndoJoin{leave->group, leave->members};
        } else if (const auto* unwatch = std::get_if<proto::UnwatchRequest>(&sent)) {
            std::erase(unwatch_later_, unwatch->watch);
            request.purpose = Unwatch{unwatch->watch};
        }
        unfinished.emplace(number, std::move(request));
    }
    requests_.continue_session(std::move(unfinished), saved.requests);
}

void Calls::leave_unclaimed() {
    for (auto& join : unclaimed_.take_all())
        submit({{}, {}, UndoJoin{join.request.group, {join.members.begin(), join.members.end()}}, {}, {}});
}

}  // namespace muster::client
