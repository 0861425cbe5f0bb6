#include "node/client/session.hpp"

#include <algorithm>
#include <utility>

#include "proto/utf8.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr auto kHelloTimeout = milliseconds(1000);
constexpr auto kQuiet = milliseconds(300);  // three of the node's heartbeats
constexpr auto kLate = milliseconds(200);   // of a tick: then the silence was ours
constexpr auto kStay = milliseconds(5000);  // the longest without a node for the sake of a session
constexpr auto kFlap = milliseconds(100);   // given up sooner than this after the welcome: no haste
constexpr auto kRetryMin = milliseconds(100);
constexpr auto kRetryMax = milliseconds(1000);

milliseconds clamp_ms(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    return milliseconds(std::clamp(value, least, most));
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const auto& part : list) text += (text.empty() ? "" : ", ") + part;
    return text;
}

}  // namespace

Session::Session(Options options)
    : options_(std::move(options)), addresses_(options_.nodes), unclaimed_(options_.saved.joins) {
    if (options_.saved.token) go_on();
}

void Session::start(Instant now) {
    now_ = now;
    if (token_) addresses_.begin_round(home_);
    next_attempt();
    expected_ = next_deadline();
}

// ---- attaching -------------------------------------------------------------

void Session::begin_attempt(const std::string& address) {
    address_ = address;
    state_ = State::greeting;
    attempt_until_ = now_ + kHelloTimeout;
    actions_.emplace_back(Open{address});
    say_hello();
    actions_.emplace_back(Check{address});
}

void Session::say_hello() {
    const bool resumable = token_ && (address_ == home_ || address_ == node_.address);
    proto::WorkerHello hello;
    if (resumable) hello = {token_, received_};
    proto::Message message{{options_.scope, options_.name, hello.token.value, 0}, hello};
    actions_.emplace_back(Send{std::move(message)});
}

void Session::next_attempt() {
    if (auto address = addresses_.next()) return begin_attempt(*address);
    rejected_ = all_refused_ && refusal_;
    all_refused_ = true;
    wait_for_retry();
    addresses_.begin_round();
}

void Session::wait_for_retry() {
    state_ = State::idle;
    retry_at_ = now_ + backoff();
    ++rounds_;
    hasten_ = false;
}

Duration Session::backoff() {
    const auto doubled = hasten_ ? kRetryMin : std::min(kRetryMin * (1 << std::min(rounds_, 4)), kRetryMax);
    options_.random_seed = options_.random_seed * 6364136223846793005u + 1442695040888963407u;
    const auto jitter = milliseconds(options_.random_seed >> 33 & 31);
    return doubled + jitter;
}

void Session::attempt_failed(Error why, bool for_good) {
    all_refused_ = all_refused_ && for_good;
    refusal_ = std::move(why);
    next_attempt();
}

/// A hello can be lost like anything else, and what a session holds is to be had at home alone.
void Session::unanswered() {
    if (token_ && address_ == home_ && now_ < resumable_until_) return begin_attempt(home_);
    attempt_failed({ErrorCode::unreachable, {}}, false);
}

Error Session::problem() const {
    if (refusal_ && refusal_->code != ErrorCode::unreachable) return *refusal_;
    return Error{
        ErrorCode::unreachable,
        "no node answers at " + joined(addresses_.listed()) +
            ": check that musterd runs there, that the address is right, and that both know each other's key where "
            "keys are used"};
}

void Session::refused(const proto::Refuse& refuse) {
    if (refuse.code == ErrorCode::unknown_session) {
        // While greeting it is about what was sent before the hello. The hello goes over a fresh
        // connection: what fills this one may be why the node gave it up.
        if (state_ != State::attached) return;
        return lost("it gave this connection up", false);
    }
    if (state_ == State::attached) return lost(refuse.text, true);
    const bool for_good = refuse.code == ErrorCode::wrong_scope || refuse.code == ErrorCode::wrong_version ||
                          refuse.code == ErrorCode::refused || refuse.code == ErrorCode::bad_request ||
                          refuse.code == ErrorCode::name_taken;
    hasten_ = hasten_ || refuse.code == ErrorCode::not_ready;
    attempt_failed({refuse.code, address_ + " says: " + refuse.text}, for_good);
}

