// Outcomes of notifications, on their way from the threads of handlers to the loop.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cluster/event.hpp"
#include "node/io/wakeup.hpp"

namespace muster::node {

/// Handlers' threads add the outcomes that a notifier waits for; the loop takes them once a turn. Thread-safe. Bounded
/// by the inboxes, because each member of a queued notification has one outcome. Shared, because a handler may still
/// run when its node is gone.
class OutcomeBox {
public:
    explicit OutcomeBox(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

    /// Does not wake the loop: it takes the outcome in its next turn, which is soon enough for a report that still
    /// waits for others. Equal outcomes that follow each other are merged.
    void add(const cluster::Outcome& outcome) {
        const std::lock_guard lock(mutex_);
        cluster::Outcome* last = outcomes_.empty() ? nullptr : &outcomes_.back();
        if (last && last->fan_out == outcome.fan_out && last->missed == outcome.missed)
            last->members += outcome.members;
        else
            outcomes_.push_back(outcome);
    }

    /// Called after the last outcome of a Deliver action, which may complete a report.
    void wake_loop() { wakeup_->notify(); }

    std::vector<cluster::Outcome> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(outcomes_, {});
    }

private:
    const std::shared_ptr<Wakeup> wakeup_;
    std::mutex mutex_;
    std::vector<cluster::Outcome> outcomes_;
};

}  // namespace muster::node
