#include "node/client/failover.hpp"

#include <algorithm>
#include <utility>

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr auto kHelloTimeout = milliseconds(1000);
constexpr auto kConnectPatience = milliseconds(250);
constexpr auto kLookUpPatience = milliseconds(500);
constexpr auto kLongestResume = milliseconds(5000);  // a worker without a node gets no notifications at all
constexpr auto kShortestStay = milliseconds(100);    // a node that is lost sooner is not tried again immediately
constexpr auto kRetryMin = milliseconds(100);
constexpr auto kRetryMax = milliseconds(1000);

std::string comma_separated(const std::vector<std::string>& list) {
    std::string text;
    for (const auto& part : list) text += (text.empty() ? "" : ", ") + part;
    return text;
}

bool is_final(ErrorCode code) {
    return code == ErrorCode::wrong_scope || code == ErrorCode::wrong_version || code == ErrorCode::refused ||
           code == ErrorCode::bad_request || code == ErrorCode::name_taken;
}

}  // namespace

Duration Backoff::next() {
    const auto pause = shortened_ ? kRetryMin : std::min(kRetryMin * (1 << std::min(rounds_, 4)), kRetryMax);
    ++rounds_;
    shortened_ = false;
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    return pause + milliseconds(random_ >> 33 & 31);
}

Duration Backoff::patience() const {
    return std::min<Duration>(kConnectPatience * (1 << std::min(rounds_, 4)), kHelloTimeout);
}

Failover::Failover(std::vector<std::string> nodes, bool in_order, std::uint64_t random_seed)
    : addresses_(std::move(nodes), in_order, random_seed), backoff_(random_seed) {}

bool Failover::start(Instant now) {
    round_began_ = now;
    addresses_.begin_round(home_);
    return next_attempt(now);
}

bool Failover::tick(Instant now) {
    if (state_ == State::greeting && now >= attempt_until_) return unanswered(now);
    if (state_ == State::looking_up && now >= attempt_until_) {
        not_resolved(address_);
        all_refused_ = false;
        return next_attempt(now);
    }
    if (state_ == State::idle && now >= retry_at_) return next_attempt(now);
    return false;
}

bool Failover::attempt(Instant now, std::string address) {
    address_ = std::move(address);
    endpoints_.clear();
    if (is_resuming(now)) {
        endpoints_ = {home_endpoint_};
        return greet(now);
    }
    state_ = State::looking_up;
    attempt_until_ = std::max(now, round_began_ + kLookUpPatience);
    return true;
}

bool Failover::resolved(Instant now, const std::string& address, std::vector<std::string> endpoints) {
    if (endpoints.empty())
        not_resolved(address);
    else
        unresolved_.erase(address);
    const bool is_awaited = state_ == State::looking_up && address == address_;
    if (is_awaited && endpoints.empty()) return refused(now, {ErrorCode::unreachable, {}}, false);
    if (is_awaited || (state_ == State::idle && !endpoints.empty() && !addresses_.is_avoided(address))) {
        address_ = address;
        put_in_order(endpoints);
        endpoints_.assign(endpoints.rbegin(), endpoints.rend());
        return greet(now);
    }
    // It was skipped, and another one is being tried: it is the next.
    if ((state_ == State::looking_up || state_ == State::greeting) && !endpoints.empty()) addresses_.try_next(address);
    return false;
}

void Failover::not_resolved(const std::string& address) {
    const auto& listed = addresses_.listed();
    if (std::find(listed.begin(), listed.end(), address) != listed.end()) unresolved_.insert(address);
}

/// A name can be that of several nodes. Only the one that has the session can resume it, so it comes first; if its
/// process is gone, it comes last.
void Failover::put_in_order(std::vector<std::string>& endpoints) const {
    if (address_ != home_) return;
    const auto at = std::find(endpoints.begin(), endpoints.end(), home_endpoint_);
    if (at == endpoints.end()) return;
    if (home_is_gone_)
        std::rotate(at, at + 1, endpoints.end());
    else
        std::rotate(endpoints.begin(), at, at + 1);
}

