// The front door: the socket that users configure.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <string>

#include <zmq.hpp>

#include "node/io/emit.hpp"
#include "node/io/zmq_io.hpp"
#include "node/sockets/connection_map.hpp"
#include "node/sockets/other_majors.hpp"
#include "node/sockets/server_socket.hpp"

namespace muster::node {

/// The address a user types: hellos of nodes, and all that workers say.
class Door {
public:
    /// `log` is told of those who speak another major version.
    Door(zmq::context_t& context, NodeCounters& counts, Security& security, Connections::Bounds bounds, Log log);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    [[nodiscard]] ServerSocket& server() { return server_; }
    /// Ends every connection; the port stays.
    std::optional<Error> reopen();
    /// What this node says of itself when it refuses by itself.
    void set_header(proto::Header header) { header_ = std::move(header); }
    void set_identity(const NodeId& self) { header_.incarnation = self.incarnation.value; }

    /// A message that cannot be put on the route emits ConnectionLost.
    void send_to(cluster::ConnectionId route, const proto::Message& message, const Emit& emit);
    std::size_t drain(const Emit& emit, std::size_t budget);
    /// Forgets routes that are long unused.
    void expire();

private:
    void refuse_version(const Parts& parts, const cluster::Sender& sender);

    NodeCounters& counts_;
    Security& security_;
    ServerSocket server_;
    ConnectionMap routes_;
    OtherMajors other_majors_;
    proto::Header header_;
    std::string buffer_;
};

}  // namespace muster::node
