#include "node/client/calls.hpp"

#include <algorithm>
#include <utility>

#include "node/client/number_runs.hpp"
#include "node/client/replies.hpp"

namespace muster::client {
namespace {

constexpr std::size_t kMostRepeating = 256;

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
Calls::Sent Calls::send_next(Instant now) {
    if (restoration_.is_running()) return Sent::nothing;
    const Request* first = requests_.first_held();
    if (first == nullptr) return Sent::nothing;
    if (std::holds_alternative<Repeat>(first->purpose) && repeating_ >= kMostRepeating) return Sent::nothing;
    auto request = *requests_.next_held();
    if (std::holds_alternative<JoinCall>(request.purpose) && claim(now, request)) return Sent::claim;
    if (prepare(now, request)) submit(std::move(request));
    return Sent::one;
}

/// Whether the join was answered with members of an earlier process.
bool Calls::claim(Instant now, const Request& request) {
    const auto& join = std::get<JoinCall>(request.purpose);
    auto claimed = unclaimed_.claim(join.request);
    if (!claimed) return false;
    auto members =
        roster_.add({join.request.group, join.request.meta, join.handler, {}, now}, runs_of(claimed->members));
    outbox_.answer(request.call, Joined{std::move(members), claimed->unseen});
    return true;
}

/// Makes the message for a held call. False if the call was answered instead.
bool Calls::prepare(Instant now, Request& request) {
    if (auto* join = std::get_if<JoinCall>(&request.purpose)) {
        if (join->asked_at == Instant()) join->asked_at = now;
        request.sent = join->request;
    } else if (auto* notify = std::get_if<NotifyCall>(&request.purpose)) {
        prepare_notify(now, request, *notify);
    } else if (auto* repeat = std::get_if<Repeat>(&request.purpose)) {
        repeat->request.wait = false;
        repeat->request.repeated = true;
        request.sent = std::move(repeat->request);
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

/// A notify gets the number of its call when it is first sent, so the numbers rise in the order of sending.
void Calls::prepare_notify(Instant now, Request& request, NotifyCall& notify) {
    if (notify.was_sent) {
        notify.request.repeated = true;
        notify.request.timeout_ms =
            std::min(notify.request.timeout_ms, time_for_node(std::max(request.deadline - now, Duration(0))));
    } else {
        notify.was_sent = true;
        notify.request.repeated = false;
        notify.request.call = ++last_call_;
    }
    request.sent = std::move(notify.request);
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
    } else if (std::holds_alternative<Repeat>(request.purpose)) {
        ++repeating_;
    }
    outbox_.send_request(request.sent, number);
    requests_.in_flight(std::move(request));
}

// ---- replies ---------------------------------------------------------------

Calls::Taken Calls::take_reply(Instant now, std::uint64_t number, proto::Body&& reply) {
    Request* waiting = requests_.find(number);
    if (waiting == nullptr || !fits(*waiting, reply)) return Taken::unexpected;
    if (take_part(*waiting, reply)) return waiting->part_items > kMostReplyItems ? Taken::endless : Taken::part;
    auto request = *requests_.take(number);
    if (is_remembered(request.sent) && !std::holds_alternative<proto::WatchRequest>(request.sent))
        outbox_.keep_reply(reply, number);
    restoration_.answered(number);
    finish(now, std::move(request), std::move(reply));
    send_restoration(now);
    return Taken::all;
}

void Calls::finish(Instant now, Request&& request, proto::Body&& reply) {
    const auto& purpose = request.purpose;
    if (const auto* join = std::get_if<JoinCall>(&purpose)) return finish_join(request, *join, std::move(reply));
    if (const auto* leave = std::get_if<LeaveCall>(&purpose)) return finish_leave(request, *leave, reply);
    if (std::holds_alternative<Rejoin>(purpose) || std::holds_alternative<Rewatch>(purpose))
        return finish_restoring(now, purpose, reply);
    if (std::holds_alternative<NotifyCall>(purpose) || std::holds_alternative<Repeat>(purpose))
        return finish_notify(request, std::move(reply));
    const auto* watching = std::get_if<WatchCall>(&purpose);
    if (watching != nullptr && std::holds_alternative<proto::ErrorReply>(reply)) watches_.remove(watching->watch);
    if (auto answer = plain_answer(request, reply)) outbox_.answer(request.call, *std::move(answer));
}

void Calls::finish_join(const Request& request, const JoinCall& join, proto::Body&& reply) {
    if (auto* error = std::get_if<proto::ErrorReply>(&reply))
        return outbox_.answer(request.call, Error{error->code, std::move(error->text)});
    const auto& joined = std::get<proto::JoinReply>(reply);
    auto members =
        roster_.add({join.request.group, join.request.meta, join.handler, {}, join.asked_at}, joined.members);
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
        if (!failed) finish_rejoin(*join, std::get<proto::JoinReply>(reply).members);
    } else if (failed) {
        watches_.request_failed(std::get<Rewatch>(purpose).watch);
    }
    if (failed) restoration_.failed(now);
}

void Calls::finish_rejoin(const Rejoin& rejoin, const std::vector<proto::NumberRun>& runs) {
    if (rejoin.joins.size() == 1) return roster_.rejoined(rejoin.joins.front(), runs);
    for (std::size_t i = 0; i < rejoin.joins.size(); ++i) roster_.rejoined(rejoin.joins[i], {runs[i]});
    // An earlier process asked for these, and nobody knows of its members.
    if (rejoin.joins.empty() && !runs.empty()) submit({{}, {}, UndoJoin{rejoin.group, expand(runs)}, {}, {}});
}

/// A call whose answer is an error was not carried out, unless another node had carried it out before.
void Calls::finish_notify(Request& request, proto::Body&& reply) {
    const bool repeats = std::holds_alternative<Repeat>(request.purpose);
    if (repeats) --repeating_;
    const auto* notified = std::get_if<proto::NotifyReply>(&reply);
    if (handover_ && (repeats || notified != nullptr))
        unsettled_.keep(std::move(std::get<proto::NotifyRequest>(request.sent)));
    if (notified != nullptr) settled(notified->settled);
    if (auto answer = plain_answer(request, reply)) outbox_.answer(request.call, *std::move(answer));
}

void Calls::settled(std::uint64_t call) {
    unsettled_.settled(std::min(call, last_call_));
}

}  // namespace muster::client
