#include "node/client/session.hpp"

#include <algorithm>
#include <utility>

#include "proto/utf8.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;
using State = Failover::State;

constexpr auto kCheckFor = milliseconds(1000);  // of the port of a node that is quiet
// A tick that comes later than this means that this process did not run, so it could not hear the node either.
constexpr auto kLate = milliseconds(200);

milliseconds clamp_ms(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return milliseconds(std::clamp(value, least, most));
}

}  // namespace

Session::Session(Options options)
    : claim_timeout_(options.claim_timeout),
      listed_only_(options.listed_only),
      outbox_(std::move(options.scope), std::move(options.name), options.keeps, options.life),
      failover_(std::move(options.nodes), options.in_order, options.random_seed),
      unclaimed_(std::move(options.saved.joins)) {
    if (options.saved.token) continue_session(options.saved);
}

void Session::continue_session(const SavedSession& saved) {
    node_ = saved.node;
    outbox_.continue_session(saved.token, saved.requests);
    failover_.set_home(saved.home);
    stream_.continue_session(saved.received);
    calls_.continue_session(saved);
}

void Session::start(Instant now) {
    now_ = now;
    greet_if(failover_.start(now));
    expected_ = next_deadline();
}

// ---- attaching -------------------------------------------------------------

/// The port is checked as well, because ZeroMQ does not report that a connection was refused.
void Session::greet_if(bool due) {
    if (!due) return;
    const auto& address = failover_.address();
    if (failover_.state() == State::looking_up) return outbox_.add(LookUp{address});
    const bool resumable = outbox_.token() && (address == failover_.home() || address == node_.address);
    outbox_.add(Open{address, failover_.endpoint()});
    outbox_.send_hello(resumable, stream_.last_handled());
    outbox_.add(Check{failover_.endpoint(), failover_.connect_patience()});
}

void Session::resolved(Instant now, const std::string& address, std::vector<std::string> endpoints) {
    now_ = now;
    greet_if(failover_.resolved(now, address, std::move(endpoints)));
    if (!is_attached()) expected_ = next_deadline();  // that of the look-up does not count any more
}

void Session::refused(const proto::Refuse& refuse) {
    if (refuse.code == ErrorCode::unknown_session) {
        // While greeting, it answers a message that was sent before the hello. While attached, the hello goes over a
        // new connection, because what fills this one may be the reason why the node gave it up.
        if (is_attached()) lost("the node gave up this connection", false);
    } else if (is_attached()) {
        lost(refuse.text, true);
    } else {
        greet_if(failover_.refused(now_, refuse));
    }
}

void Session::welcomed(const proto::Header& header, proto::WorkerWelcome&& welcome, const std::string& peer) {
    if (failover_.state() != State::greeting || !welcome.token) return;
    const std::string& address = failover_.address();
    const std::string_view expected = peer.empty() ? node_name_of(address) : peer;
    const std::string& name = welcome.node.id.name;
    if (header.origin != name || (!expected.empty() && expected != name)) {
        Error why{ErrorCode::refused, address + ": " + printable(name) + " answered instead of " +
                                          printable(expected.empty() ? header.origin : expected) +
                                          ": correct the address, or the name before its @"};
        return greet_if(failover_.refused(now_, std::move(why), true));
    }
    if (is_old_node(welcome)) return;
    if (listed_only_) welcome.nodes.clear();
    attach(header, welcome);
    finish_move();
    send_held();
}

/// While the worker moves: its old node has welcomed it in a new session, at another address. That session ends by
/// itself.
bool Session::is_old_node(const proto::WorkerWelcome& welcome) {
    if (!moving_.is_on() || welcome.resumed || welcome.node.id != node_.id) return false;
    const auto why = failover_.address() + " is the address of " + node_.id.name + ", which asks its workers to move";
    greet_if(failover_.refused(now_, Error{ErrorCode::refused, why}, false));
    return true;
}

void Session::attach(const proto::Header& header, const proto::WorkerWelcome& welcome) {
    const std::string& address = failover_.address();
    const bool same = welcome.resumed && welcome.token == outbox_.token();
    const bool handover = welcome.handover_ms > 0;
    node_ = welcome.node;
    failover_.attached(now_, clamp_ms(welcome.grace_ms, 0, 3'600'000), welcome.nodes);
    liveness_.attached(now_, clamp_ms(welcome.heartbeat_ms, 10, 60'000), clamp_ms(welcome.ttl_ms, 100, 600'000));
    // Members have the numbers of this node, under the name that its replies carry.
    roster_.attached_to({header.origin, Incarnation{header.incarnation}});
    const std::string_view lost = handover ? "" : ": what was sent to the one before is lost";
    outbox_.announce(true, "attached to " + node_.id.name + " at " + address +
                               (outbox_.token() && !same ? ", in a new session" + std::string(lost) : ""));
    if (same) {
        moving_.give_up();
        unclaimed_.wait_until(now_ + claim_timeout_);
        return calls_.session_resumed(now_, handover);
    }
    stream_.begin_session();
    outbox_.begin_session(header, welcome.token, node_, address);
    calls_.begin_session(now_, handover, former_);
}