void Session::welcomed(const proto::Header& header, proto::WorkerWelcome&& welcome, const std::string& peer) {
    if (state_ != State::greeting || !welcome.token) return;
    const std::string_view expected = peer.empty() ? name_in(address_) : peer;
    const std::string& name = welcome.node.id.name;
    if (header.origin != name || (!expected.empty() && expected != name))
        return attempt_failed({ErrorCode::refused, address_ + ": " + printable(name) + " answered instead of " +
                                                       printable(expected.empty() ? header.origin : expected)},
                              true);
    const bool same = welcome.resumed && welcome.token == token_;
    const bool had_one = static_cast<bool>(token_);
    state_ = State::attached;
    attached_at_ = now_;
    token_ = welcome.token;
    home_ = address_;
    node_ = std::move(welcome.node);
    heartbeat_ = clamp_ms(welcome.heartbeat_ms, 10, 60'000);
    ttl_ = clamp_ms(welcome.ttl_ms, 100, 600'000);
    grace_ = clamp_ms(welcome.grace_ms, 0, 3'600'000);
    addresses_.told(welcome.nodes);
    rounds_ = 0;
    refusal_.reset();
    rejected_ = false;
    next_check_ = now_ + kQuiet;
    next_heartbeat_ = now_ + heartbeat_;
    // Numbers of members are this node's, under the name that its replies carry.
    roster_.attached_to({header.origin, Incarnation{header.incarnation}});
    announce(true, "attached to " + node_.id.name + " at " + address_ +
                       (had_one && !same ? ", in a new session: what was sent to the one before is lost" : ""));
    was_attached_ = true;
    same ? resumed() : new_session(header);
}

void Session::new_session(const proto::Header& header) {
    for (auto& item : std::exchange(waiting_, {})) (void)pass(std::move(item));
    ++number_;
    keep_welcome(header);
    forget_unclaimed();
    last_taken_ = received_ = 0;
    ack_due_ = false;
    roster_.session_ended();
    watches_.session_ended();
    unwatch_later_.clear();
    give_up_in_flight();
    restore();
    send_held();
}

void Session::resumed() {
    if (!unclaimed_.empty() && !claim_until_) claim_until_ = now_ + options_.claim_timeout;
    for (const auto& [number, request] : requests_.all_in_flight()) send(request.sent, number);
    for (const auto watch : std::exchange(unwatch_later_, {})) submit({{}, {}, Unwatch{watch}, {}, {}});
    restore_some();
    send_held();
}

void Session::lost(const std::string& why, bool gone) {
    announce(false, "lost " + node_.id.name + " at " + address_ + ": " + why);
    // A node that only fell silent may still hold the session.
    resumable_until_ = gone ? now_ : now_ + std::min<Duration>(grace_, kStay);
    gone ? addresses_.begin_round_without(address_) : addresses_.begin_round(address_);
    all_refused_ = false;
    now_ - attached_at_ < kFlap ? wait_for_retry() : next_attempt();
}

void Session::connection_refused(Instant now, const std::string& address) {
    now_ = now;
    if (address != address_) return;
    if (state_ == State::greeting) attempt_failed({ErrorCode::unreachable, {}}, false);
    if (state_ == State::attached && now_ - last_heard_ >= kQuiet) lost("its process is gone", true);
}

void Session::connection_broken(Instant now) {
    now_ = now;
    if (state_ == State::greeting) attempt_failed({ErrorCode::unreachable, {}}, false);
    if (state_ == State::attached) lost("the connection broke", false);
}

void Session::undecodable(Instant now, proto::DecodeError why) {
    now_ = now;
    if (state_ != State::greeting || why != proto::DecodeError::wrong_major) return;
    attempt_failed(
        {ErrorCode::wrong_version, address_ + " speaks another version of the protocol: update one of the two"}, true);
}

// ---- messages and time -----------------------------------------------------

void Session::message_arrived(Instant now, proto::Message&& message, const std::string& peer) {
    now_ = now;
    if (state_ != State::greeting && state_ != State::attached) return;
    last_heard_ = now;
    const auto seq = message.header.seq;
    auto& body = message.body;
    if (const auto* refuse = std::get_if<proto::Refuse>(&body)) return refused(*refuse);
    if (auto* welcome = std::get_if<proto::WorkerWelcome>(&body))
        return welcomed(message.header, std::move(*welcome), peer);
    if (state_ != State::attached) return;
    if (auto* deliveries = std::get_if<proto::Deliveries>(&body)) return take_deliveries(seq, std::move(*deliveries));
    if (const auto* gap = std::get_if<proto::Gap>(&body)) return take_stream_item(seq, *gap);
    if (auto* news = std::get_if<proto::WatchNews>(&body)) return take_stream_item(seq, std::move(*news));
    if (seq != 0) take_reply(seq, std::move(body));
}

void Session::tick(Instant now) {
    now_ = now;
    if (state_ == State::closed) return;
    if (const auto late = now - expected_; late > kLate) {
        last_heard_ += late;
        attempt_until_ += late;
    }
    expire_calls();
    if (state_ == State::greeting && now >= attempt_until_) unanswered();
    if (state_ == State::idle && now >= retry_at_) next_attempt();
    if (state_ == State::attached) tick_attached();
    expected_ = next_deadline();
}

void Session::tick_attached() {
    const auto silence = now_ - last_heard_;
    if (silence >= ttl_) return lost("nothing heard for " + std::to_string(ttl_ / milliseconds(1)) + " ms", false);
    if (silence >= kQuiet && now_ >= next_check_) {
        next_check_ = now_ + kQuiet;
        actions_.emplace_back(Check{address_});
        heartbeat();  // a connection that broke shows when it is written to
    }
    if (ack_due_ || now_ >= next_heartbeat_) heartbeat();
    if (restore_again_ && now_ >= *restore_again_ && !is_restoring()) restore();
    if (claim_until_ && now_ >= *claim_until_) leave_unclaimed();
}

void Session::heartbeat() {
    ack_due_ = false;
    next_heartbeat_ = now_ + heartbeat_;
    send(proto::WorkerHeartbeat{received_});
}

Instant Session::next_deadline() const {
    Instant next = requests_.next_deadline();
    switch (state_) {
        case State::idle:
            return std::min(next, retry_at_);
        case State::greeting:
            return std::min(next, attempt_until_);
        case State::closed:
            return Instant::max();
        case State::attached:
            break;
    }
    return std::min(next, next_deadline_attached());
}

Instant Session::next_deadline_attached() const {
    if (ack_due_) return now_;
    Instant next = claim_until_.value_or(Instant::max());
    if (restore_again_ && !is_restoring()) next = std::min(next, *restore_again_);
    return std::min({next, next_heartbeat_, last_heard_ + ttl_, std::max(next_check_, last_heard_ + kQuiet)});
}

void Session::handled(std::uint64_t session, std::uint64_t seq) {
    if (session != number_ || seq <= received_) return;
    received_ = seq;
    ack_due_ = true;
}

void Session::close() {
    if (state_ == State::closed) return;
    // One that never came back to the session of an earlier process leaves it to the next one.
    const bool owns_session = token_ && was_attached_;
    if (owns_session) keep_goodbye();
    if (owns_session && (state_ == State::attached || state_ == State::greeting)) send(proto::WorkerGoodbye{});
    state_ = State::closed;
    for (const auto call : requests_.close()) answer(call, Error{ErrorCode::closed, "the worker has been closed"});
}

void Session::send(proto::Body body, std::uint64_t seq) {
    actions_.emplace_back(Send{{{options_.scope, options_.name, token_.value, seq}, std::move(body)}});
}

void Session::announce(bool attached, std::string text) {
    actions_.emplace_back(Item{0, 0, Attachment{attached, std::move(text)}});
}

}  // namespace muster::client
