#include "tests/bench/peers/nats_connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace muster::bench {
namespace {

constexpr std::string_view kEnd = "\r\n";

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

NatsConnection::NatsConnection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("nats-server");
    send("CONNECT {\"verbose\":false,\"pedantic\":false}\r\n");
}

NatsConnection::~NatsConnection() {
    close(fd_);
}

void NatsConnection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) fail("send to nats-server");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

void NatsConnection::subscribe(std::string_view subject) {
    pong_ = false;
    send("SUB " + std::string(subject) + " 1\r\nPING\r\n");
    while (!pong_) {
        pollfd ready{fd_, POLLIN, 0};
        if (poll(&ready, 1, 10000) == 0) throw std::runtime_error("nats-server does not answer");
        receive();
    }
}

std::uint64_t NatsConnection::receive() {
    std::array<char, 65536> bytes;
    const ssize_t got = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got == 0) throw std::runtime_error("nats-server has closed the connection");
    if (got < 0) return 0;
    arrived_.append(bytes.data(), static_cast<std::size_t>(got));
    std::uint64_t messages = 0;
    std::size_t at = 0;
    while (take_one(at, messages)) {
    }
    arrived_.erase(0, at);
    return messages;
}

bool NatsConnection::take_one(std::size_t& at, std::uint64_t& messages) {
    const auto end = arrived_.find(kEnd, at);
    if (end == std::string::npos) return false;
    const std::string_view line(arrived_.data() + at, end - at);
    std::size_t next = end + kEnd.size();
    if (line.starts_with("MSG ")) {
        std::size_t size = 0;
        std::from_chars(line.data() + line.rfind(' ') + 1, line.data() + line.size(), size);
        next += size + kEnd.size();
        if (arrived_.size() < next) return false;
        ++messages;
    } else if (line == "PING") {
        send("PONG\r\n");
    } else if (line == "PONG") {
        pong_ = true;
    } else if (line.starts_with("-ERR")) {
        throw std::runtime_error(std::string(line));
    }
    at = next;
    return true;
}

}  // namespace muster::bench
