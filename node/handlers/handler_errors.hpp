// Exceptions of user handlers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "node/io/call_guarded.hpp"
#include "node/io/log_queue.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// Counts and logs exceptions of handlers. Shared, because a handler may still run when its node is gone. Thread-safe.
struct HandlerErrors {
    std::shared_ptr<NodeCounters> counts;
    std::shared_ptr<LogQueue> log;

    /// Calls a user's handler, guarded.
    template <class Call>
    void guard(const Group& group, const Call& call) const {
        call_guarded(call, [&](std::string_view what) {
            counts->handler_threw();
            log->push(threw_line(handler_of(group), what));
        });
    }
};

}  // namespace muster::node
