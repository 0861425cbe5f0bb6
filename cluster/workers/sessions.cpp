#include "cluster/workers/sessions.hpp"

#include <algorithm>
#include <utility>

#include "cluster/check.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMovesPerTick = 64;  // so that workers do not all join elsewhere at the same moment

template <class... Bodies>
bool is_any_of(const proto::Body& body) {
    return (std::holds_alternative<Bodies>(body) || ...);
}

/// Whether doing the request twice would differ from doing it once.
bool is_done_once(const proto::Body& body) {
    using namespace proto;
    return is_any_of<JoinRequest, RejoinRequest, LeaveRequest, NotifyRequest, WatchRequest, UnwatchRequest,
                     ForgetRequest, DrainRequest, MoveRequest>(body);
}

bool is_request(const proto::Body& body) {
    using namespace proto;
    return is_done_once(body) || is_any_of<MembersRequest, GroupsRequest, NodesRequest, StatusRequest>(body);
}

/// Whether the sender may join, leave and notify. Observers, operators, and other nodes, whose page compares tables,
/// only read.
bool may_change(const Sender& sender) {
    return sender.role == Sender::Role::worker || sender.role == Sender::Role::anyone;
}

/// For the log: "operator ops, worker muster-h1-77 at 10.0.0.5".
std::string asker_of(const MessageArrived& event) {
    const std::string key = event.sender.role == Sender::Role::anyone ? "" : to_string(event.sender) + ", ";
    return key + "worker " + event.message.header.origin + (event.address.empty() ? "" : " at " + event.address);
}

/// Whether the request does more than read. A watch reads.
bool changes_anything(const proto::Body& body) {
    return is_any_of<proto::JoinRequest, proto::RejoinRequest, proto::LeaveRequest, proto::NotifyRequest>(body);
}

}  // namespace

void Sessions::refuse(ConnectionId connection, ErrorCode code, std::string text) {
    switch (code) {
        case ErrorCode::wrong_scope:
            ctx_.count("workers_refused_wrong_scope");
            break;
        case ErrorCode::not_ready:
            ctx_.count("workers_refused_not_ready");
            break;
        case ErrorCode::overloaded:
            ctx_.count("workers_refused_too_many");
            break;
        case ErrorCode::refused:
            ctx_.count("workers_refused_key");
            break;
        case ErrorCode::bad_request:
            ctx_.count("workers_refused_name");
            break;
        default:
            ctx_.count("workers_refused_unknown_session");
            break;
    }
    ctx_.emit(SendDoor{connection, ctx_.message(proto::Refuse{code, std::move(text)})});
}

/// The token must not be guessable, since it is all that is needed to resume the session. So it comes from the system's
/// generator (Options::secret). Simulations use the core's seeded generator, whose numbers can be computed from one.
SessionToken Sessions::new_token() {
    SessionToken token;
    while (!token || sessions_.contains(token))
        token.value = ctx_.options.secret == nullptr ? ctx_.random.next() | 1 : ctx_.options.secret();
    return token;
}

SharedShare Sessions::share_of(const Sender& sender) {
    if (sender.role == Sender::Role::anyone) return std::make_shared<Shares::Share>();
    return ctx_.shares.of(to_string(sender));
}

Session* Sessions::find(SessionToken token) {
    const auto it = sessions_.find(token);
    return it == sessions_.end() ? nullptr : &it->second;
}

/// A key has its own name and all that begin with it and a dot, but for those of longer keys.
bool Sessions::owns(const Sender& sender, const std::string& name) const {
    if (name == sender.name) return true;
    if (!name.starts_with(sender.name + '.')) return false;
    for (auto dot = sender.name.size(); dot != std::string::npos;) {
        dot = name.find('.', dot + 1);
        if (ctx_.options.notary->is_key_of_worker(name.substr(0, dot))) return false;
    }
    return true;
}

