#include <map>
#include <utility>

#include "node/client/calls.hpp"

namespace muster::client {
namespace {

std::uint64_t call_of(const Request& request) {
    const auto* call = std::get_if<NotifyCall>(&request.purpose);
    return (call != nullptr ? call->request : std::get<Repeat>(request.purpose).request).call;
}

}  // namespace

// ---- sessions --------------------------------------------------------------

void Calls::session_resumed(Instant now, bool handover) {
    handover_ = handover;
    for (const auto& [number, request] : requests_.all_in_flight()) {
        proto::Body again = request.sent;
        if (const auto* rejoin = std::get_if<Rejoin>(&request.purpose))
            set_times(again, *rejoin, roster_, former_, now);
        outbox_.repeat_request(again, number);
    }
    for (const auto number : std::exchange(unwatch_later_, {})) submit({{}, {}, Unwatch{number}, {}, {}});
    send_restoration(now);
}

void Calls::begin_session(Instant now, bool handover, Former former) {
    const bool can_repeat = std::exchange(handover_, handover) && handover;
    former_ = std::move(former);
    (void)unclaimed_.take_all();
    roster_.session_ended();
    watches_.session_ended();
    unwatch_later_.clear();
    end_requests(can_repeat);
    restore(now);
}

void Calls::end_requests(bool can_repeat) {
    std::vector<Request> again;
    Repeats repeats;
    repeating_ = 0;
    for (auto& request : requests_.session_ended()) {
        if (const auto* leave = std::get_if<LeaveCall>(&request.purpose)) {
            // PROTOCOL.md, "Hello": all members of the old session leave, at the end of its grace period at the
            // latest. These are not joined again.
            outbox_.answer(request.call, roster_.remove(leave->picked));
        } else if (std::holds_alternative<proto::NotifyRequest>(request.sent)) {
            add_repeat(repeats, std::move(request));
        } else if (!request.call) {
            if (const auto* watching = std::get_if<WatchCall>(&request.purpose)) watches_.remove(watching->watch);
        } else {
            request.parts = {};
            request.part_items = 0;
            again.push_back(std::move(request));
        }
    }
    for (auto& request : requests_.take_held_repeats()) add_repeat(repeats, std::move(request));
    for (auto& request : unsettled_.take_all()) add_repeat(repeats, {{}, {}, Repeat{}, std::move(request), {}});
    requests_.hold_first(std::move(again));
    can_repeat ? hold_repeats(std::move(repeats)) : give_up(std::move(repeats));
}

/// `request` was sent, or is held to be sent again.
void Calls::add_repeat(Repeats& repeats, Request&& request) {
    auto* call = std::get_if<NotifyCall>(&request.purpose);
    auto& kept = call != nullptr ? call->request : std::get<Repeat>(request.purpose).request;
    if (auto* sent = std::get_if<proto::NotifyRequest>(&request.sent)) kept = std::move(*sent);
    request.sent = {};
    if (call != nullptr && !request.call) request.purpose = Repeat{std::move(kept)};
    const auto number = call_of(request);
    repeats.emplace(number, std::move(request));
}

/// All are sent before any other call, in the order of their calls.
void Calls::hold_repeats(Repeats&& repeats) {
    std::vector<Request> list;
    for (auto& [call, request] : repeats) list.push_back(std::move(request));
    requests_.hold_first(std::move(list));
}

void Calls::give_up(Repeats&& repeats) {
    for (auto& [call, request] : repeats)
        outbox_.answer(request.call, Error{ErrorCode::unknown_session,
                                           "the session ended before the answer, and nodes of an older version do not "
                                           "take a notification again: it may or may not have been sent; send it again "
                                           "if it may be handled twice"});
}

void Calls::restore(Instant now) {
    std::deque<Request> queue;
    for (auto& request : handover_ ? handover_requests(roster_) : join_requests(roster_))
        queue.push_back(std::move(request));
    for (const auto watch : watches_.absent()) {
        if (requests_.is_held(watch)) continue;  // the call that makes it will ask for it
        queue.push_back({{}, {}, Rewatch{watch}, proto::WatchRequest{*watches_.group_of(watch)}, {}});
    }
    restoration_.begin(std::move(queue));
    send_restoration(now);
}

void Calls::send_restoration(Instant now) {
    while (auto request = restoration_.next()) {
        const auto* again = std::get_if<Rewatch>(&request->purpose);
        if (again != nullptr && watches_.group_of(again->watch) == nullptr) continue;  // it ended meanwhile
        if (const auto* rejoin = std::get_if<Rejoin>(&request->purpose))
            set_times(request->sent, *rejoin, roster_, former_, now);
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
        } else if (const auto* again = std::get_if<proto::RejoinRequest>(&sent)) {
            request.purpose = Rejoin{again->group, {}};
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
