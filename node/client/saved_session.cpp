#include "node/client/saved_session.hpp"

#include <utility>
#include <variant>

#include "node/client/number_runs.hpp"

namespace muster::client {
namespace {

template <class T>
bool is(const proto::Body& body) {
    return std::holds_alternative<T>(body);
}

void add_join(SavedSession& saved, std::uint64_t number, const proto::JoinRequest& request,
              const proto::JoinReply& reply) {
    SavedSession::Join join{request, reply.unseen, {}};
    for (const auto member : expand(reply.members)) {
        join.members.insert(member);
        saved.owners[member] = number;
    }
    if (!join.members.empty()) saved.joins.insert_or_assign(number, std::move(join));
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
        if (joined != nullptr) add_join(saved, number, *join, *joined);
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
bool is_used(const SavedSession& saved, std::uint64_t number) {
    return saved.joins.contains(number) || saved.watches.contains(number) || saved.unfinished.contains(number);
}

}  // namespace

bool is_remembered(const proto::Body& request) {
    return is<proto::JoinRequest>(request) || is<proto::LeaveRequest>(request) || is<proto::WatchRequest>(request) ||
           is<proto::UnwatchRequest>(request);
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
    if (is_used(saved, header.seq)) return false;
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
    for (const auto& [number, join] : saved.joins) {
        said(join.request, number);
        said(proto::JoinReply{runs_of(join.members), join.unseen}, number);
    }
    for (const auto watch : saved.watches) said(proto::WatchRequest{}, watch);
    for (const auto& [number, request] : saved.unfinished) said(request, number);
    return list;
}

}  // namespace muster::client
