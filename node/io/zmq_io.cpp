#include "node/io/zmq_io.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <random>
#include <thread>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/shortage.hpp"

namespace muster::node {
namespace {

constexpr std::uint16_t kFirstFreePort = 10000;
constexpr std::uint16_t kFreePorts = 32767 - kFirstFreePort + 1;
constexpr std::size_t kToBind = 4;  // descriptors: libzmq needs 2, and aborts if it cannot list the interfaces
constexpr int kBacklog = 1024;      // connections that wait for accept(); a further one is retried after a second

/// Sets ZMQ_IPV6 for IPv6 addresses only: with it, libzmq does not look names up as IPv4 any more.
void allow_ipv6(zmq::socket_t& socket, const std::string& address) {
    socket.set(zmq::sockopt::ipv6, address.starts_with('['));
}

/// Returns 0 or the error number.
int try_bind(Socket& socket, const std::string& host, std::uint16_t port) {
    socket.may_have_input = true;
    if (const int error = why_no_descriptors(kToBind)) return error;
    allow_ipv6(socket, with_port(host, port));
    if (::zmq_bind(socket.handle(), endpoint_of(with_port(host, port)).c_str()) == 0) return 0;
    return ::zmq_errno();
}

Error bind_error(const std::string& host, std::uint16_t port, const std::string& option, int error) {
    const std::string what = "cannot listen on " + with_port(host, port) + ": ";
    if (error == EADDRINUSE)
        return {ErrorCode::unreachable,
                what + "address already in use: choose another " + option + " or stop what uses it"};
    if (error == EACCES)
        return {ErrorCode::bad_request, what + "permission denied: choose a port above 1023 for " + option};
    // It may get the address later: from DHCP, as a floating address, or when its network is up.
    if (error == EADDRNOTAVAIL || error == ENODEV)
        return {ErrorCode::unreachable,
                what + "this host has no such address now: wait for it, or set --listen to one of its own addresses"};
    if (is_shortage(error)) return shortage_error("cannot listen on " + with_port(host, port), error);
    return {ErrorCode::unreachable, what + ::zmq_strerror(error) + ": choose another " + option};
}

}  // namespace

std::optional<Socket> open_socket(zmq::context_t& context, zmq::socket_type type, NodeCounters& counters) {
    try {
        return Socket(context, type);
    } catch (const zmq::error_t& refused) {
        counters.resource_refused(refused.num());
        return std::nullopt;
    }
}

Sent send(zmq::socket_t& socket, std::string_view bytes, bool more) {
    const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
    for (;;) {
        if (::zmq_send(socket.handle(), bytes.data(), bytes.size(), flags) >= 0) return Sent::yes;
        const int error = ::zmq_errno();
        if (error == EINTR) continue;
        return error == EAGAIN ? Sent::full : Sent::unreachable;
    }
}

bool receive(zmq::socket_t& socket, zmq::message_t& frame) {
    for (;;) {
        if (::zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0) return true;
        if (::zmq_errno() != EINTR) return false;
    }
}

bool receive(Socket& socket, Parts& parts) {
    parts.count = 0;
    if (!socket.may_have_input) return false;
    socket.may_have_input = receive(socket, parts.first);
    if (!socket.may_have_input) return false;
    parts.count = 1;
    parts.bytes = parts.first.size();
    // libzmq delivers a message only when all of its parts have arrived, so the loop does not end early.
    for (bool more = parts.first.more(); more && receive(socket, parts.last); more = parts.last.more()) {
        ++parts.count;
        parts.bytes += parts.last.size();
    }
    return true;
}

void set_common_options(zmq::socket_t& socket) {
    constexpr int kMilliseconds = 2000;
    socket.set(zmq::sockopt::handshake_ivl, kMilliseconds);
    socket.set(zmq::sockopt::connect_timeout, kMilliseconds);
    socket.set(zmq::sockopt::tcp_maxrt, 5000);
    // tcp_maxrt closes a connection when sent data is not acknowledged. An end that only receives needs keepalive:
    // otherwise it would keep the connection and its descriptor for ever when the other host vanishes. With these
    // values (in seconds) it takes 8 s.
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, 5);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, 1);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    socket.set(zmq::sockopt::reconnect_ivl, 100);
    socket.set(zmq::sockopt::reconnect_ivl_max, 2000);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::backlog, kBacklog);
}

Result<std::uint16_t> bind_tcp(Socket& socket, const std::string& host, std::uint16_t port, const std::string& option) {
    if (port != 0) {
        const int error = try_bind(socket, host, port);
        if (error != 0) return bind_error(host, port, option, error);
        return port;
    }
    std::random_device random;
    const auto start = static_cast<std::uint16_t>(random() % kFreePorts);
    int error = EADDRINUSE;
    for (std::uint16_t i = 0; i < kFreePorts; ++i) {
        port = static_cast<std::uint16_t>(kFirstFreePort + (start + i) % kFreePorts);
        error = try_bind(socket, host, port);
        if (error == 0) return port;
        if (error != EADDRINUSE) break;
    }
    return bind_error(host, port, option, error);
}

std::optional<Error> rebind_tcp(Socket& old, Socket fresh, const std::string& host, std::uint16_t port,
                                const std::string& option) {
    ::zmq_unbind(old.handle(), endpoint_of(with_port(host, port)).c_str());
    old.close();
    old = std::move(fresh);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    int error = try_bind(old, host, port);
    while ((error == EADDRINUSE || is_shortage(error)) && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        error = try_bind(old, host, port);
    }
    if (error != 0) return bind_error(host, port, option, error);
    return std::nullopt;
}

bool connect(Socket& socket, const std::string& address) {
    socket.may_have_input = true;
    allow_ipv6(socket, address);
    return ::zmq_connect(socket.handle(), endpoint_of(address).c_str()) == 0;
}

void disconnect(Socket& socket, const std::string& address) {
    socket.may_have_input = true;
    ::zmq_disconnect(socket.handle(), endpoint_of(address).c_str());
}

}  // namespace muster::node
