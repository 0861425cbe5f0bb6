// The control socket: receives messages of other nodes.
#pragma once

#include "node/io/emit.hpp"
#include "node/io/receive_budget.hpp"
#include "node/sockets/server_socket.hpp"

namespace muster::node {

/// A ROUTER that only receives. A reply goes to the control socket of the sender, over this node's PeerLinks
/// (PROTOCOL.md, section 9).
class Control {
public:
    Control(zmq::context_t& context, NodeCounters& counters, Security& security, Connections::Bounds bounds);

    [[nodiscard]] ServerSocket& server() { return server_; }
    /// Receives messages within the budget and emits them as Channel::control.
    void drain(const Emit& emit, ReceiveBudget& budget);

private:
    NodeCounters& counters_;
    Security& security_;
    ServerSocket server_;
};

}  // namespace muster::node
