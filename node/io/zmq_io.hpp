// Socket calls that never block and return errors as values.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zmq.hpp>

#include "node/io/node_counters.hpp"
#include "node/io/poller.hpp"

namespace muster::node {

/// A new socket. Empty, and counted, if the system has no more descriptors, or libzmq no more sockets.
std::optional<Socket> open_socket(zmq::context_t& context, zmq::socket_type type, NodeCounters& counters);

enum class Sent : std::uint8_t {
    yes,
    full,         // the queue of that connection is full, or there is no connection
    unreachable,  // a ROUTER does not know that routing id
};

/// Sends one frame. `more`: another frame of the same message follows.
Sent send(zmq::socket_t& socket, std::string_view bytes, bool more = false);
inline Sent send(Socket& socket, std::string_view bytes, bool more = false) {
    socket.may_have_input = true;
    return send(static_cast<zmq::socket_t&>(socket), bytes, more);
}
/// Receives one frame. False if there is none at the moment.
bool receive(zmq::socket_t& socket, zmq::message_t& frame);

/// A received message. Only the first and the last frame are kept and the others are counted, so that a message of a
/// million frames takes no memory here.
struct Parts {
    int count = 0;
    std::size_t bytes = 0;  // of all frames
    zmq::message_t first;
    zmq::message_t last;  // valid if count > 1
};
/// Receives one message. False if there is none at the moment.
bool receive(Socket& socket, Parts& parts);

inline std::string_view text_of(const zmq::message_t& frame) {
    return {static_cast<const char*>(frame.data()), frame.size()};
}

/// Sets the options that all sockets of the node have in common. Must be called before bind or connect.
void set_common_options(zmq::socket_t& socket);

/// Binds to host:port and returns the port. `host` is numeric. Port 0 means any free port from 10000 to 32767, which is
/// below the ephemeral range: there, a socket that retries to connect to a dead local port can connect to itself.
/// Errors, which name the `option` that sets the port: unreachable (the port is in use, or the address is not one of
/// this host), bad_request (not permitted), overloaded (the system has no more descriptors).
Result<std::uint16_t> bind_tcp(Socket& socket, const std::string& host, std::uint16_t port, const std::string& option);

/// Closes `old` with all of its connections, and binds `fresh` to the same port in its place. Blocks for some
/// milliseconds, until libzmq has released the port, but for two seconds at most. Errors: as bind_tcp.
std::optional<Error> rebind_tcp(Socket& old, Socket fresh, const std::string& host, std::uint16_t port,
                                const std::string& option);

/// "tcp://host:port" from "host:port".
inline std::string endpoint_of(const std::string& address) {
    return "tcp://" + address;
}
/// Connects to "host:port". False if libzmq does not accept the address. Success does not mean that a peer is there.
bool connect(Socket& socket, const std::string& address);
/// Has no effect if the socket was not connected to this address.
void disconnect(Socket& socket, const std::string& address);

}  // namespace muster::node
