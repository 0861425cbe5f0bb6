// One worker's session with its nodes, without a socket, a clock or a thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "node/client/actions.hpp"
#include "node/client/calls.hpp"
#include "node/client/failover.hpp"
#include "node/client/liveness.hpp"
#include "node/client/moving.hpp"
#include "node/client/outbox.hpp"
#include "node/client/requests.hpp"
#include "node/client/roster.hpp"
#include "node/client/saved_session.hpp"
#include "node/client/stream.hpp"
#include "node/client/time.hpp"
#include "node/client/unclaimed.hpp"
#include "node/client/watches.hpp"
#include "proto/codec.hpp"

namespace muster::client {

/// The worker's side of PROTOCOL.md, "The worker session". It gives each event to the part that it concerns (Failover,
/// Liveness, Calls, Stream) and decides when a node is given up. It emits what is to be done as actions.
///
/// Not thread-safe. `now` never goes back. After each call, the caller performs `take_actions`. It hands in everything
/// that has arrived before it calls `tick`: otherwise a node whose messages are still in the socket would seem silent.
class Session {
public:
    struct Options {
        std::string name;
        std::string scope;
        std::vector<std::string> nodes;  // "host:port" or "NAME@host:port"; not empty
        bool in_order = false;           // whether `nodes` are tried in the order of the list
        std::uint64_t random_seed = 1;   // for the order of nodes and the jitter of retries
        bool keeps = false;              // whether to emit Keep and Reserve
        SavedSession saved{};            // of this name and scope; if it has a token, it is continued as session 1
        Duration claim_timeout = std::chrono::seconds(5);  // how long, once resumed, members of `saved` may be joined
        bool listed_only = false;                          // whether no other nodes than `nodes` are tried
        std::uint64_t life = 1;                            // of this process: random, not 0
    };

    explicit Session(Options options);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Begins to attach, and never gives up.
    void start(Instant now);
    /// A message came over the open connection. `peer`: the node whose key the connection has; empty without keys.
    void message_arrived(Instant now, proto::Message&& message, const std::string& peer = {});
    /// A frame came that is no message.
    void undecodable(Instant now, proto::DecodeError why);
    /// The answer to LookUp: the endpoints of that address; empty if its name does not resolve.
    void resolved(Instant now, const std::string& address, std::vector<std::string> endpoints);
    /// A Check found that nothing listens at that endpoint.
    void connection_refused(Instant now, const std::string& endpoint);
    /// A Check got no answer from the host of that endpoint.
    void connection_unanswered(Instant now, const std::string& endpoint);
    /// The open connection cannot send any more.
    void connection_broken(Instant now);
    /// The caller does not read from the connection now, because its inbox is full: silence means nothing.
    void not_listening(Instant now) { liveness_.heard(now); }

    /// Ends in exactly one Answer, at `deadline` at the latest if ticks are in time.
    void call(Instant now, CallId call, Instant deadline, Purpose purpose);
    /// Like `call` with a WatchCall, and makes the watch. `watch` is not in use.
    void watch(Instant now, CallId call, Instant deadline, Watch watch, Group group,
               std::shared_ptr<WatchHandler> handler);
    /// Has no answer. An unknown watch is ignored.
    void unwatch(Instant now, Watch watch);

    /// The handlers of all items of that session's stream up to `seq` have returned.
    void handled(std::uint64_t session, std::uint64_t seq);

    void tick(Instant now);
    [[nodiscard]] Instant next_deadline() const;

    /// Says goodbye and answers every call with `closed`. Later calls are answered with `closed`; nothing else happens.
    void close();

    /// Moves what is to be done to `actions`, in order. What `actions` held is dropped; its memory is reused.
    void take_actions(Actions& actions) { outbox_.take(actions); }

    [[nodiscard]] bool is_attached() const { return failover_.state() == Failover::State::attached; }
    /// The node that the worker is attached to, or was last.
    [[nodiscard]] const NodeInfo& node() const { return node_; }
    /// Why the worker is not attached.
    [[nodiscard]] Error problem() const { return failover_.problem(); }
    /// Every known node has refused this worker for good. The worker goes on trying.
    [[nodiscard]] bool is_rejected() const { return failover_.is_rejected(); }
    /// Whether a request is in flight, so that its reply may be among what was not read yet.
    [[nodiscard]] bool awaits_answer() const { return !requests_.all_in_flight().empty(); }

private:
    void continue_session(const SavedSession& saved);
    void greet_if(bool due);
    void refused(const proto::Refuse& refuse);
    void welcomed(const proto::Header& header, proto::WorkerWelcome&& welcome, const std::string& peer);
    void attach(const proto::Header& header, const proto::WorkerWelcome& welcome);
    bool is_old_node(const proto::WorkerWelcome& welcome);
    void lost(const std::string& why, bool gone);
    void leave_session();
    void move(const std::string& to);
    void finish_move();
    void take_deliveries(std::uint64_t first, proto::Deliveries&& deliveries);
    void give_up_on(Stream::Fault fault);
    void take_reply(std::uint64_t number, proto::Body&& reply);
    void send_held();
    void answer_closed(CallId call);
    void expire_calls();
    void tick_attached();
    void send_heartbeat();

    const Duration claim_timeout_;
    const bool listed_only_;
    Instant now_{};
    Instant expected_{};  // when the next tick is due
    NodeInfo node_;
    Former former_;
    Outbox outbox_;
    Moving moving_{outbox_};
    Failover failover_;
    Liveness liveness_;
    Requests requests_;
    Unclaimed unclaimed_;
    Roster roster_;
    Watches watches_;
    Calls calls_{requests_, unclaimed_, roster_, watches_, outbox_};
    Stream stream_{requests_, unclaimed_, roster_, watches_, outbox_};
};

}  // namespace muster::client
