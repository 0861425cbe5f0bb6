#include "node/io/port_probe.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace muster::node {

PortProbe::PortProbe(const Address& to) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // never asks a name service, which could block
    addrinfo* found = nullptr;
    if (::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) return;
    fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ >= 0) {
        const int error = ::connect(fd_, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
        if (error == EINPROGRESS)
            state_ = State::connecting;
        else if (error == ECONNREFUSED)
            state_ = State::refused;
        else
            ::close(std::exchange(fd_, -1));
    }
    ::freeaddrinfo(found);
}

PortProbe::~PortProbe() {
    if (fd_ >= 0) ::close(fd_);
}

PortProbe::PortProbe(PortProbe&& other) noexcept : fd_(std::exchange(other.fd_, -1)), state_(other.state_) {}

PortProbe& PortProbe::operator=(PortProbe&& other) noexcept {
    std::swap(fd_, other.fd_);
    state_ = other.state_;
    return *this;
}

PortProbe::State PortProbe::state() {
    if (state_ != State::connecting) return state_;
    pollfd item{fd_, POLLOUT, 0};
    if (::poll(&item, 1, 0) == 0) return state_;
    // Reading SO_ERROR clears it, so the result is kept.
    int error = 0;
    socklen_t size = sizeof error;
    const bool refused = ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED;
    return state_ = refused ? State::refused : State::inconclusive;
}

}  // namespace muster::node
