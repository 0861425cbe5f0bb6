// Questions of workers that wait for their turn, because their answers are long.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>

#include "cluster/workers/sessions.hpp"

namespace muster::cluster {

/// Each session's own in order, one of each session by turns. A whole table may be one answer; so what has been
/// answered is weighed, and beyond a bound the rest waits for the next turn of the loop, which sends what there is.
class Queries {
public:
    /// False when so many of this session wait already.
    bool put(Sessions::Request&& request, std::size_t most_per_session);
    /// The next one, taken out; nothing when none waits.
    std::optional<Sessions::Request> take();
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    void session_ended(SessionToken token) { waiting_.erase(token); }

private:
    std::map<SessionToken, std::deque<Sessions::Request>> waiting_;  // none is empty
    SessionToken last_;                                              // whose turn it was
};

}  // namespace muster::cluster
