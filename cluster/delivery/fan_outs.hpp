// The members' node: notices go to the handlers and sessions that own members here, and what became of them goes back
// to a notifier that waits.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/delivery/handovers.hpp"
#include "cluster/delivery/links.hpp"
#include "cluster/delivery/reports.hpp"
#include "cluster/delivery/routes.hpp"
#include "cluster/workers/sessions.hpp"
#include "proto/accepted_calls.hpp"

namespace muster::cluster {

/// Keeps a FanOut for each notice with a ticket, until every awaited member's outcome is known. Awaited are the members
/// that the notifier's node matched: those whose number is not above `Notice::newest`. Newer members get the
/// notification as well, but are not part of the report.
class FanOuts {
public:
    FanOuts(Context& context, Routes& routes, Links& links, Sessions& sessions, Handovers& handovers, Reports& reports)
        : ctx_(context),
          routes_(routes),
          links_(links),
          sessions_(sessions),
          handovers_(handovers),
          reports_(reports) {}

    /// A notice of node `from`, which may be this node, for all members of its group here. PROTOCOL.md, "Links".
    void take(const NodeId& from, const proto::SharedNotice& notice);
    /// Notices for a group were lost on a link. Every owner of members is told how many deliveries it missed.
    void take(const NodeId& from, const proto::NoticesLost& lost);
    /// What became of deliveries to sessions and handlers. Unknown fan-outs are ignored: they have timed out.
    void record(const std::vector<Outcome>& outcomes);
    /// Reports the fan-outs whose time is over; members without an outcome count as missed by timeout.
    void tick();
    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct FanOut {
        NodeId from;
        proto::NoticeReport report;
        std::map<MissReason, std::uint64_t> missed;  // members
        std::uint64_t outstanding = 0;               // awaited members without an outcome
        Instant deadline;
        Drawn place;
    };

    /// The id of a new fan-out, or none if nobody waits or the notifier's node has no more places (Context::waits). In
    /// the latter case the notifier gets no report and counts the members as missed by timeout.
    FanOutId begin(const NodeId& from, const proto::Notice& notice);
    /// `copy`: what it is to the handlers.
    void deliver(const std::shared_ptr<const Recipients>& handlers, const proto::SharedNotice& notice, FanOutId id,
                 proto::Copy copy);
    void deliver(const NodeId& from, SessionToken session, const Routes::SharedMembers& members,
                 const proto::SharedNotice& notice, FanOutId id);
    /// What this call of a worker is to the group's members here. Only handlers inside this node and older
    /// workers need to know it: others see it themselves, also after they were at another node.
    [[nodiscard]] proto::Copy copy_of(const proto::Notice& notice);
    /// Reports a copy that is not delivered. `awaited` members count as delivered if they have had it, else as missed.
    void drop_copy(FanOutId id, std::uint64_t awaited, proto::Copy copy);
    [[nodiscard]] bool is_older(SessionToken token);
    void account(const Outcome& outcome);
    void report_if_done(FanOutId id);

    Context& ctx_;
    Routes& routes_;
    Links& links_;
    Sessions& sessions_;
    Handovers& handovers_;
    Reports& reports_;
    FanOutId last_id_;
    std::map<FanOutId, FanOut> fan_outs_;
    using LifeInGroup = std::pair<std::uint64_t, Group>;
    std::map<LifeInGroup, proto::AcceptedCalls> calls_;  // that members here have had
    std::deque<LifeInGroup> calls_order_;                // of calls_, oldest first
};

}  // namespace muster::cluster
