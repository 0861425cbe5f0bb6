// The notifications of one turn of the loop, on their way to the inboxes of handlers.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "node/handlers/notification_inbox.hpp"
#include "node/handlers/own_members.hpp"

namespace muster::node {

/// Gathers Deliver actions that have the same recipients, so that flush() looks up and locks each inbox once for all of
/// them. Notifications of one handler keep their order. Not thread-safe: used by the loop only.
class DeliverBatches {
public:
    /// Returns a handler's inbox, or nullptr if the handler is idle or removed.
    using InboxOf = std::function<std::shared_ptr<NotificationInbox>(cluster::HandlerId)>;

    /// `outcomes` receives the outcome of each notification that a fan-out waits for.
    explicit DeliverBatches(std::shared_ptr<OutcomeBox> outcomes) : outcomes_(std::move(outcomes)) {}

    void add(cluster::Deliver&& deliver);
    /// Moves all added notifications into the inboxes. Without an inbox, members of an idle handler count as delivered
    /// and members of a removed handler as `left`.
    void flush(const InboxOf& inbox_of);

private:
    struct Batch {
        std::shared_ptr<const cluster::Recipients> to;
        std::vector<SharedDeliver*> delivers;  // flush() makes a holder for each recipient; the last one deletes it
    };
    Batch& batch_for(const std::shared_ptr<const cluster::Recipients>& to);
    void deliver(const Batch& batch, const cluster::HandlerMembers& to,
                 const std::shared_ptr<NotificationInbox>& inbox) const;

    std::shared_ptr<OutcomeBox> outcomes_;
    std::vector<Batch> batches_;
    std::unordered_map<const cluster::Recipients*, std::size_t> batch_of_;
};

}  // namespace muster::node
