// Queries of workers (members, groups, nodes, status) that wait for a later turn of the loop.
#pragma once

#include <cstddef>
#include <deque>
#include <map>

#include "cluster/replication/lookups.hpp"
#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

/// A query, and how far its answer is.
struct Query {
    Sessions::Request request;
    MembersPlace members{};  // of a MembersRequest
    GroupRef groups = 0;     // of a GroupsRequest
};

/// An answer may be a whole table. So the core bounds the bytes that it answers in one turn
/// (Bounds::answer_bytes_per_turn), and the rest waits here while the shell sends them. Sessions take turns, and each
/// session's queries keep their order. An answer under way is a place in the tables, not a copy of them.
class Queries {
public:
    /// Returns false if `most_per_session` queries of this session wait already.
    bool put(Query&& query, std::size_t most_per_session);
    /// The first query of the next session. There must be one. Valid until the next call of another function.
    Query& next();
    /// Takes out the query that next() returned last.
    void done();
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    void session_ended(SessionToken token) { waiting_.erase(token); }

private:
    std::map<SessionToken, std::deque<Query>> waiting_;  // no queue is empty
    SessionToken last_;                                  // the session of the last query that next() returned
};

}  // namespace muster::cluster
