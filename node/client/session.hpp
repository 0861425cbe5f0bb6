// One worker's dealings with its nodes: attaching, resuming, failing over,
// requests, the stream. Pure: no socket, clock or thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "node/client/actions.hpp"
#include "node/client/address_book.hpp"
#include "node/client/requests.hpp"
#include "node/client/roster.hpp"
#include "node/client/saved_session.hpp"
#include "node/client/time.hpp"
#include "node/client/unclaimed.hpp"
#include "node/client/watches.hpp"
#include "proto/codec.hpp"

namespace muster::client {

/// The worker's side of PROTOCOL.md's worker sessions.
///
/// The caller serialises all calls; `now` never goes back. After each call it
/// does `take_actions`. Everything that has arrived is handed in before
/// `tick`, so that no node is judged silent whose words lie in the socket.
class Session {
public:
    struct Options {
        std::string name;
        std::string scope;
        std::vector<std::string> nodes;  // "host:port", not empty
        std::uint64_t random_seed = 1;   // for the jitter of retries
        bool keeps = false;              // emits Keep and Reserve
        SavedSession saved{};            // to go on with, of this name and scope; it is session 1 then
        Duration claim_timeout = std::chrono::seconds(5);  // since it was resumed, for the members of `saved`
    };

    explicit Session(Options options);

    /// Begins to attach; goes on for ever.
    void start(Instant now);
    /// A frame of the open connection. `peer`: the node that has proved its key there; empty: none has.
    void message_arrived(Instant now, proto::Message&& message, const std::string& peer = {});
    void undecodable(Instant now, proto::DecodeError why);
    /// Answer to Check: nothing listens at that address.
    void connection_refused(Instant now, const std::string& address);
    /// The open connection cannot be sent on any more.
    void connection_broken(Instant now);
    /// Nothing was taken from the connection, for want of room: its silence means nothing.
    void not_listening(Instant now) { last_heard_ = now; }

    /// Ends in exactly one Answer, by `deadline` at the latest (given timely ticks).
    void call(Instant now, CallId call, Instant deadline, Purpose purpose);
    /// As call() with a WatchCall, for a new watch.
    void watch(Instant now, CallId call, Instant deadline, Watch watch, Group group,
               std::shared_ptr<WatchHandler> handler);
    /// Without an answer; a watch that is not known is passed over.
    void unwatch(Instant now, Watch watch);

    /// The handlers of all stream items up to `seq` of that session have returned.
    void handled(std::uint64_t session, std::uint64_t seq);

    void tick(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    /// Says goodbye and answers every call with `closed`. Nothing is done afterwards.
    void close();

    /// What is to be done now; what `actions` had is dropped, its memory is used again.
    void take_actions(Actions& actions) {
        actions.clear();
        actions.swap(actions_);
    }

    [[nodiscard]] bool is_attached() const { return state_ == State::attached; }
    /// The node it is attached to, or was attached to last.
    [[nodiscard]] const NodeInfo& node() const { return node_; }
    /// Why it is not attached: what the last attempts met.
    [[nodiscard]] Error problem() const;
    /// Every known node has refused this worker for good, though it goes on asking.
    [[nodiscard]] bool is_rejected() const { return rejected_; }
    /// Whether somebody waits for an answer that may lie in the connection.
    [[nodiscard]] bool awaits_answer() const { return !requests_.all_in_flight().empty(); }

private:
    enum class State { idle, greeting, attached, closed };
    struct StreamItem {
        std::uint64_t seq = 0;
        proto::StreamItem body;
    };

    // session.cpp: attaching and timers
    void begin_attempt(const std::string& address);
    void attempt_failed(Error why, bool for_good);
    void unanswered();
    void next_attempt();
    void wait_for_retry();
    void say_hello();
    void welcomed(const proto::Header& header, proto::WorkerWelcome&& welcome, const std::string& peer);
    void new_session(const proto::Header& header);
    void resumed();
    void refused(const proto::Refuse& refuse);
    void lost(const std::string& why, bool gone);
    void heartbeat();
    void tick_attached();
    void send(proto::Body body, std::uint64_t seq = 0);
    void announce(bool attached, std::string text);
    [[nodiscard]] Duration backoff();
    [[nodiscard]] Instant next_deadline_attached() const;

    // session_calls.cpp: requests and their answers
    void send_held();
    bool prepare(Request& request);
    void submit(Request request);
    void give_up_in_flight();
    void restore();
    void restore_some();
    bool is_restoring() const { return !restore_.empty() || !restoring_.empty(); }
    void take_reply(std::uint64_t number, proto::Body&& body);
    void finish(Request&& request, proto::Body&& body);
    void finish_join(const Request& request, const JoinCall& join, proto::Body&& body);
    void finish_leave(const Request& request, const LeaveCall& leave, const proto::Body& body);
    void finish_restore(const Purpose& purpose, const proto::Body& body);
    void answer(CallId call, Reply reply);
    void expire_calls();

    // session_saved.cpp: what outlives the process
    void go_on();
    void keep(const proto::Body& body, std::uint64_t number);
    void keep_welcome(const proto::Header& header);
    void keep_goodbye();
    void reserve_number();
    bool claim(const Request& request);
    void leave_unclaimed();
    void forget_unclaimed();

    // session_stream.cpp: what the node tells of itself
    void take_deliveries(std::uint64_t first, proto::Deliveries&& deliveries);
    void take_stream_item(std::uint64_t seq, proto::StreamItem&& body);
    void pass_on();
    [[nodiscard]] bool must_wait(const StreamItem& item);
    bool pass(StreamItem&& item);

    Options options_;
    Instant now_{};
    State state_ = State::idle;
    Actions actions_;
    AddressBook addresses_;
    Roster roster_;
    Watches watches_;
    Requests requests_;

    // the attempt, and the connection
    std::string address_;      // tried, or attached to
    Instant attempt_until_{};  // in greeting
    Instant retry_at_{};       // in idle
    int rounds_ = 0;           // without success, for the backoff
    bool hasten_ = false;      // a node said that it is not ready: ask again soon
    bool all_refused_ = true;  // in this round, for good
    bool rejected_ = false;
    std::optional<Error> refusal_;  // the latest
    Instant attached_at_{};
    Instant last_heard_{};
    Instant expected_{};  // when the next tick was due
    Instant next_check_{};
    Instant next_heartbeat_{};

    // the session
    SessionToken token_;
    std::string home_;  // where the session can be resumed
    Duration grace_{};
    Instant resumable_until_{};  // once lost: so long nothing but home is tried, unless it is gone
    NodeInfo node_;
    Duration heartbeat_{};
    Duration ttl_{};
    std::uint64_t number_ = 0;      // of sessions so far
    std::uint64_t last_taken_ = 0;  // of the stream
    std::uint64_t received_ = 0;    // of the stream, handled
    bool ack_due_ = false;
    std::deque<StreamItem> waiting_;  // for the answer of the join that made their member

    // what a new session has to be told
    std::deque<Request> restore_;
    std::set<std::uint64_t> restoring_;  // in flight
    std::optional<Instant> restore_again_;
    std::vector<std::uint64_t> unwatch_later_;  // numbers, for when the session is resumed

    // of an earlier process
    Unclaimed unclaimed_;
    std::optional<Instant> claim_until_;  // once it was resumed
    bool stream_goes_on_ = false;         // its first item has not come yet
    std::uint64_t reserved_ = 0;          // request numbers, in the state file
    bool was_attached_ = false;
};

}  // namespace muster::client
