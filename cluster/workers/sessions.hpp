// All workers attached to this node: who they are, whether they are there, and
// what passes between them and the rest of the core.
#pragma once

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

    /// A request to be carried out; its answer goes to reply().
    struct Request {
        SessionRequest id;
        std::string worker;
        proto::Body body;
    };
    struct Ended {
        SessionToken token;
        std::string worker;
        Reason reason = Reason::worker_down;
    };

    /// A worker's hello; `not_ready`: why it cannot be served yet, empty when it can; `other_nodes`: where else it may
    /// go.
    void hello(const proto::Message& message, const Sender& sender, ConnectionId connection,
               const std::string& not_ready, const NodeInfo& node, std::vector<std::string> other_nodes);
    /// Any other message of a worker.
    std::optional<Request> message(proto::Message message, const Sender& sender, ConnectionId connection);
    void connection_lost(ConnectionId connection);
    void excuse(Duration late);

    Session* find(SessionToken token);
    SessionToken new_token();
    void reply(const SessionRequest& request, proto::Body body);
    /// Appends to a session's stream; a worker for whose item there can be no room is given up.
    void push(SessionToken token, proto::StreamItem item, std::size_t size, Session::Awaited awaited = {});
    /// As Session::lose.
    void lose(SessionToken token, std::uint64_t members);

    /// Sends all workers away; for a node that leaves.
    void dismiss(const std::string& why);

    void tick();
    /// Ends the sessions whose grace is over.
    void end_lost();
    /// When end_lost() is due; kNever when no worker is lost.
    [[nodiscard]] Instant next_end() const;
    [[nodiscard]] bool wants_flush() const { return !to_flush_.empty(); }
    void flush();
    std::vector<Ended> take_ended();
    std::vector<Outcome> take_outcomes();
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }
    /// What is in all streams and not acknowledged.
    struct Backlog {
        std::size_t items = 0;
        std::size_t bytes = 0;
    };
    [[nodiscard]] Backlog backlog() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    void refuse(ConnectionId connection, ErrorCode code, std::string text);
    void attach(Session& session, ConnectionId connection, std::uint64_t received);
    bool take_last_words(Session& session, const proto::Message& message);
    void lose(Session& session);
    void list_if_wants_flush(Session& session);
    void end(SessionToken token, Reason reason);

    Context& ctx_;
    std::map<SessionToken, Session> sessions_;
    std::map<ConnectionId, SessionToken> by_connection_;
    std::set<std::pair<Instant, SessionToken>> lost_;  // by the end of their grace
    std::vector<SessionToken> to_flush_;               // in the order in which they came to want it
    std::vector<Ended> ended_;
    std::vector<Outcome> outcomes_;
};

}  // namespace muster::cluster
