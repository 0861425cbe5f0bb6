// What waits for the handler of one join, and how the handler is called for it.
#pragma once

#include <muster/tracker.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/action.hpp"
#include "node/frame_counts.hpp"
#include "node/inbox.hpp"
#include "node/outcome_box.hpp"

namespace muster::node {

/// One notification for the members of one join.
struct Waiting {
    proto::SharedNotice notice;
    MemberNumber first;
    std::shared_ptr<const std::vector<MemberNumber>> all;  // when there are more than the first
    cluster::FanOut fan_out;
    std::uint64_t watched = 0;  // so many of the members the fan-out asks about

    Waiting() = default;
    /// `to` is one of the recipients of `deliver`.
    Waiting(const cluster::Deliver& deliver, const cluster::HandlerMembers& to);

    [[nodiscard]] std::uint64_t members() const { return all ? all->size() : 1; }
    /// Roughly what it takes while it waits.
    [[nodiscard]] std::size_t bytes() const;
};

using NotificationInbox = Inbox<Waiting>;

/// Where the node is told what became of notifications. Handlers may outlive the node, and so does this.
struct HandlerReports {
    std::shared_ptr<FrameCounts> counts;
    std::shared_ptr<OutcomeBox> outcomes;
};

/// An inbox that calls `handler`, not empty, for each member, and `on_gap`, which may be, for what was lost.
/// What they throw is counted and goes no further.
std::shared_ptr<NotificationInbox> make_inbox(HandlerPool& pool, const NotificationInbox::Limits& limits,
                                              OnNotification handler, NotificationInbox::OnGap on_gap,
                                              HandlerReports reports);

}  // namespace muster::node
