#include "node/handlers/deliver_batches.hpp"

#include <optional>
#include <utility>

namespace muster::node {

void DeliverBatches::add(cluster::Deliver&& deliver) {
    Batch& batch = batch_for(deliver.to);
    batch.delivers.push_back(new SharedDeliver(std::move(deliver), outcomes_));
}

DeliverBatches::Batch& DeliverBatches::batch_for(const std::shared_ptr<const cluster::Recipients>& to) {
    if (!batches_.empty() && batches_.back().to == to) return batches_.back();  // the usual case
    // The address identifies the recipients: the batch keeps them alive, so it is not reused before flush().
    const auto [found, is_new] = batch_of_.try_emplace(to.get(), batches_.size());
    if (is_new) batches_.push_back({to, {}});
    return batches_[found->second];
}

void DeliverBatches::flush(const InboxOf& inbox_of) {
    for (const Batch& batch : batches_)
        for (const auto& to : *batch.to) deliver(batch, to, inbox_of(to.handler));
    batches_.clear();
    batch_of_.clear();
}

void DeliverBatches::deliver(const Batch& batch, const cluster::HandlerMembers& to,
                             const std::shared_ptr<NotificationInbox>& inbox) const {
    const auto& delivers = batch.delivers;
    if (inbox) {
        inbox->push_all(delivers.size(), to.members.size(), [&](std::size_t i) {
            QueuedNotification notification(*delivers[i], to);
            const std::size_t bytes = notification.bytes();
            return std::pair(std::move(notification), bytes);
        });
        return;
    }
    // Nobody to call. The holders are made all the same, because each recipient must release its share.
    const auto missed = is_idle(to.handler) ? std::nullopt : std::optional(MissReason::left);
    for (SharedDeliver* shared : delivers) {
        const QueuedNotification notification(*shared, to);
        if (const auto awaited = notification.awaited(); awaited != 0)
            outcomes_->add({notification.fan_out(), awaited, missed});
    }
}

}  // namespace muster::node
