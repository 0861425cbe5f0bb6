// The inbox of one join: notifications that wait for its handler, and the calls of the handler.
#pragma once

#include <muster/tracker.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/action.hpp"
#include "node/handlers/handler_errors.hpp"
#include "node/handlers/inbox.hpp"
#include "node/handlers/outcome_box.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// One Deliver action, shared by the queued notifications of all its recipients.
///
/// It has a count of its own because the number of holders is known from the start: each decrements it once. A
/// shared_ptr for each recipient would be incremented and decremented by several threads at the same time.
struct SharedDeliver {
    SharedDeliver(cluster::Deliver action, const std::shared_ptr<OutcomeBox>& box)
        : deliver(std::move(action)), outcomes(deliver.fan_out ? box : nullptr), holders(deliver.to->size()) {}

    const cluster::Deliver deliver;
    const std::shared_ptr<OutcomeBox> outcomes;  // null if no fan-out waits for the outcome
    std::atomic<std::size_t> holders;            // recipients whose call has not ended
};

/// One notification for the members of one join, while it waits or its handler runs. Move-only.
class QueuedNotification {
public:
    /// Becomes one of the holders of `shared`, which the last holder deletes. `to` is one of its recipients.
    QueuedNotification(SharedDeliver& shared, const cluster::HandlerMembers& to) : shared_(&shared), to_(&to) {}
    QueuedNotification(QueuedNotification&& other) noexcept
        : shared_(std::exchange(other.shared_, nullptr)), to_(other.to_) {}
    QueuedNotification& operator=(QueuedNotification&& other) noexcept {
        std::swap(shared_, other.shared_);
        to_ = other.to_;
        return *this;
    }
    ~QueuedNotification() {
        if (shared_) release();
    }

    [[nodiscard]] const proto::Notice& notice() const { return *shared_->deliver.notice; }
    [[nodiscard]] const std::vector<MemberNumber>& members() const { return to_->members; }
    [[nodiscard]] cluster::FanOutId fan_out() const { return shared_->deliver.fan_out; }
    /// How many of members(), counted from the first, the fan-out waits for.
    [[nodiscard]] std::uint64_t awaited() const { return shared_->deliver.awaited(to_->members); }
    /// Approximate memory of the notification while it waits.
    [[nodiscard]] std::size_t bytes() const;

private:
    void release() {
        if (shared_->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        if (shared_->outcomes) shared_->outcomes->wake_loop();
        delete shared_;
    }

    SharedDeliver* shared_;
    const cluster::HandlerMembers* to_;
};

using NotificationInbox = Inbox<QueuedNotification>;

/// Where an inbox reports outcomes and exceptions. Shared, because a handler may still run when its node is gone.
struct HandlerReports {
    HandlerErrors errors;
    std::shared_ptr<OutcomeBox> outcomes;
};

/// Makes an inbox that calls `handler` once for each member of each notification, and `on_gap` for notifications that
/// were dropped. `on_gap` may be empty, `handler` may not. Exceptions of both are counted and logged, and go no
/// further.
std::shared_ptr<NotificationInbox> make_inbox(HandlerPool& pool, const NotificationInbox::Limits& limits,
                                              const Group& group, OnNotification handler,
                                              NotificationInbox::OnGap on_gap, HandlerReports reports);

}  // namespace muster::node
