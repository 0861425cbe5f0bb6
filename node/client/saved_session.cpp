#include "node/client/saved_session.hpp"

#include <iterator>
#include <utility>
#include <variant>

#include "node/client/number_runs.hpp"

namespace muster::client {
namespace {

template <class T>
bool is(const proto::Body& body) {
    return std::holds_alternative<T>(body);
}

void add_join(SavedSession& saved, SavedSession::JoinKey key, SavedSession::Join join,
              const std::vector<proto::NumberRun>& runs) {
    for (const auto member : expand(runs)) {
        join.members.insert(member);
        saved.owners[member] = key;
    }
    if (!join.members.empty()) saved.joins.insert_or_assign(key, std::move(join));
}

/// The place of the next join under that number.
std::size_t next_place(const SavedSession& saved, std::uint64_t number) {
    const auto behind = saved.joins.lower_bound({number + 1, 0});
    if (behind == saved.joins.begin() || std::prev(behind)->first.first != number) return 0;
    return std::prev(behind)->first.second + 1;
}

/// One run of the reply for each join; for a single join all runs, because some of its members may have left.
bool add_rejoin(SavedSession& saved, std::uint64_t number, const proto::RejoinRequest& request,
                const proto::JoinReply& reply) {
    const bool is_single = request.joins.size() == 1;
    if (!is_single && !has_run_for_each(request, reply)) return false;
    auto place = next_place(saved, number);
    for (std::size_t i = 0; i < request.joins.size(); ++i) {
        const auto& join = request.joins[i];
        const auto runs = is_single ? reply.members : std::vector{reply.members[i]};
        add_join(saved, {number, place++}, {{request.group, join.count, join.meta, false, 0}, 0, {}, true}, runs);
    }
    return true;
}

void remove_members(SavedSession& saved, const std::vector<MemberNumber>& members) {
    for (const auto member : members) {
        const auto owner = saved.owners.find(member);
        if (owner == saved.owners.end()) continue;
        const auto join = saved.joins.find(owner->second);
        join->second.members.erase(member);
        if (join->second.members.empty()) saved.joins.erase(join);
        saved.owners.erase(owner);
    }
}

bool take_reply(SavedSession& saved, std::uint64_t number, const proto::Body& reply) {
    const auto found = saved.unfinished.find(number);
    if (found == saved.unfinished.end()) return false;
    const auto* error = std::get_if<proto::ErrorReply>(&reply);
    if (const auto* join = std::get_if<proto::JoinRequest>(&found->second)) {
        const auto* joined = std::get_if<proto::JoinReply>(&reply);
        if (joined == nullptr && error == nullptr) return false;
        if (joined != nullptr) add_join(saved, {number, 0}, {*join, joined->unseen, {}, false}, joined->members);
    } else if (const auto* again = std::get_if<proto::RejoinRequest>(&found->second)) {
        const auto* joined = std::get_if<proto::JoinReply>(&reply);
        if (joined == nullptr && error == nullptr) return false;
        if (joined != nullptr && !add_rejoin(saved, number, *again, *joined)) return false;
    } else if (const auto* leave = std::get_if<proto::LeaveRequest>(&found->second)) {
        if (!is<proto::LeaveReply>(reply) && error == nullptr) return false;
        if (error == nullptr || error->code == ErrorCode::not_joined) remove_members(saved, leave->members);
    } else if (const auto* unwatch = std::get_if<proto::UnwatchRequest>(&found->second)) {
        if (!is<proto::DoneReply>(reply) && error == nullptr) return false;
        saved.watches.erase(unwatch->watch);
    }
    saved.unfinished.erase(found);
    return true;
}

/// A number must not be used for a second request: the joins of both would be stored under it.
bool is_used(const SavedSession& saved, std::uint64_t number, bool again) {
    const auto join = saved.joins.lower_bound({number, 0});
    const bool has_join = join != saved.joins.end() && join->first.first == number;
    return (has_join && !(again && join->second.again)) || saved.watches.contains(number) ||
           saved.unfinished.contains(number);
}

}  // namespace

bool is_remembered(const proto::Body& request) {
    return is<proto::JoinRequest>(request) || is<proto::RejoinRequest>(request) || is<proto::LeaveRequest>(request) ||
           is<proto::WatchRequest>(request) || is<proto::UnwatchRequest>(request);
}

bool apply(SavedSession& saved, const proto::Message& message) {
    const auto& [header, body] = message;
    if (is<proto::WorkerHello>(body) || is<proto::WorkerGoodbye>(body)) {
        saved = {};
        if (is<proto::WorkerHello>(body)) saved.scope = header.scope;
        if (is<proto::WorkerHello>(body)) saved.worker = header.origin;
        return true;
    }
    if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&body)) {
        if (saved.worker.empty() || !welcome->token || welcome->nodes.size() != 1) return false;
        saved.token = welcome->token;
        saved.speaker = {header.origin, Incarnation{header.incarnation}};
        saved.node = welcome->node;
        saved.home = welcome->nodes.front();
        return true;
    }
    if (!saved.token || header.seq == 0) return false;
    if (!is_remembered(body)) return take_reply(saved, header.seq, body);
    if (is_used(saved, header.seq, is<proto::RejoinRequest>(body))) return false;
    if (is<proto::WatchRequest>(body))
        saved.watches.insert(header.seq);
    else
        saved.unfinished.emplace(header.seq, body);
    return true;
}

std::vector<proto::Message> conversation_of(const SavedSession& saved) {
    std::vector<proto::Message> list;
    if (saved.worker.empty()) return list;
    const auto said = [&](proto::Body body, std::uint64_t number = 0) {
        list.push_back({{saved.scope, saved.worker, saved.token.value, number}, std::move(body)});
    };
    said(proto::WorkerHello{});
    if (!saved.token) return list;
    list.push_back({{saved.scope, saved.speaker.name, saved.speaker.incarnation.value, 0},
                    proto::WorkerWelcome{saved.token, false, 0, 0, 0, saved.node, {saved.home}}});
    for (const auto& [key, join] : saved.joins) {
        const auto& [number, place] = key;
        const auto& request = join.request;
        if (join.again)
            said(proto::RejoinRequest{request.group, {}, {{request.count, request.meta, 0}}, saved.speaker, 0}, number);
        else
            said(request, number);
        said(proto::JoinReply{runs_of(join.members), join.unseen}, number);
    }
    for (const auto watch : saved.watches) said(proto::WatchRequest{}, watch);
    for (const auto& [number, request] : saved.unfinished) said(request, number);
    return list;
}

}  // namespace muster::client
