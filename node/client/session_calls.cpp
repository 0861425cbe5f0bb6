// The requests of a session: sending them, their answers, and what a new
// session has to be told before anything else.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "node/client/session.hpp"
#include "proto/limits.hpp"

namespace muster::client {
namespace {

constexpr std::size_t kRestoreWindow = 256;
constexpr auto kRestoreRetry = std::chrono::seconds(1);
constexpr std::size_t kMostItems = std::size_t{1} << 24;  // of an answer in parts

template <class T>
void append(Request& request, std::vector<T>&& more) {
    if (!std::holds_alternative<std::vector<T>>(request.parts)) request.parts = std::vector<T>{};
    auto& list = std::get<std::vector<T>>(request.parts);
    request.part_items += more.size();
    list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Adds a part; whether more will follow.
bool take_part(Request& request, proto::Body& body) {
    if (auto* members = std::get_if<proto::MembersReply>(&body)) {
        append(request, std::move(members->members));
        return !members->last;
    }
    if (auto* groups = std::get_if<proto::GroupsReply>(&body)) {
        append(request, std::move(groups->groups));
        return !groups->last;
    }
    return false;
}

/// The answer of a call that has nothing to keep in mind.
std::optional<Reply> plain_reply(Request& request, proto::Body& body) {
    if (auto* error = std::get_if<proto::ErrorReply>(&body)) return Error{error->code, std::move(error->text)};
    if (auto* report = std::get_if<proto::NotifyReply>(&body)) return std::move(report->report);
    if (auto* nodes = std::get_if<proto::NodesReply>(&body)) return std::move(nodes->nodes);
    if (auto* status = std::get_if<proto::StatusReply>(&body)) return std::move(status->status);
    if (std::holds_alternative<proto::DoneReply>(body)) return Done{};
    if (std::holds_alternative<proto::MembersReply>(body) || std::holds_alternative<proto::GroupsReply>(body))
        return std::move(request.parts);
    return std::nullopt;
}

/// Whether this kind of reply can be the answer to that kind of request.
bool fits(const Purpose& purpose, const proto::Body& body) {
    const auto is = [&]<class T>(std::type_identity<T>) { return std::holds_alternative<T>(body); };
    if (is(std::type_identity<proto::ErrorReply>{})) return true;
    return std::visit(
        [&]<class P>(const P& p) {
            if constexpr (std::is_same_v<P, JoinCall> || std::is_same_v<P, Rejoin>) {
                return is(std::type_identity<proto::JoinReply>{});
            } else if constexpr (std::is_same_v<P, LeaveCall> || std::is_same_v<P, UndoJoin>) {
                return is(std::type_identity<proto::LeaveReply>{});
            } else if constexpr (std::is_same_v<P, NotifyCall>) {
                return is(std::type_identity<proto::NotifyReply>{});
            } else if constexpr (std::is_same_v<P, QueryCall>) {
                const auto& asked = p.request;
                if (std::holds_alternative<proto::MembersRequest>(asked))
                    return is(std::type_identity<proto::MembersReply>{});
                if (std::holds_alternative<proto::GroupsRequest>(asked))
                    return is(std::type_identity<proto::GroupsReply>{});
                if (std::holds_alternative<proto::NodesRequest>(asked))
                    return is(std::type_identity<proto::NodesReply>{});
                return is(std::type_identity<proto::StatusReply>{});
            } else {
                return is(std::type_identity<proto::DoneReply>{});
            }
        },
        purpose);
}

}  // namespace

// ---- sending ---------------------------------------------------------------

void Session::call(Instant now, CallId call, Instant deadline, Purpose purpose) {
    now_ = now;
    if (state_ == State::closed) return answer(call, Error{ErrorCode::closed, "the worker has been closed"});
    if (!requests_.hold({call, deadline, std::move(purpose), {}, {}}))
        return answer(call, Error{ErrorCode::overloaded,
                                  "1024 calls (or 64 MiB of data) wait for their answer: call less at once"});
    send_held();
}

void Session::watch(Instant now, CallId id, Instant deadline, Watch watch, Group group,
                    std::shared_ptr<WatchHandler> handler) {
    watches_.add(watch, std::move(group), std::move(handler));
    call(now, id, deadline, WatchCall{watch});
}

void Session::unwatch(Instant now, Watch watch) {
    now_ = now;
    const auto number = watches_.remove(watch);
    if (!number || *number == 0 || state_ == State::closed) return;
    if (state_ != State::attached) return unwatch_later_.push_back(*number);
    submit({{}, {}, Unwatch{*number}, {}, {}});
}

/// A caller reads its own writes: nothing goes before what restores the session.
void Session::send_held() {
    while (state_ == State::attached && !is_restoring()) {
        auto request = requests_.next_held();
        if (!request) return;
        if (prepare(*request)) submit(std::move(*request));
    }
}

/// Makes what is sent for a held call; false when it was answered instead.
bool Session::prepare(Request& request) {
    if (const auto* join = std::get_if<JoinCall>(&request.purpose)) {
        if (claim(request)) return false;
        request.sent = join->request;
    } else if (const auto* notify = std::get_if<NotifyCall>(&request.purpose)) {
        request.sent = notify->request;
    } else if (const auto* query = std::get_if<QueryCall>(&request.purpose)) {
        request.sent = query->request;
    } else if (const auto* watching = std::get_if<WatchCall>(&request.purpose)) {
        const Group* group = watches_.group_of(watching->watch);
        if (group == nullptr) return answer(request.call, Done{}), false;  // unwatched meanwhile
        request.sent = proto::WatchRequest{*group};
    } else if (auto* leave = std::get_if<LeaveCall>(&request.purpose)) {
        leave->picked = leave->members.empty() ? roster_.pick(leave->group, leave->count)
                                               : roster_.pick(leave->group, leave->members);
        if (leave->picked.empty()) {
            answer(request.call,
                   Error{ErrorCode::not_joined, "this worker has no such member in " + leave->group.store + " " +
                                                    leave->group.feature + ": join first"});
            return false;
        }
        auto numbers = roster_.numbers(leave->picked);
        if (numbers.empty()) return answer(request.call, roster_.remove(leave->picked)), false;
        request.sent = proto::LeaveRequest{leave->group, std::move(numbers), 1};
    }
    return true;
}

void Session::submit(Request request) {
    reserve_number();
    const auto number = requests_.in_flight(std::move(request));
    const Request& kept = *requests_.find(number);
    std::visit(
        [&]<class P>(const P& purpose) {
            auto& sent = requests_.find(number)->sent;
            if constexpr (std::is_same_v<P, Unwatch>) sent = proto::UnwatchRequest{purpose.number};
            if constexpr (std::is_same_v<P, UndoJoin>) sent = proto::LeaveRequest{purpose.group, purpose.members, 1};
            if constexpr (std::is_same_v<P, WatchCall> || std::is_same_v<P, Rewatch>)
                watches_.requested(purpose.watch, number);
        },
        kept.purpose);
    if (is_remembered(kept.sent)) keep(kept.sent, number);
    send(kept.sent, number);
}

void Session::expire_calls() {
    for (const auto [call, was_sent] : requests_.expire(now_)) {
        if (state_ != State::attached) {
            auto error = problem();
            answer(call, was_sent ? Error{ErrorCode::timeout,
                                          "the node was lost and the time ran out before another "
                                          "answered: it may or may not have been done"}
                                  : std::move(error));
        } else {
            answer(call, Error{ErrorCode::timeout,
                               "no answer from " + node_.id.name + " in time: it may still be done; allow more time"});
        }
    }
}

// ---- a new session ---------------------------------------------------------

void Session::give_up_in_flight() {
    restore_.clear();
    restoring_.clear();
    std::vector<Request> again;
    for (auto& request : requests_.session_ended()) {
        if (const auto* leave = std::get_if<LeaveCall>(&request.purpose)) {
            // PROTOCOL.md, "Hello": the old session takes all its members along, at the end of its grace at
            // the latest; these just do not come back.
            answer(request.call, roster_.remove(leave->picked));
        } else if (!request.call) {
            if (const auto* watching = std::get_if<WatchCall>(&request.purpose)) watches_.remove(watching->watch);
        } else if (std::holds_alternative<NotifyCall>(request.purpose)) {
            answer(request.call, Error{ErrorCode::unknown_session,
                                       "the session ended before the answer: the notification may or may not have "
                                       "been sent; send it again if it can stand being doubled"});
        } else {
            request.parts = {};
            request.part_items = 0;
            again.push_back(std::move(request));
        }
    }
    requests_.hold_first(std::move(again));
}

void Session::restore() {
    restore_again_.reset();
    for (auto& absent : roster_.absent()) {
        proto::JoinRequest join{absent.group, absent.count, std::move(absent.meta), false, 5000};
        restore_.push_back({{}, {}, Rejoin{absent.join, std::move(absent.group)}, std::move(join), {}});
    }
    for (const auto watch : watches_.absent()) {
        if (requests_.is_held(watch)) continue;  // its own call will ask for it
        restore_.push_back({{}, {}, Rewatch{watch}, proto::WatchRequest{*watches_.group_of(watch)}, {}});
    }
    restore_some();
}

void Session::restore_some() {
    while (!restore_.empty() && restoring_.size() < kRestoreWindow) {
        auto request = std::move(restore_.front());
        restore_.pop_front();
        const auto* again = std::get_if<Rewatch>(&request.purpose);
        if (again != nullptr && watches_.group_of(again->watch) == nullptr) continue;
        restoring_.insert(requests_.next_number());
        submit(std::move(request));
    }
}

// ---- answers ---------------------------------------------------------------

void Session::take_reply(std::uint64_t number, proto::Body&& body) {
    Request* waiting = requests_.find(number);
    if (waiting == nullptr || !fits(waiting->purpose, body)) return;
    if (take_part(*waiting, body)) {
        if (waiting->part_items > kMostItems) lost("it sent an answer without end", true);
        return;
    }
    auto request = *requests_.take(number);
    if (is_remembered(request.sent) && !std::holds_alternative<proto::WatchRequest>(request.sent)) keep(body, number);
    restoring_.erase(number);
    finish(std::move(request), std::move(body));
    restore_some();
    send_held();
    pass_on();
}

void Session::finish(Request&& request, proto::Body&& body) {
    if (const auto* join = std::get_if<JoinCall>(&request.purpose)) return finish_join(request, *join, std::move(body));
    if (const auto* leave = std::get_if<LeaveCall>(&request.purpose)) return finish_leave(request, *leave, body);
    if (std::holds_alternative<Rejoin>(request.purpose) || std::holds_alternative<Rewatch>(request.purpose))
        return finish_restore(request.purpose, body);
    const auto* watching = std::get_if<WatchCall>(&request.purpose);
    if (watching != nullptr && std::holds_alternative<proto::ErrorReply>(body)) watches_.remove(watching->watch);
    if (auto reply = plain_reply(request, body)) answer(request.call, std::move(*reply));
}

void Session::finish_join(const Request& request, const JoinCall& join, proto::Body&& body) {
    if (auto* error = std::get_if<proto::ErrorReply>(&body))
        return answer(request.call, Error{error->code, std::move(error->text)});
    const auto& reply = std::get<proto::JoinReply>(body);
    auto members = roster_.add({join.request.group, join.request.meta, join.handler, {}}, reply.members);
    if (request.call) return answer(request.call, Joined{std::move(members), reply.unseen});
    // Nobody waits any more, so nobody knows of these members.
    const auto places = roster_.pick(join.request.group, members);
    auto numbers = roster_.numbers(places);
    roster_.remove(places);
    if (!numbers.empty()) submit({{}, {}, UndoJoin{join.request.group, std::move(numbers)}, {}, {}});
}

void Session::finish_leave(const Request& request, const LeaveCall& leave, const proto::Body& body) {
    const auto* error = std::get_if<proto::ErrorReply>(&body);
    if (error != nullptr && error->code != ErrorCode::not_joined) {
        roster_.put_back(leave.picked);
        return answer(request.call, Error{error->code, error->text});
    }
    auto ids = roster_.remove(leave.picked);
    if (error != nullptr) return answer(request.call, Error{error->code, error->text});
    answer(request.call, std::move(ids));
}

void Session::finish_restore(const Purpose& purpose, const proto::Body& body) {
    const bool failed = std::holds_alternative<proto::ErrorReply>(body);
    if (const auto* join = std::get_if<Rejoin>(&purpose)) {
        if (!failed) roster_.rejoined(join->join, std::get<proto::JoinReply>(body).members);
    } else if (failed) {
        watches_.request_failed(std::get<Rewatch>(purpose).watch);
    }
    if (failed) restore_again_ = now_ + kRestoreRetry;
}

void Session::answer(CallId call, Reply reply) {
    if (call) actions_.emplace_back(Answer{call, std::move(reply)});
}

}  // namespace muster::client
