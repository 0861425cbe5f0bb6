// The notifications of one turn on their way to the inboxes of handlers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "node/handlers/notification_inbox.hpp"
#include "node/handlers/own_members.hpp"

namespace muster::node {

/// Notifications for the same handlers are gathered, so that each inbox is
/// looked up and locked once for all of them. Those of one handler keep their
/// order. One thread's.
class Handovers {
public:
    /// A handler's inbox; nullptr when the handler is idle or gone.
    using InboxOf = std::function<std::shared_ptr<NotificationInbox>(cluster::HandlerId)>;

    /// `outcomes` is told what becomes of the notifications, as far as somebody waits for it.
    explicit Handovers(std::shared_ptr<OutcomeBox> outcomes) : outcomes_(std::move(outcomes)) {}

    void add(cluster::Deliver&& deliver);
    /// Puts all that was added into the inboxes. Where there is none, an idle handler has taken it, and one that
    /// is gone has left.
    void hand_out(const InboxOf& inbox_of);

private:
    struct Batch {
        std::shared_ptr<const cluster::Recipients> to;
        std::vector<const Handover*> handovers;
    };
    Batch& batch_for(const std::shared_ptr<const cluster::Recipients>& to);
    void hand_out(const Batch& batch, const cluster::HandlerMembers& to,
                  const std::shared_ptr<NotificationInbox>& inbox) const;

    std::shared_ptr<OutcomeBox> outcomes_;
    std::vector<Batch> batches_;
    std::unordered_map<const cluster::Recipients*, std::size_t> batch_of_;
};

}  // namespace muster::node