bool Failover::greet(Instant now) {
    endpoint_ = std::move(endpoints_.back());
    endpoints_.pop_back();
    state_ = State::greeting;
    attempt_until_ = now + kHelloTimeout;
    return true;
}

bool Failover::next_attempt(Instant now) {
    if (auto address = addresses_.next()) return attempt(now, *std::move(address));
    rejected_ = all_refused_ && refusal_;
    all_refused_ = true;
    addresses_.begin_round();
    return wait(now);
}

bool Failover::wait(Instant now) {
    state_ = State::idle;
    retry_at_ = now + backoff_.next();
    round_began_ = retry_at_;
    return false;
}

/// Only the home has the session.
bool Failover::is_resuming(Instant now) const {
    return !home_.empty() && address_ == home_ && now < resumable_until_;
}

/// The hello or its answer can be lost like any frame, and only the home can resume the session: it is asked again.
bool Failover::unanswered(Instant now) {
    return is_resuming(now) ? attempt(now, home_) : unreachable(now);
}

bool Failover::connect_unanswered(Instant now) {
    const bool is_last = endpoints_.empty() && addresses_.is_round_over();
    return !is_last && !is_resuming(now) && unreachable(now);
}

bool Failover::unreachable(Instant now) {
    return refused(now, {ErrorCode::unreachable, {}}, false);
}

bool Failover::refused(Instant now, const proto::Refuse& refuse) {
    if (refuse.code == ErrorCode::not_ready) backoff_.shorten();
    return refused(now, {refuse.code, address_ + " says: " + refuse.text}, is_final(refuse.code));
}

bool Failover::refused(Instant now, Error why, bool for_good) {
    all_refused_ = all_refused_ && for_good;
    refusal_ = std::move(why);
    return endpoints_.empty() ? next_attempt(now) : greet(now);
}

bool Failover::lost(Instant now, bool gone) {
    round_began_ = now;
    home_is_gone_ = gone;
    resumable_until_ = gone ? now : now + std::min<Duration>(grace_, kLongestResume);
    if (gone) {
        addresses_.begin_round_without(address_);
    } else {
        addresses_.begin_round(address_);
    }
    return begin_attempts(now);
}

bool Failover::begin_attempts(Instant now) {
    all_refused_ = false;  // one address of this round did welcome the worker
    return now - *attached_at_ < kShortestStay ? wait(now) : next_attempt(now);
}

bool Failover::move(Instant now, const std::string& same, const std::string& to) {
    round_began_ = now;
    resumable_until_ = now;
    addresses_.avoid({address_, same});
    addresses_.begin_round();
    addresses_.prefer(to);
    return begin_attempts(now);
}

bool Failover::stay(Instant now) {
    addresses_.avoid({});
    address_ = home_;
    endpoints_.clear();
    return lost(now, false);
}

void Failover::attached(Instant now, Duration grace, const std::vector<std::string>& nodes) {
    state_ = State::attached;
    attached_at_ = now;
    addresses_.avoid({});
    home_ = address_;
    home_endpoint_ = endpoint_;
    home_is_gone_ = false;
    endpoints_.clear();
    grace_ = grace;
    addresses_.learn(nodes);
    backoff_.reset();
    refusal_.reset();
    rejected_ = false;
}

Instant Failover::next_deadline() const {
    if (state_ == State::idle) return retry_at_;
    if (state_ == State::looking_up || state_ == State::greeting) return attempt_until_;
    return Instant::max();
}

Error Failover::problem() const {
    if (refusal_ && refusal_->code != ErrorCode::unreachable) return *refusal_;
    std::string text = "no node answers at " + comma_separated(addresses_.listed());
    if (!unresolved_.empty())
        text += " (not resolved: " + comma_separated({unresolved_.begin(), unresolved_.end()}) + ")";
    return Error{ErrorCode::unreachable,
                 text +
                     ": check that musterd runs there, that the address is right, and that both know each other's "
                     "key where keys are used"};
}

}  // namespace muster::client