void Session::lost(const std::string& why, bool gone) {
    outbox_.announce(false, "lost " + node_.id.name + " at " + failover_.address() + ": " + why);
    leave_session();
    moving_.give_up();
    greet_if(failover_.lost(now_, gone));
}

/// A session in which not all members were joined again says nothing about where they were.
void Session::leave_session() {
    if (calls_.is_restored()) former_ = {node_.id, now_};
}

/// A node that asks twice is answered once. Without another address the worker stays until the node ends.
void Session::move(const std::string& to) {
    if (moving_.is_on() || !failover_.can_move(node_.address)) return;
    outbox_.announce(false,
                     "leaving " + node_.id.name + " at " + failover_.address() + ": it asks its workers to move");
    leave_session();
    moving_.begin(now_, liveness_.heartbeat(), stream_.last_handled());
    greet_if(failover_.move(now_, node_.address, to));
}

void Session::finish_move() {
    if (is_attached() && calls_.is_restored()) moving_.finish(true);
}

void Session::connection_refused(Instant now, const std::string& endpoint) {
    now_ = now;
    if (endpoint != failover_.endpoint()) return;
    if (failover_.state() == State::greeting) return greet_if(failover_.unreachable(now));
    // A node that still speaks has only closed its port, or the check was mistaken.
    if (is_attached() && liveness_.is_quiet(now)) lost("its process is gone", true);
}

void Session::connection_unanswered(Instant now, const std::string& endpoint) {
    now_ = now;
    if (endpoint == failover_.endpoint() && failover_.state() == State::greeting)
        greet_if(failover_.connect_unanswered(now));
}

void Session::connection_broken(Instant now) {
    now_ = now;
    if (failover_.state() == State::greeting) return greet_if(failover_.unreachable(now));
    if (is_attached()) lost("the connection broke", false);
}

void Session::undecodable(Instant now, proto::DecodeError why) {
    now_ = now;
    if (failover_.state() != State::greeting || why != proto::DecodeError::wrong_major) return;
    Error error{ErrorCode::wrong_version,
                failover_.address() + " speaks another version of the protocol: update one of the two"};
    greet_if(failover_.refused(now, std::move(error), true));
}

// ---- messages --------------------------------------------------------------

void Session::message_arrived(Instant now, proto::Message&& message, const std::string& peer) {
    now_ = now;
    if (failover_.state() != State::greeting && !is_attached()) return;
    liveness_.heard(now);
    const auto seq = message.header.seq;
    auto& body = message.body;
    if (const auto* refuse = std::get_if<proto::Refuse>(&body)) return refused(*refuse);
    if (auto* welcome = std::get_if<proto::WorkerWelcome>(&body))
        return welcomed(message.header, std::move(*welcome), peer);
    if (!is_attached()) return;
    if (auto* deliveries = std::get_if<proto::Deliveries>(&body)) return take_deliveries(seq, std::move(*deliveries));
    if (const auto* gap = std::get_if<proto::Gap>(&body)) return give_up_on(stream_.take(seq, *gap));
    if (auto* event = std::get_if<proto::WatchNews>(&body)) return give_up_on(stream_.take(seq, std::move(*event)));
    if (const auto* beat = std::get_if<proto::NodeHeartbeat>(&body)) return calls_.settled(beat->settled);
    if (const auto* asked = std::get_if<proto::Move>(&body)) return move(asked->to);
    if (seq != 0) take_reply(seq, std::move(body));
}

void Session::take_deliveries(std::uint64_t first, proto::Deliveries&& deliveries) {
    for (auto& delivery : deliveries.items) {
        give_up_on(stream_.take(first++, std::move(delivery)));
        if (!is_attached()) return;
    }
}

void Session::give_up_on(Stream::Fault fault) {
    switch (fault) {
        case Stream::Fault::none:
            return;
        case Stream::Fault::hole:
            return lost("a stream item was lost", false);
        case Stream::Fault::overflow:
            return lost("the node sends more than its window allows", false);
        case Stream::Fault::endless:
            return lost("the node sent a snapshot without end", true);
    }
}

