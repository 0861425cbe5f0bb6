// Which node a worker tries next, and when.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/client/address_book.hpp"
#include "node/client/time.hpp"
#include "proto/messages.hpp"

namespace muster::client {

/// The pause between two rounds of the list: 100 ms, doubled after each round without success up to 1 s, plus up to
/// 31 ms of jitter, so that workers that lost the same node do not return all at the same moment.
class Backoff {
public:
    explicit Backoff(std::uint64_t random_seed) : random_(random_seed) {}

    Duration next();
    /// How long a host may take to answer a TCP connect while others are left of the round: 250 ms, as RFC 8305
    /// advises, and twice that in each further round without success, for a network that is that slow.
    [[nodiscard]] Duration patience() const;
    /// The next pause is the shortest one, because a node said that it is not ready yet.
    void shorten() { shortened_ = true; }
    void reset() { rounds_ = 0; }

private:
    std::uint64_t random_;
    int rounds_ = 0;  // without success
    bool shortened_ = false;
};

/// PROTOCOL.md, "Hello": tries every address of the list in rounds, for ever. Where a session could still be resumed,
/// that node is tried first: for the session's grace period, at most 5 s, and not when its port refuses connections.
///
/// An address has to be looked up first; the time for that does not count as time for the hello. It has endpoints then,
/// which are tried one after the other. An address whose look-up takes longer than kLookUpPatience, counted from the
/// beginning of the round, is skipped, and tried as soon as its endpoints are known.
///
/// Functions that return bool return true if something is to be done: in the state `looking_up`, `address()` is to be
/// looked up; in the state `greeting`, a hello is to be sent to `endpoint()` over a new connection.
class Failover {
public:
    enum class State { idle, looking_up, greeting, attached, closed };

    Failover(std::vector<std::string> nodes, bool in_order, std::uint64_t random_seed);

    [[nodiscard]] State state() const { return state_; }
    /// The address that is tried, or that the worker is attached to, or was last.
    [[nodiscard]] const std::string& address() const { return address_; }
    /// The numeric address of it that is tried, or that the worker is attached to, or was last.
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    /// The address where the session can be resumed; empty if there is no session.
    [[nodiscard]] const std::string& home() const { return home_; }
    /// An earlier process had a session there.
    void set_home(std::string address) { home_ = std::move(address); }

    [[nodiscard]] bool start(Instant now);
    [[nodiscard]] bool tick(Instant now);
    /// The endpoints of an address, in the order in which to try them; empty if the name does not resolve.
    [[nodiscard]] bool resolved(Instant now, const std::string& address, std::vector<std::string> endpoints);
    /// The endpoint cannot be reached. Only while `greeting`.
    [[nodiscard]] bool unreachable(Instant now);
    /// The endpoint's host did not answer a TCP connect in the time of `connect_patience()`. Others that are left of
    /// this round must not wait for it, so that a few dead hosts do not use up the time that a user waits for a node.
    [[nodiscard]] bool connect_unanswered(Instant now);
    [[nodiscard]] Duration connect_patience() const { return backoff_.patience(); }
    /// The node refused the hello. Only while `greeting`.
    [[nodiscard]] bool refused(Instant now, const proto::Refuse& refuse);
    /// The same, with the error to report. `for_good`: trying this address again cannot help.
    [[nodiscard]] bool refused(Instant now, Error why, bool for_good);
    /// The node was lost. `gone`: it cannot have the session any more, so it is tried last; otherwise it is tried
    /// first.
    [[nodiscard]] bool lost(Instant now, bool gone);

    /// The node asks the worker to go: others are tried until `attached` or `stay`, but not this address and not
    /// `same`, which is the node's own. `to` is tried first if it is one of them. The session stays resumable. Only
    /// while attached.
    [[nodiscard]] bool move(Instant now, const std::string& same, const std::string& to);
    /// Whether `move` has an address to try.
    [[nodiscard]] bool can_move(const std::string& same) const { return addresses_.has_other_than({address_, same}); }
    /// No other node was found: the session is resumed at its home.
    [[nodiscard]] bool stay(Instant now);

    /// The node at `address()` welcomed the worker: this is the new home. `nodes`: addresses of other nodes.
    void attached(Instant now, Duration grace, const std::vector<std::string>& nodes);
    void close() { state_ = State::closed; }
    /// This process did not run for so long: the node has as much more time to answer the hello.
    void extend(Duration time) { attempt_until_ += time; }

    /// When `tick` is due. Instant::max() while attached or closed.
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] bool was_attached() const { return attached_at_.has_value(); }
    /// Every address of the last complete round refused this worker for good.
    [[nodiscard]] bool is_rejected() const { return rejected_; }
    /// Why the worker is not attached: the latest refusal, or `unreachable`.
    [[nodiscard]] Error problem() const;

private:
    bool attempt(Instant now, std::string address);
    bool greet(Instant now);
    void not_resolved(const std::string& address);
    void put_in_order(std::vector<std::string>& endpoints) const;
    bool next_attempt(Instant now);
    bool wait(Instant now);
    bool begin_attempts(Instant now);
    bool unanswered(Instant now);
    [[nodiscard]] bool is_resuming(Instant now) const;

    State state_ = State::idle;
    AddressBook addresses_;
    std::string address_;
    std::string endpoint_;
    std::vector<std::string> endpoints_;  // others of `address_`, not tried yet, in reverse
    Instant attempt_until_{};             // while looking up or greeting
    Instant round_began_{};
    std::set<std::string> unresolved_;  // addresses of the user's list that were not resolved the last time
    Backoff backoff_;
    Instant retry_at_{};  // while idle

    std::string home_;
    std::string home_endpoint_;
    bool home_is_gone_ = false;  // nothing listens there any more
    Duration grace_{};
    std::optional<Instant> attached_at_;
    Instant resumable_until_{};  // after a loss: until then only the home is tried, unless its port is closed

    bool all_refused_ = true;  // for good, in this round
    bool rejected_ = false;
    std::optional<Error> refusal_;  // the latest since the worker was attached
};

}  // namespace muster::client
