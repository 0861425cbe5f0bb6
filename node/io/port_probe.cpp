#include "node/io/port_probe.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "node/io/socket_address.hpp"

namespace muster::node {
namespace {

PortProbe::State state_of(int error) {
    switch (error) {
        case 0:
            return PortProbe::State::connected;
        case ECONNREFUSED:
            return PortProbe::State::refused;
        case ENETUNREACH:
        case EADDRNOTAVAIL:
        case EAFNOSUPPORT:
            return PortProbe::State::no_route;
        default:
            return PortProbe::State::failed;
    }
}

}  // namespace

PortProbe::PortProbe(const Address& to) {
    const auto address = socket_address(to);
    if (!address) return;
    fd_ = ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
        state_ = state_of(errno);
    } else {
        const int error = ::connect(fd_, address->get(), address->size) == 0 ? 0 : errno;
        state_ = error == EINPROGRESS ? State::connecting : state_of(error);
        if (state_ == State::no_route || state_ == State::failed) ::close(std::exchange(fd_, -1));
    }
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
    return state_ = ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? state_of(error) : State::failed;
}

}  // namespace muster::node
