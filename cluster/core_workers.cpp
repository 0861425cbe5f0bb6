// Hellos, requests and queries of workers. PROTOCOL.md, "6. The worker session".
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "cluster/core_impl.hpp"
#include "cluster/membership/publish.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::uint64_t kGroupsPerPart = 256;   // twice as many, with the longest names, fit one frame
constexpr std::uint64_t kMostLooked = 1 << 14;  // places for groups, for one part

}  // namespace

void Core::Impl::worker_hello(const proto::Message& message, const Sender& sender, ConnectionId connection) {
    std::vector<std::string> others;
    for (const auto& [name, peer] : peers.all())
        if (peer.is_live() && !peer.record.address.empty() && others.size() < limits::kNodesInWelcome)
            others.push_back(peer.front_door());
    sessions.hello(message, sender, connection, ready ? "" : why_not_ready(), self_info(), std::move(others));
}

std::string Core::Impl::why_not_ready() const {
    const auto progress = replicas.progress();
    const std::string text = "this node has not synced yet";
    if (progress.is_complete()) return text + ": try again shortly";
    return text + " (" + to_text(progress) + "): try again shortly";
}

void Core::Impl::request(Sessions::Request request) {
    const SessionRequest& id = request.id;
    auto& body = request.body;
    if (const auto* join = std::get_if<proto::JoinRequest>(&body)) {
        join_request(id, request.worker, *join);
    } else if (const auto* again = std::get_if<proto::RejoinRequest>(&body)) {
        rejoin_request(id, request.worker, *again);
    } else if (const auto* leave = std::get_if<proto::LeaveRequest>(&body)) {
        const auto left = local.leave(id.token, leave->group, leave->members, leave->count);
        left ? answer(id, proto::LeaveReply{*left}) : answer(id, left.error());
    } else if (auto* notify = std::get_if<proto::NotifyRequest>(&body)) {
        const std::uint64_t call = notify->call;
        Session& session = *sessions.find(id.token);
        notifier.notify(id, request.worker, session.life(), std::move(*notify), session.share());
        if (Session* still = sessions.find(id.token)) still->called(call, recent.last_seq);
    } else if (const auto* watch = std::get_if<proto::WatchRequest>(&body)) {
        const auto done = watches.watch(id, watch->group);
        done ? answer(id, Done{}) : answer(id, done.error());
    } else if (const auto* unwatch = std::get_if<proto::UnwatchRequest>(&body)) {
        const auto done = watches.unwatch(id.token, unwatch->watch);
        done ? answer(id, Done{}) : answer(id, done.error());
    } else if (const auto* unwanted = std::get_if<proto::ForgetRequest>(&body)) {
        forget_request(request, unwanted->node);
    } else if (const auto* drain = std::get_if<proto::DrainRequest>(&body)) {
        drain_request(request, *drain);
    } else if (const auto* move = std::get_if<proto::MoveRequest>(&body)) {
        move_request(request, *move);
    } else {
        query(std::move(request));
    }
}

void Core::Impl::forget_request(const Sessions::Request& request, const std::string& name) {
    const auto forgotten = peers.forget(name);
    ctx.note(Note::Kind::administered, request.asker,
             "forget " + name + (forgotten ? "" : ", refused: " + forgotten.error().text));
    if (!forgotten) return answer(request.id, forgotten.error());
    publish(ctx, proto::Forget{*forgotten});
    answer(request.id, Done{});
}

void Core::Impl::move_request(const Sessions::Request& request, const proto::MoveRequest& move) {
    ctx.note(Note::Kind::administered, request.asker,
             "move " + std::to_string(move.workers) + " workers to " + move.to);
    sessions.move(move.workers, move.to, request.id.token);
    answer(request.id, Done{});
}

/// Answers may be whole tables. In one turn only so much of them is encoded (Bounds::answer_bytes_per_turn), so that
/// heartbeats and other messages do not wait for long. The rest waits for the next flushes.
void Core::Impl::query(Sessions::Request request) {
    const Bounds& bounds = ctx.options.bounds;
    Query query{std::move(request)};
    while (queries.empty() && answer_bytes < bounds.answer_bytes_per_turn)
        if (answer_part(query)) return;
    const SessionRequest id = query.request.id;
    if (queries.put(std::move(query), bounds.requests_per_session)) return;
    ctx.count("queries_refused");
    answer(id, Error{ErrorCode::overloaded, "too many queries of this worker wait for an answer: try again later"});
}

