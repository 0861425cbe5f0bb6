#include "node/client/connection.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

namespace muster::client {
namespace {

constexpr std::int64_t kMaxFrame = 4 << 20;
constexpr int kGoodbyeMs = 200;
constexpr auto kCheckFor = std::chrono::milliseconds(1000);

void set_options(zmq::socket_t& socket, bool ipv6) {
    socket.set(zmq::sockopt::linger, 0);
    // Bounded by the session instead: 1024 requests, 64 MiB of data, heartbeats until the ttl.
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, 1000);
    socket.set(zmq::sockopt::maxmsgsize, kMaxFrame);
    socket.set(zmq::sockopt::handshake_ivl, 2000);
    socket.set(zmq::sockopt::connect_timeout, 2000);
    socket.set(zmq::sockopt::tcp_maxrt, 5000);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::ipv6, ipv6);
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList numeric_address(const std::string& address) {
    const auto colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) found = nullptr;
    return {found, &freeaddrinfo};
}

}  // namespace

bool Connection::open(const std::string& address) {
    close();
    try {
        socket_.emplace(context_, zmq::socket_type::dealer);
        set_options(*socket_, address.front() == '[');
        socket_->connect("tcp://" + address);
        return true;
    } catch (const zmq::error_t&) {
        socket_.reset();
        return false;
    }
}

void Connection::close() {
    socket_.reset();
}

void Connection::close_gently() {
    if (socket_) socket_->set(zmq::sockopt::linger, kGoodbyeMs);
    socket_.reset();
}

bool Connection::has_input() const {
    try {
        return socket_ && (socket_->get(zmq::sockopt::events) & ZMQ_POLLIN) != 0;
    } catch (const zmq::error_t&) {
        return true;  // interrupted: to be asked again
    }
}

bool Connection::send(const std::string& frame) {
    if (!socket_) return false;
    try {
        return socket_->send(zmq::buffer(frame), zmq::send_flags::dontwait).has_value();
    } catch (const zmq::error_t&) {
        return false;
    }
}

bool Connection::receive(zmq::message_t& frame) {
    if (!socket_) return false;
    try {
        return socket_->recv(frame, zmq::recv_flags::dontwait).has_value();
    } catch (const zmq::error_t&) {
        return false;
    }
}

bool PortCheck::start(const std::string& address, Instant now) {
    if (fd_ >= 0 && address == address_) return false;
    stop();
    const auto target = numeric_address(address);
    if (!target) return false;
    fd_ = ::socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    address_ = address;
    until_ = now + kCheckFor;
    const int result = ::connect(fd_, target->ai_addr, target->ai_addrlen);
    refused_ = result != 0 && errno == ECONNREFUSED;
    if (result == 0 || (errno != EINPROGRESS && !refused_)) stop();
    return fd_ >= 0;
}

void PortCheck::stop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    refused_ = false;
}

bool PortCheck::is_refused(Instant now) {
    if (fd_ < 0) return false;
    bool refused = refused_;
    pollfd poll{fd_, POLLOUT, 0};
    if (!refused && ::poll(&poll, 1, 0) == 0 && now < until_) return false;
    if (!refused && poll.revents != 0) {
        int error = 0;
        socklen_t size = sizeof error;
        refused = ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED;
    }
    stop();
    return refused;
}

}  // namespace muster::client
