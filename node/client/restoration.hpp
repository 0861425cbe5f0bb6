// The joins and watches that a new session repeats before anything else is asked in it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "node/client/requests.hpp"

namespace muster::client {

/// At most 256 of the requests are unanswered at a time, so that a worker with many joins does not use up what a node
/// takes. If one fails, what is still absent is tried again after a second.
class Restoration {
public:
    /// Replaces what there was: its session has ended.
    void begin(std::deque<Request> requests);

    /// The next request to be sent, if there is one and it may be sent now.
    std::optional<Request> next();
    void sent(std::uint64_t number) { unanswered_.insert(number); }
    /// Any request was answered.
    void answered(std::uint64_t number) { unanswered_.erase(number); }
    /// One of its requests was answered with an error.
    void failed(Instant now);

    /// While it runs, calls of the user are held.
    [[nodiscard]] bool is_running() const { return !queue_.empty() || !unanswered_.empty(); }
    /// When to begin again; Instant::max() if it still runs or nothing failed.
    [[nodiscard]] Instant next_retry() const;

private:
    std::deque<Request> queue_;
    std::set<std::uint64_t> unanswered_;
    std::optional<Instant> retry_at_;
};

}  // namespace muster::client
