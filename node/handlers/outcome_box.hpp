// What handlers have to say of notifications that somebody waits for.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cluster/event.hpp"
#include "node/io/wakeup.hpp"

namespace muster::node {

/// Filled by the threads of handlers, emptied by the loop once a turn. Bounded by the inboxes, since each
/// member of a queued notification is told of once. It may outlive its node, as handlers may. Thread-safe.
class OutcomeBox {
public:
    explicit OutcomeBox(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

    /// The loop takes it in its next turn, soon enough for a report that is not whole yet.
    void add(const cluster::Outcome& outcome) {
        const std::lock_guard lock(mutex_);
        cluster::Outcome* last = outcomes_.empty() ? nullptr : &outcomes_.back();
        if (last && last->fan_out == outcome.fan_out && last->missed == outcome.missed)
            last->members += outcome.members;
        else
            outcomes_.push_back(outcome);
    }

    /// Somebody's last outcome was added: the loop is to take it now.
    void rouse() { wakeup_->notify(); }

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