void Sessions::hello(const proto::Message& message, const Sender& sender, ConnectionId connection,
                     const std::string& not_ready, const NodeInfo& node, std::vector<std::string> other_nodes) {
    const auto& hello = std::get<proto::WorkerHello>(message.body);
    if (message.header.scope != ctx_.options.scope)
        return refuse(connection, ErrorCode::wrong_scope,
                      "this node serves scope '" + ctx_.options.scope + "', not '" + message.header.scope + "'");
    if (ctx_.options.notary && sender.role == Sender::Role::anyone)
        return refuse(connection, ErrorCode::refused,
                      "this key is not a worker key: use one that the nodes have in workers/");
    if (ctx_.options.notary && !owns(sender, message.header.origin))
        return refuse(connection, ErrorCode::bad_request,
                      "the name '" + message.header.origin + "' does not belong to the " + to_string(sender) +
                          ": use the name '" + sender.name + "', or one that begins with '" + sender.name + ".'");
    if (!not_ready.empty()) return refuse(connection, ErrorCode::not_ready, not_ready);

    Session* session = find(hello.token);
    const bool resumed = session && session->worker() == message.header.origin && session->sender() == sender;
    if (!resumed) {
        const auto share = share_of(sender);
        if (!ctx_.session_places.has_room(share->sessions, 1))
            return refuse(connection, ErrorCode::overloaded,
                          sender.name.empty()
                              ? "this node has no room for another worker: use another node"
                              : "this node has no room for another worker of this key: use another node");
        const SessionToken token = new_token();
        session =
            &sessions_.try_emplace(token, ctx_, token, message.header.origin, hello.life, sender, share).first->second;
        if (hello.life == 0) ++older_;
    }
    attach(*session, connection, resumed ? hello.received : 0);
    ctx_.note(resumed ? Note::Kind::worker_resumed : Note::Kind::worker_up, session->worker(), "");
    ctx_.journal.worker(ctx_.now, resumed ? Change::Kind::worker_resumed : Change::Kind::worker_up, session->worker(),
                        "");
    const SessionTiming& timing = ctx_.options.session;
    session->send(proto::WorkerWelcome{session->token(), resumed, milliseconds_of(timing.heartbeat),
                                       milliseconds_of(timing.ttl), milliseconds_of(timing.grace), node,
                                       std::move(other_nodes), milliseconds_of(ctx_.options.timing.handover_window),
                                       true});
}

void Sessions::attach(Session& session, ConnectionId connection, std::uint64_t received) {
    const auto on_connection = by_connection_.find(connection);
    if (on_connection != by_connection_.end() && on_connection->second != session.token()) {
        const SessionToken old = on_connection->second;  // its worker has begun a new session on this connection
        end(old, Reason::worker_down);
    }
    // A worker may resume before this node notices the end of the old connection. What still comes over that is
    // refused.
    if (!session.is_attached()) lost_.erase({session.lost_at() + ctx_.options.session.grace, session.token()});
    by_connection_.erase(session.connection());
    by_connection_[connection] = session.token();
    session.attach(connection, received);
    moved_.push_back(session.token());
    session.acked(received, outcomes_);
    list_if_wants_flush(session);
    list_if_roomy(session);
}

std::string Sessions::why_forbidden(const MessageArrived& event) {
    const proto::Body& body = event.message.body;
    if (changes_anything(body) && !may_change(event.sender)) {
        ctx_.count("requests_of_observers_refused");
        return "this key may only read: use a worker key";
    }
    if (!proto::administers(body)) return {};
    const bool allowed = ctx_.options.notary ? event.sender.role == Sender::Role::operator_ : event.is_local;
    if (allowed) return {};
    ctx_.count("administration_refused");
    ctx_.note(Note::Kind::administered, asker_of(event), "refused");
    return ctx_.options.notary ? "this key may not administer: use one that the nodes have in operators/"
                               : "without keys, a node is administered only over loopback: run this on its own host, "
                                 "where it must listen on 127.0.0.1 or on every address";
}

std::optional<Sessions::Request> Sessions::message(MessageArrived event) {
    proto::Message& message = event.message;
    const SessionToken token{message.header.incarnation};
    Session* session = message.header.scope == ctx_.options.scope ? find(token) : nullptr;
    if (session && session->sender() != event.sender) session = nullptr;
    if (session && take_final_message(*session, message)) return std::nullopt;
    if (!session || session->connection() != event.connection) {
        refuse(event.connection, ErrorCode::unknown_session, "there is no such session on this connection: say hello");
        return std::nullopt;
    }
    session->mark_heard();
    if (const auto* heartbeat = std::get_if<proto::WorkerHeartbeat>(&message.body)) {
        session->acked(heartbeat->received, outcomes_);
        list_if_wants_flush(*session);
        list_if_roomy(*session);
    } else if (is_request(message.body)) {
        const std::uint64_t number = message.header.seq;
        if (!session->begin(number, is_done_once(message.body))) return std::nullopt;
        if (auto why = why_forbidden(event); !why.empty()) {
            session->reply(number, proto::ErrorReply{ErrorCode::refused, std::move(why)});
            return std::nullopt;
        }
        const auto asker = proto::administers(message.body) ? asker_of(event) : std::string();
        return Request{{token, number}, session->worker(), std::move(message.body), asker};
    } else {
        ctx_.count("messages_out_of_place");
    }
    return std::nullopt;
}

