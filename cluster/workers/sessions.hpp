// All sessions at this node: hellos and resumes, which session a message belongs to, silence and grace periods.
// PROTOCOL.md, "6. The worker session".
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/caller.hpp"
#include "cluster/workers/session.hpp"

namespace muster::cluster {

class Sessions {
public:
    explicit Sessions(Context& context) : ctx_(context) {}

    /// A request to be done now. Its answer goes to reply().
    struct Request {
        SessionRequest id;
        std::string worker;
        proto::Body body;
        std::string asker{};  // of a request that administers: the key, worker and address, for the log
    };
    struct Ended {
        SessionToken token;
        std::string worker;
        Reason reason = Reason::worker_down;
    };

    /// A WorkerHello: makes or resumes a session, and answers WorkerWelcome or Refuse. `not_ready` says why this node
    /// cannot serve workers yet; it is empty if it can. `other_nodes` are addresses that the worker may try as well.
    void hello(const proto::Message& message, const Sender& sender, ConnectionId connection,
               const std::string& not_ready, const NodeInfo& node, std::vector<std::string> other_nodes);
    /// Any other message of a worker. Returns a request if there is one to be done.
    std::optional<Request> message(MessageArrived event);
    void connection_lost(ConnectionId connection);
    /// This node ran late by `late`; see Session::allow_for_lateness.
    void allow_for_lateness(Duration late);

    /// nullptr if there is no such session. Valid until the session ends.
    Session* find(SessionToken token);
    void reply(const SessionRequest& request, proto::Body body);
    /// Session::settled_call; 0 if there is no such session.
    [[nodiscard]] std::uint64_t settled_call(SessionToken token) {
        const Session* session = find(token);
        return session ? session->settled_call() : 0;
    }
    /// Session::push. Ends a session that has no room for the item.
    void push(SessionToken token, Session::StreamItem item, std::size_t size, Session::Awaited awaited = {});
    /// The same for what is replayed to a session that has just begun. A stream that is full loses it, with any policy:
    /// that it is full does not show that the worker does not keep up.
    void replay(SessionToken token, proto::Delivery delivery, std::size_t size, Session::Awaited awaited);
    /// What became of members that a fan-out waits for and that nothing is pushed for. nullopt: delivered.
    void settle(Session::Awaited awaited, std::optional<MissReason> missed) {
        if (awaited.fan_out && awaited.members > 0) outcomes_.push_back({awaited.fan_out, awaited.members, missed});
    }
    /// Ends the session, because its worker does not take what is sent to it.
    void give_up(SessionToken token, const std::string& why);
    /// Session::lose.
    void lose(SessionToken token, std::uint64_t members, bool at_least = false);

    /// Refuses all workers (`closed`), because this node leaves.
    void dismiss(const std::string& why);

    /// Refuses all workers (`closed`) and ends their sessions.
    void end_all(const std::string& why);

    /// Detaches workers that have been silent for SessionTiming::ttl, and sends heartbeats.
    void tick();
    /// Ends the sessions whose grace period is over.
    void end_lost();
    /// When end_lost() has something to end; kNever if no session is lost.
    [[nodiscard]] Instant next_end() const;
    [[nodiscard]] bool wants_flush() const { return !to_flush_.empty(); }
    /// The sessions that waited for room for a part, and have it, since the last call.
    std::vector<SessionToken> take_roomy() { return std::exchange(roomy_, {}); }
    [[nodiscard]] bool has_roomy() const { return !roomy_.empty(); }
    /// Sends what waits for workers, up to Bounds::stream_bytes_per_turn. Sessions take turns.
    void flush();

    /// Whether a session is of an older worker, which does not recognise calls that are repeated.
    [[nodiscard]] bool has_older() const { return older_ > 0; }
    /// Asks workers to go to another node, some of those that have not been asked lately. `choose` returns the address
    /// for the next one. False if there are none that know how, those whose grace period runs included.
    bool drain(const std::function<std::string()>& choose);
    /// Those that were not asked yet stay.
    void end_drain();
    /// Asks so many workers, except this one, to go to the node with this address.
    void move(std::uint64_t workers, const std::string& to, SessionToken except);
    // Session's functions of these names, of all sessions.
    [[nodiscard]] bool has_unsettled_calls() const;
    [[nodiscard]] std::uint64_t lowest_own_notice();
    void settle_up_to(std::uint64_t seq);

    /// The sessions that have ended, and the outcomes of notifications, since the last call.
    std::vector<Ended> take_ended();
    /// Sessions that have lost their connection or have another one: an answer in parts that is under way has lost
    /// some.
    std::vector<SessionToken> take_moved();
    std::vector<Outcome> take_outcomes();

    [[nodiscard]] std::size_t size() const { return sessions_.size(); }
    /// Aborts if an invariant is broken.
    void check() const;
    /// What all sessions have drawn from Context::memory.
    [[nodiscard]] std::size_t memory() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    SessionToken new_token();
    /// By its key, or without keys for this session alone.
    [[nodiscard]] SharedShare share_of(const Sender& sender);
    void refuse(ConnectionId connection, ErrorCode code, std::string text);
    /// With keys: whether this is a name for the sender's sessions.
    [[nodiscard]] bool owns(const Sender& sender, const std::string& name) const;
    void attach(Session& session, ConnectionId connection, std::uint64_t received);
    /// Why this request of a worker is refused; empty if the sender may make it.
    [[nodiscard]] std::string why_forbidden(const MessageArrived& event);
    bool take_final_message(Session& session, const proto::Message& message);
    void lose(Session& session);
    void list_if_wants_flush(Session& session);
    void list_if_roomy(Session& session);
    void end(SessionToken token, Reason reason);

    Context& ctx_;
    std::map<SessionToken, Session> sessions_;
    std::map<ConnectionId, SessionToken> by_connection_;
    std::set<std::pair<Instant, SessionToken>> lost_;           // by the end of the grace period
    std::deque<SessionToken> to_flush_;                         // in the order in which they began to want it
    std::size_t older_ = 0;                                     // see has_older()
    std::vector<SessionToken> roomy_;                           // see take_roomy()
    std::deque<std::pair<SessionToken, std::string>> to_move_;  // and where to
    std::vector<Ended> ended_;
    std::vector<SessionToken> moved_;
    std::vector<Outcome> outcomes_;
};

}  // namespace muster::cluster
