#include "node/sockets/server_socket.hpp"

#include <utility>

#include "node/io/address.hpp"
#include "node/io/shortage.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/limits.hpp"

namespace muster::node {
namespace {

constexpr int kOfOneConnection = 1000;  // messages of one connection
// Twice the longest valid frame, so that a frame that is somewhat too long is received and counted. A longer one makes
// libzmq close the connection.
constexpr std::int64_t kLongestFrame = 2 * static_cast<std::int64_t>(limits::kFrame);

}  // namespace

Socket make_router(zmq::context_t& context, int send_queue) {
    Socket socket(context, zmq::socket_type::router);
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, send_queue);
    socket.set(zmq::sockopt::rcvhwm, kOfOneConnection);
    socket.set(zmq::sockopt::maxmsgsize, kLongestFrame);
    socket.set(zmq::sockopt::router_mandatory, true);
    return socket;
}

void ServerSocket::prepare(Socket& socket) {
    security_.prepare_server(socket, domain_);
    connections_.monitor(socket);
}

Result<std::uint16_t> ServerSocket::bind(const std::string& host, std::uint16_t port, const std::string& option) {
    prepare(socket_);
    auto bound = bind_tcp(socket_, host, port, option);
    if (!bound) return bound;
    option_ = option;
    host_ = host;
    port_ = *bound;
    return bound;
}

std::optional<Error> ServerSocket::reopen() {
    try {
        auto fresh = make_();
        prepare(fresh);  // moves the monitor to it before rebind_tcp() closes the old socket
        return rebind_tcp(socket_, std::move(fresh), host_, port_, option_);
    } catch (const zmq::error_t& refused) {
        return shortage_error("cannot listen again on " + with_port(host_, port_), refused.num());
    }
}

}  // namespace muster::node