/// A goodbye, and an acknowledgement for a session without a connection, count over any connection. This node may
/// notice the end of a connection before it has read all that came over it, and the worker's socket may have connected
/// again by itself, without a hello. Returns true for a goodbye. PROTOCOL.md, "Goodbye".
bool Sessions::take_final_message(Session& session, const proto::Message& message) {
    if (session.worker() != message.header.origin) return false;
    if (const auto* goodbye = std::get_if<proto::WorkerGoodbye>(&message.body)) {
        end(session.token(), goodbye->moved ? Reason::moved : Reason::left);
        return true;
    }
    const auto* heartbeat = std::get_if<proto::WorkerHeartbeat>(&message.body);
    if (heartbeat && !session.is_attached()) session.acked(heartbeat->received, outcomes_);
    return false;
}

void Sessions::connection_lost(ConnectionId connection) {
    const auto it = by_connection_.find(connection);
    if (it == by_connection_.end()) return;
    if (Session* session = find(it->second)) lose(*session);
}

void Sessions::lose(Session& session) {
    by_connection_.erase(session.connection());
    session.detach();
    moved_.push_back(session.token());
    lost_.emplace(ctx_.now + ctx_.options.session.grace, session.token());
    ctx_.note(Note::Kind::worker_lost, session.worker(), "");
    ctx_.journal.worker(ctx_.now, Change::Kind::worker_lost, session.worker(), "");
    end_lost();
}

void Sessions::end_lost() {
    while (next_end() <= ctx_.now) end(lost_.begin()->second, Reason::worker_down);
}

Instant Sessions::next_end() const {
    return lost_.empty() ? kNever : lost_.begin()->first;
}

void Sessions::end(SessionToken token, Reason reason) {
    const auto it = sessions_.find(token);
    if (it == sessions_.end()) return;
    Session& session = it->second;
    by_connection_.erase(session.connection());
    lost_.erase({session.lost_at() + ctx_.options.session.grace, token});
    session.close(reason == Reason::moved ? MissReason::left : MissReason::worker_down, outcomes_);
    ctx_.note(Note::Kind::worker_down, session.worker(), std::string(to_string(reason)));
    ctx_.journal.worker(ctx_.now, Change::Kind::worker_down, session.worker(),
                        reason == Reason::left    ? "it said goodbye"
                        : reason == Reason::moved ? "it moved to another node"
                                                  : "its connection was lost");
    ended_.push_back({token, session.worker(), reason});
    if (session.life() == 0) --older_;
    sessions_.erase(it);
}

void Sessions::reply(const SessionRequest& request, proto::Body body) {
    if (Session* session = find(request.token)) session->reply(request.number, std::move(body));
}

void Sessions::replay(SessionToken token, proto::Delivery delivery, std::size_t size, Session::Awaited awaited) {
    Session* session = find(token);
    if (!session) return;
    session->replay(std::move(delivery), size, awaited, outcomes_);
    list_if_wants_flush(*session);
}

void Sessions::push(SessionToken token, Session::StreamItem item, std::size_t size, Session::Awaited awaited) {
    const bool is_watch_event = std::holds_alternative<WatchPart>(item);
    Session* session = find(token);
    const auto missed = [&](MissReason reason) {
        if (awaited.fan_out) outcomes_.push_back({awaited.fan_out, awaited.members, reason});
    };
    if (!session) return missed(MissReason::worker_down);
    if (session->push(std::move(item), size, awaited, outcomes_)) return list_if_wants_flush(*session);
    missed(MissReason::overflow);
    give_up(token, is_watch_event ? "it does not keep up with its watches" : "it does not keep up");
}

void Sessions::give_up(SessionToken token, const std::string& why) {
    Session* session = find(token);
    if (!session) return;
    ctx_.count("workers_given_up");
    ctx_.note(Note::Kind::overflow, session->worker(), why);
    ctx_.journal.worker(ctx_.now, Change::Kind::overflow, session->worker(), why);
    session->send(proto::Refuse{ErrorCode::overloaded, "this session is ended: " + why});
    end(token, Reason::worker_down);
}

void Sessions::lose(SessionToken token, std::uint64_t members, bool at_least) {
    Session* session = find(token);
    if (!session) return;
    session->lose(members, at_least);
    list_if_wants_flush(*session);
}

void Sessions::list_if_wants_flush(Session& session) {
    if (session.is_listed || !session.wants_flush()) return;
    session.is_listed = true;
    to_flush_.push_back(session.token());
}