void Core::Impl::answer_queries() {
    answer_bytes = 0;
    while (!queries.empty() && answer_bytes < ctx.options.bounds.answer_bytes_per_turn)
        if (answer_part(queries.next())) queries.done();
}

/// Replies with the next part of the answer. Returns whether it was the last one.
bool Core::Impl::answer_part(Query& query) {
    const SessionRequest& id = query.request.id;
    if (const auto* members = std::get_if<proto::MembersRequest>(&query.request.body)) {
        proto::MembersReply part{{}, false};
        const std::string node = members->local ? ctx.self.name : std::string();
        std::size_t size = 0;
        part.last = add_members(replicas, members->group, node, query.members, ctx.options.bounds.chunk_bytes, size,
                                part.members);
        answer_bytes += size;
        return reply_part(id, std::move(part));
    }
    if (std::holds_alternative<proto::GroupsRequest>(query.request.body)) {
        proto::GroupsReply part{{}, false};
        for (std::uint64_t looked = 0; !part.last && part.groups.size() < kGroupsPerPart && looked < kMostLooked;) {
            const auto some = groups_part(query.groups, kGroupsPerPart);
            part.groups.insert(part.groups.end(), some.groups.begin(), some.groups.end());
            part.last = some.next == 0;
            query.groups = static_cast<GroupRef>(some.next);
            looked += kGroupsPerPart;
        }
        for (const auto& group : part.groups) answer_bytes += kWireOverhead + wire_size(group.group);
        return reply_part(id, std::move(part));
    }
    if (std::holds_alternative<proto::NodesRequest>(query.request.body)) {
        proto::NodesReply reply{nodes()};
        for (const auto& node : reply.nodes) answer_bytes += wire_size(node);
        sessions.reply(id, std::move(reply));
    } else {
        proto::StatusReply reply{status()};
        answer_bytes += wire_size(reply.status);
        sessions.reply(id, std::move(reply));
    }
    return true;
}

void Core::Impl::join_request(const SessionRequest& id, const std::string& worker, const proto::JoinRequest& join) {
    const auto& share = sessions.find(id.token)->share();
    const auto joined = local.join(id.token, worker, join.group, join.count, join.meta, share);
    if (!joined) return answer(id, joined.error());
    proto::JoinReply reply{{*joined}, 0};
    if (join.visible)
        visibility.wait(id, std::move(reply), ctx.now + duration_of(join.timeout_ms), share);
    else
        answer(id, std::move(reply));
}

/// All joins of the group, or none: what is replayed counts for all of them.
void Core::Impl::rejoin_request(const SessionRequest& id, const std::string& worker,
                                const proto::RejoinRequest& again) {
    const auto& share = sessions.find(id.token)->share();
    std::uint64_t members = 0;
    for (const auto& join : again.joins) members += std::min<std::uint64_t>(join.count, limits::kMembersPerCall + 1);
    if (again.joins.empty() || members > limits::kMembersPerCall)
        return answer(id, Error{ErrorCode::bad_request, "join 1 to " + std::to_string(limits::kMembersPerCall) +
                                                            " members again with one call"});
    proto::JoinReply reply;
    for (const auto& join : again.joins) {
        const auto joined = local.join(id.token, worker, again.group, join.count, join.meta, share, true);
        if (joined) {
            reply.members.push_back(*joined);
            continue;
        }
        std::vector<MemberNumber> numbers;
        for (const auto& run : reply.members)
            for (std::uint64_t i = 0; i < run.count; ++i) numbers.push_back(run.first.plus(i));
        if (!numbers.empty()) (void)local.leave(id.token, again.group, numbers, 1);
        return answer(id, joined.error());
    }
    settle();  // the routes must have the members
    handovers.begin(id.token, again, reply.members);
    answer(id, std::move(reply));
}

}  // namespace muster::cluster
