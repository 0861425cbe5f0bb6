// The control socket: messages of other nodes to this one.
#pragma once

#include "node/io/emit.hpp"
#include "node/sockets/server_socket.hpp"

namespace muster::node {

/// A ROUTER that only receives. A reply goes to the sender's own control socket, over this node's `PeerLinks`.
class Control {
public:
    Control(zmq::context_t& context, NodeCounters& counts, Security& security, Connections::Bounds bounds);

    [[nodiscard]] ServerSocket& server() { return server_; }
    /// Receives and emits up to `budget` messages; returns how many there were.
    std::size_t drain(const Emit& emit, std::size_t budget);

private:
    NodeCounters& counts_;
    Security& security_;
    ServerSocket server_;
};

}  // namespace muster::node