void Sessions::list_if_roomy(Session& session) {
    if (!session.waits_for_room || session.room_for_part() == 0) return;
    session.waits_for_room = false;
    roomy_.push_back(session.token());
}

void Sessions::allow_for_lateness(Duration late) {
    lost_.clear();
    for (auto& [token, session] : sessions_) {
        session.allow_for_lateness(late);
        if (!session.is_attached()) lost_.emplace(session.lost_at() + ctx_.options.session.grace, token);
    }
}

void Sessions::dismiss(const std::string& why) {
    for (auto& [token, session] : sessions_) session.send(proto::Refuse{ErrorCode::closed, why});
}

void Sessions::end_all(const std::string& why) {
    dismiss(why);
    while (!sessions_.empty()) end(sessions_.begin()->first, Reason::worker_down);
}

void Sessions::tick() {
    std::vector<SessionToken> silent;  // lose() may erase the session
    for (auto& [token, session] : sessions_) {
        if (!session.is_attached()) continue;
        if (ctx_.now - session.heard_at() > ctx_.options.session.ttl)
            silent.push_back(token);
        else
            session.heartbeat_if_quiet();
    }
    for (const SessionToken token : silent) lose(*find(token));
    for (std::size_t left = std::min(to_move_.size(), kMovesPerTick); left > 0; --left) {
        auto [token, to] = std::move(to_move_.front());
        to_move_.pop_front();
        Session* session = find(token);
        if (!session || !session->is_attached()) continue;
        if (session->may_ask_to_move())
            session->ask_to_move(to);
        else
            to_move_.emplace_back(token, std::move(to));
    }
}

bool Sessions::drain(const std::function<std::string()>& choose) {
    bool has_any = false;
    std::size_t asked = 0;
    for (auto& [token, session] : sessions_) {
        if (session.life() == 0) continue;
        has_any = true;
        if (asked == kMovesPerTick || !session.may_ask_to_move()) continue;
        session.ask_to_move(choose());
        ++asked;
    }
    return has_any;
}

void Sessions::end_drain() {
    for (auto& [token, session] : sessions_) session.stay();
}

void Sessions::move(std::uint64_t workers, const std::string& to, SessionToken except) {
    std::set<SessionToken> moving;
    for (const auto& [token, address] : to_move_) moving.insert(token);
    for (const auto& [token, session] : sessions_) {
        if (workers == 0) return;
        if (token == except || session.life() == 0 || !session.is_attached() || moving.contains(token)) continue;
        to_move_.emplace_back(token, to);
        --workers;
    }
}

std::uint64_t Sessions::lowest_own_notice() {
    std::uint64_t lowest = UINT64_MAX;
    for (auto& [token, session] : sessions_) lowest = std::min(lowest, session.lowest_own_notice());
    return lowest;
}

bool Sessions::has_unsettled_calls() const {
    return std::any_of(sessions_.begin(), sessions_.end(),
                       [](const auto& entry) { return entry.second.has_unsettled_calls(); });
}

void Sessions::settle_up_to(std::uint64_t seq) {
    for (auto& [token, session] : sessions_) session.settle_up_to(seq);
}

void Sessions::flush() {
    std::size_t budget = ctx_.options.bounds.stream_bytes_per_turn;
    for (std::size_t left = to_flush_.size(); left > 0 && budget > 0; --left) {
        const SessionToken token = to_flush_.front();
        to_flush_.pop_front();
        Session* session = find(token);
        if (!session) continue;  // ended since it was listed
        session->flush(budget);
        session->is_listed = false;
        list_if_wants_flush(*session);
        list_if_roomy(*session);
    }
}

std::vector<SessionToken> Sessions::take_moved() {
    return std::exchange(moved_, {});
}

std::vector<Sessions::Ended> Sessions::take_ended() {
    return std::exchange(ended_, {});
}
std::vector<Outcome> Sessions::take_outcomes() {
    return std::exchange(outcomes_, {});
}

void Sessions::check() const {
    std::size_t items = 0;
    std::size_t bytes = 0;
    for (const auto& [token, session] : sessions_) {
        items += session.items();
        bytes += session.bytes();
    }
    MUSTER_CHECK(items == ctx_.backlog_items && bytes == ctx_.backlog_bytes);
}

std::size_t Sessions::memory() const {
    std::size_t sum = 0;
    for (const auto& [token, session] : sessions_) sum += session.memory();
    return sum;
}

std::optional<std::string> Sessions::over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    if (sessions_.size() > bounds.sessions) return "sessions";
    for (const auto& [token, session] : sessions_)
        if (session.is_over()) return "backlog of " + session.worker();
    return std::nullopt;
}

}  // namespace muster::cluster
