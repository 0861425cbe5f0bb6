// The two sockets that others send to: the front door and the control socket.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <string>

#include <zmq.hpp>

#include "node/admission/connections.hpp"
#include "node/admission/security.hpp"
#include "node/io/zmq_io.hpp"
#include "node/sockets/gossip.hpp"
#include "node/sockets/other_majors.hpp"
#include "node/sockets/route_map.hpp"

namespace muster::node {

/// The address a user types: hellos of nodes, and all that workers say.
class Door {
public:
    /// `log` is told of those who speak another major version.
    Door(zmq::context_t& context, FrameCounts& counts, Security& security, Connections::Bounds bounds, Log log);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    Result<std::uint16_t> bind(const std::string& host, std::uint16_t port);
    /// Ends every connection; the port stays.
    std::optional<Error> reopen();
    /// What this node says of itself when it refuses by itself.
    void set_header(proto::Header header) { header_ = std::move(header); }
    void set_identity(const NodeId& self) { header_.incarnation = self.incarnation.value; }

    /// A message that cannot be put on the route emits RouteLost.
    void send_to(cluster::Route route, const proto::Message& message, const Emit& emit);
    std::size_t drain(const Emit& emit, std::size_t budget);
    /// Forgets routes that are long unused.
    void expire();
    [[nodiscard]] Connections& connections() { return connections_; }
    [[nodiscard]] zmq::socket_t& socket() { return router_; }

private:
    void refuse_version(const Parts& parts, const cluster::Sender& sender);

    zmq::context_t& context_;
    FrameCounts& counts_;
    Security& security_;
    zmq::socket_t router_;
    Connections connections_;
    std::string host_;
    std::uint16_t port_ = 0;
    RouteMap routes_;
    OtherMajors other_majors_;
    proto::Header header_;
    std::string buffer_;
};

/// What other nodes send to this one. Nothing is answered here: an answer goes
/// to the sender's own control socket.
class Control {
public:
    Control(zmq::context_t& context, FrameCounts& counts, Security& security, Connections::Bounds bounds);

    Result<std::uint16_t> bind(const std::string& host, std::uint16_t port);
    /// Ends every connection; the port stays.
    std::optional<Error> reopen();
    std::size_t drain(const Emit& emit, std::size_t budget);
    [[nodiscard]] Connections& connections() { return connections_; }
    [[nodiscard]] zmq::socket_t& socket() { return router_; }

private:
    zmq::context_t& context_;
    FrameCounts& counts_;
    Security& security_;
    zmq::socket_t router_;
    Connections connections_;
    std::string host_;
    std::uint16_t port_ = 0;
};

}  // namespace muster::node
