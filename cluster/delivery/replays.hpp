// The notifier's side of a handover: answers the requests of nodes at which workers have joined again.
// README.md, "Handover"; PROTOCOL.md, "31 ReplayRequest".
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "cluster/delivery/handovers.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/recent.hpp"

namespace muster::cluster {

/// Answers the requests of one node in order, and each only when this node has applied the log of that node up to the
/// position that the request names. From then on notices go to the members that have joined again. So what was sent
/// before is in the replay, and what is sent after its last part follows it on the link.
///
/// Parts are made as the link has room for them, up to Bounds::repair_bytes_per_turn in a turn for all nodes.
class Replays {
public:
    Replays(Context& context, const Replicas& replicas, const Recent& recent, Links& links, Handovers& handovers)
        : ctx_(context), replicas_(replicas), recent_(recent), links_(links), handovers_(handovers) {}

    /// From this node itself, too. A request that is not the next one is ignored: it comes again.
    void take(const NodeId& from, proto::ReplayRequest request);
    void on(const Transition& transition);
    /// Drops requests that have waited for longer than anybody waits for their answer.
    void tick();
    [[nodiscard]] bool wants_flush() const;
    void flush();
    /// Whether a node waits for an answer.
    [[nodiscard]] bool is_busy() const {
        return std::any_of(askers_.begin(), askers_.end(),
                           [](const auto& entry) { return !entry.second.queue.empty(); });
    }
    void begin_life() { askers_.clear(); }

    [[nodiscard]] std::size_t memory() const;

private:
    struct Asked {
        proto::ReplayRequest request;
        Instant at;
        Drawn memory;
        std::size_t entry = 0;   // the one that is answered next
        bool has_begun = false;  // that entry
        std::uint64_t next = 0;  // of that entry, once it has begun: number of the next notice
    };
    struct Asker {
        NodeId life;
        std::uint64_t taken = 0;  // number of the latest request
        Instant taken_at = kLongAgo;
        std::deque<Asked> queue;
    };

    [[nodiscard]] bool can_answer(const Asker& asker) const;
    /// When the oldest notice that is asked for in the entry under way was sent.
    [[nodiscard]] static Instant since_of(const Asked& asked);
    [[nodiscard]] std::size_t size_of_next(const Asked& asked) const;
    std::size_t send(const NodeId& to, proto::Replay part, std::size_t size);
    std::size_t answer_part(const NodeId& to, Asked& asked);
    void begin_entry(Asked& asked, const Recent::Numbered* group, proto::Replay& part) const;
    void go_on(Asked& asked, const Recent::Numbered* group, proto::Replay& part) const;
    [[nodiscard]] bool has_forgotten_groups_since(const Asked& asked) const;

    Context& ctx_;
    const Replicas& replicas_;
    const Recent& recent_;
    Links& links_;
    Handovers& handovers_;
    std::map<std::string, Asker> askers_;  // by name
    std::string last_answered_;
};

}  // namespace muster::cluster
