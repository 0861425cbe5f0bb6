#include "node/handlers/handovers.hpp"

#include <optional>
#include <utility>

namespace muster::node {

void Handovers::add(cluster::Deliver&& deliver) {
    Batch& batch = batch_for(deliver.to);
    batch.handovers.push_back(new Handover(std::move(deliver), outcomes_));
}

Handovers::Batch& Handovers::batch_for(const std::shared_ptr<const cluster::Recipients>& to) {
    if (!batches_.empty() && batches_.back().to == to) return batches_.back();  // mostly
    const auto [place, fresh] = batch_of_.try_emplace(to.get(), batches_.size());
    if (fresh) batches_.push_back({to, {}});
    return batches_[place->second];
}

void Handovers::hand_out(const InboxOf& inbox_of) {
    for (const Batch& batch : batches_)
        for (const auto& to : *batch.to) hand_out(batch, to, inbox_of(to.handler));
    batches_.clear();
    batch_of_.clear();
}

void Handovers::hand_out(const Batch& batch, const cluster::HandlerMembers& to,
                         const std::shared_ptr<NotificationInbox>& inbox) const {
    const auto& handovers = batch.handovers;
    if (inbox) {
        inbox->push_all(handovers.size(), to.members.size(), [&](std::size_t i) {
            Waiting waiting(*handovers[i], to);
            const std::size_t bytes = waiting.bytes();
            return std::pair(std::move(waiting), bytes);
        });
        return;
    }
    const auto missed = is_idle(to.handler) ? std::nullopt : std::optional(MissReason::left);
    for (const Handover* handover : handovers) {
        const Waiting held(*handover, to);
        if (const auto awaited = held.awaited(); awaited != 0) outcomes_->add({held.fan_out(), awaited, missed});
    }
}

}  // namespace muster::node
