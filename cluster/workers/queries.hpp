// Queries of workers (members, groups, nodes, status) that wait for a later turn of the loop.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>

#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

/// One answer may be a whole table. So the core bounds the bytes that it answers in one turn
/// (Bounds::answer_bytes_per_turn), and the rest waits here while the shell sends them. Sessions take turns, and each
/// session's queries keep their order.
class Queries {
public:
    /// Returns false if `most_per_session` queries of this session wait already.
    bool put(Sessions::Request&& request, std::size_t most_per_session);
    /// Takes out the next query; nothing if none waits.
    std::optional<Sessions::Request> take();
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    void session_ended(SessionToken token) { waiting_.erase(token); }

private:
    std::map<SessionToken, std::deque<Sessions::Request>> waiting_;  // no queue is empty
    SessionToken last_;                                              // the session of the last query taken
};

}  // namespace muster::cluster