void Session::take_reply(std::uint64_t number, proto::Body&& reply) {
    const auto taken = calls_.take_reply(now_, number, std::move(reply));
    if (taken == Calls::Taken::endless) lost("the node sent an answer without end", true);
    if (taken != Calls::Taken::all) return;
    finish_move();
    send_held();
    give_up_on(stream_.release());
}

// ---- calls -----------------------------------------------------------------

void Session::call(Instant now, CallId call, Instant deadline, Purpose purpose) {
    now_ = now;
    if (failover_.state() == State::closed) return answer_closed(call);
    if (!requests_.hold({call, deadline, std::move(purpose), {}, {}}))
        return outbox_.answer(call, Error{ErrorCode::overloaded,
                                          "1024 calls, or 64 MiB of data, are unanswered: make fewer calls at once"});
    send_held();
}

void Session::watch(Instant now, CallId id, Instant deadline, Watch watch, Group group,
                    std::shared_ptr<WatchHandler> handler) {
    watches_.add(watch, std::move(group), std::move(handler));
    call(now, id, deadline, WatchCall{watch});
}

void Session::unwatch(Instant now, Watch watch) {
    now_ = now;
    calls_.unwatch(watch, is_attached());
}

void Session::send_held() {
    while (is_attached()) {
        const auto sent = calls_.send_next(now_);
        if (sent == Calls::Sent::nothing) return;
        if (sent == Calls::Sent::claim) give_up_on(stream_.release());
    }
}

void Session::handled(std::uint64_t session, std::uint64_t seq) {
    stream_.handled(session, seq);
    moving_.handled(session, seq);
}

void Session::answer_closed(CallId call) {
    outbox_.answer(call, Error{ErrorCode::closed, "the worker has been closed"});
}

void Session::expire_calls() {
    for (const auto [call, was_sent] : requests_.expire(now_)) {
        if (is_attached()) {
            outbox_.answer(
                call, Error{ErrorCode::timeout, "no answer from " + node_.id.name +
                                                    " in time: the call may still be carried out; allow more time"});
        } else if (was_sent) {
            outbox_.answer(call, Error{ErrorCode::timeout,
                                       "the node was lost, and no other node answered in time: the "
                                       "call may or may not have been carried out"});
        } else {
            outbox_.answer(call, problem());
        }
    }
}

// ---- time ------------------------------------------------------------------

void Session::tick(Instant now) {
    now_ = now;
    if (failover_.state() == State::closed) return;
    if (const auto late = now - expected_; late > kLate) {
        liveness_.extend(late);
        failover_.extend(late);
    }
    expire_calls();
    moving_.tick(now);
    if (!is_attached() && moving_.is_in_vain(now)) {
        moving_.give_up();
        greet_if(failover_.stay(now));
    }
    greet_if(failover_.tick(now));
    if (is_attached()) tick_attached();
    expected_ = next_deadline();
}

void Session::tick_attached() {
    if (liveness_.is_silent(now_))
        return lost("nothing was heard for " + std::to_string(liveness_.ttl() / milliseconds(1)) + " ms", false);
    if (liveness_.begin_check(now_)) {
        outbox_.add(Check{failover_.endpoint(), kCheckFor});
        send_heartbeat();  // writing to a connection shows whether it is broken
    }
    if (stream_.ack_is_due() || liveness_.heartbeat_is_due(now_)) send_heartbeat();
    if (now_ >= calls_.next_restore()) calls_.restore(now_);
    if (now_ >= unclaimed_.deadline()) {
        calls_.leave_unclaimed();
        give_up_on(stream_.release());
    }
}

void Session::send_heartbeat() {
    stream_.acknowledged();
    liveness_.heartbeat_sent(now_);
    outbox_.send(proto::WorkerHeartbeat{stream_.last_handled()});
}

Instant Session::next_deadline() const {
    if (failover_.state() == State::closed) return Instant::max();
    const Instant next =
        std::min({requests_.next_deadline(), failover_.next_deadline(), moving_.next_deadline(is_attached())});
    if (!is_attached()) return next;
    if (stream_.ack_is_due()) return std::min(next, now_);
    return std::min({next, liveness_.next_deadline(), calls_.next_restore(), unclaimed_.deadline()});
}

void Session::close() {
    if (failover_.state() == State::closed) return;
    // A process that never resumed the session of an earlier process leaves it to the next one.
    if (outbox_.token() && failover_.was_attached()) {
        outbox_.end_session();
        const bool leaves = moving_.is_on() && !is_attached();  // no other node has the session
        if (failover_.state() != State::idle && !leaves) outbox_.send(proto::WorkerGoodbye{});
    }
    moving_.finish(false);
    failover_.close();
    for (const auto call : requests_.close()) answer_closed(call);
}

}  // namespace muster::client
