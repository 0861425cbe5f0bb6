// A socket that peers and workers connect to.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <zmq.hpp>

#include "node/admission/connections.hpp"
#include "node/admission/security.hpp"

namespace muster::node {

/// A bound socket. Its connections are counted and bounded (Connections) and, with keys, authenticated (Security).
class ServerSocket {
public:
    /// Makes a socket of the wanted type and sets its options. Called once in the constructor and by each reopen().
    using Make = std::function<Socket()>;

    /// `domain`: kNodesOnly or kAllRoles. `open`: the number of open connections is written there.
    ServerSocket(zmq::context_t& context, Make make, const char* domain, Security& security, Connections::Bounds bounds,
                 NodeCounters& counters, ConnectionCounts::Count& open)
        : make_(std::move(make)),
          domain_(domain),
          security_(security),
          socket_(make_()),
          connections_(context, bounds, counters, open) {}

    /// Binds to host:port and returns the port. Parameters and errors: as bind_tcp().
    Result<std::uint16_t> bind(const std::string& host, std::uint16_t port, const std::string& option);
    /// Closes every connection; libzmq cannot close a single one. The port stays the same. Errors: as bind_tcp(). After
    /// `overloaded` it can be called again.
    std::optional<Error> reopen();

    [[nodiscard]] Socket& socket() { return socket_; }
    [[nodiscard]] Connections& connections() { return connections_; }
    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }

private:
    void prepare(Socket& socket);

    const Make make_;
    const char* const domain_;
    Security& security_;
    Socket socket_;
    Connections connections_;  // destroyed before the socket that it monitors
    std::string host_;
    std::uint16_t port_ = 0;
    std::string option_;
};

/// A ROUTER. `send_queue`: messages that may wait for one connection.
Socket make_router(zmq::context_t& context, int send_queue);

}  // namespace muster::node
