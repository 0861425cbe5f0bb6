// What waits for the handler of one join, and how the handler is called for it.
#pragma once

#include <muster/tracker.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/action.hpp"
#include "node/handlers/inbox.hpp"
#include "node/handlers/outcome_box.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// What the core handed over for several handlers, held by all whose call has not ended. Deletes itself.
class Handover {
public:
    Handover(cluster::Deliver deliver, const std::shared_ptr<OutcomeBox>& outcomes)
        : deliver_(std::move(deliver)),
          outcomes_(deliver_.fan_out ? outcomes : nullptr),
          holders_(deliver_.to->size()) {}

    [[nodiscard]] const cluster::Deliver& deliver() const { return deliver_; }
    /// By each holder, once; there are as many as recipients.
    void release() const {
        if (holders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        if (outcomes_) outcomes_->rouse();
        delete this;
    }

private:
    ~Handover() = default;

    const cluster::Deliver deliver_;
    const std::shared_ptr<OutcomeBox> outcomes_;  // when somebody waits for what becomes of it
    // Counted once for all: a shared_ptr a handler would be counted up and down by several threads.
    mutable std::atomic<std::size_t> holders_;
};

/// One notification for the members of one join.
class Waiting {
public:
    /// Holds `handover` once; `to` is one of its recipients.
    Waiting(const Handover& handover, const cluster::HandlerMembers& to) : handover_(&handover), to_(&to) {}
    Waiting(Waiting&& other) noexcept : handover_(std::exchange(other.handover_, nullptr)), to_(other.to_) {}
    Waiting& operator=(Waiting&& other) noexcept {
        std::swap(handover_, other.handover_);
        to_ = other.to_;
        return *this;
    }
    ~Waiting() {
        if (handover_) handover_->release();
    }

    [[nodiscard]] const proto::Notice& notice() const { return *handover_->deliver().notice; }
    [[nodiscard]] const std::vector<MemberNumber>& members() const { return to_->members; }
    [[nodiscard]] cluster::FanOutId fan_out() const { return handover_->deliver().fan_out; }
    /// So many of the members, the first ones, the fan-out asks about.
    [[nodiscard]] std::uint64_t awaited() const { return handover_->deliver().awaited(to_->members); }
    /// Roughly what it takes while it waits.
    [[nodiscard]] std::size_t bytes() const;

private:
    const Handover* handover_;
    const cluster::HandlerMembers* to_;
};

using NotificationInbox = Inbox<Waiting>;

/// Where the node is told what became of notifications. Handlers may outlive the node, and so does this.
struct HandlerReports {
    std::shared_ptr<NodeCounters> counts;
    std::shared_ptr<OutcomeBox> outcomes;
};

/// An inbox that calls `handler`, not empty, for each member, and `on_gap`, which may be, for what was lost.
/// What they throw is counted and goes no further.
std::shared_ptr<NotificationInbox> make_inbox(HandlerPool& pool, const NotificationInbox::Limits& limits,
                                              OnNotification handler, NotificationInbox::OnGap on_gap,
                                              HandlerReports reports);

}  // namespace muster::node
