// The few socket calls the node makes, with errors as values and never blocking.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <zmq.hpp>

namespace muster::node {

enum class Sent : std::uint8_t {
    yes,
    full,         // the queue to the peer is full, or there is no peer
    unreachable,  // a ROUTER knows no such routing id
};

/// One frame; `more` when another follows.
Sent send(zmq::socket_t& socket, std::string_view bytes, bool more = false);
/// False when there is nothing to receive now.
bool receive(zmq::socket_t& socket, zmq::message_t& frame);
/// Receives a message and keeps its last frame; the others are counted, so that a
/// message of a million parts costs no memory. Empty `parts` means: nothing there.
struct Parts {
    int count = 0;
    std::size_t bytes = 0;  // of all
    zmq::message_t first;
    zmq::message_t last;  // valid when count > 1
};
bool receive(zmq::socket_t& socket, Parts& parts);

inline std::string_view text_of(const zmq::message_t& frame) {
    return {static_cast<const char*>(frame.data()), frame.size()};
}

/// Options that hold for every socket of the node; to be set before bind or connect.
void set_common_options(zmq::socket_t& socket);

/// Binds to host:port, host being numeric; port 0 means any free one from 10000
/// to 32767, never the ephemeral range (there, a retried connect can reach itself).
/// Returns the port. Errors: unreachable (in use), bad_request (the host is not ours).
Result<std::uint16_t> bind_tcp(zmq::socket_t& socket, const std::string& host, std::uint16_t port);

/// Closes the socket that was bound there, and with it every connection, and binds `fresh` in its place: the port may
/// stay taken for some milliseconds, so it tries for up to two seconds. Errors: as bind_tcp.
std::optional<Error> rebind_tcp(zmq::socket_t& old, zmq::socket_t fresh, const std::string& host, std::uint16_t port);

/// "tcp://host:port" from "host:port".
inline std::string endpoint_of(const std::string& address) {
    return "tcp://" + address;
}
/// connect() that tells whether the address was one.
bool connect(zmq::socket_t& socket, const std::string& address);
/// Without effect when it was not connected.
void disconnect(zmq::socket_t& socket, const std::string& address);

}  // namespace muster::node
