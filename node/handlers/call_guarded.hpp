// Calls of user handlers.
#pragma once

#include "node/io/node_counters.hpp"

namespace muster::node {

/// Calls a user's handler. An exception that it throws is counted (`handler_exceptions`) and goes no further, so it
/// ends neither the node nor the calls of other handlers. Any thread.
template <class Call>
void call_guarded(NodeCounters& counters, const Call& call) {
    try {
        call();
    } catch (...) {
        counters.handler_threw();
    }
}

}  // namespace muster::node
