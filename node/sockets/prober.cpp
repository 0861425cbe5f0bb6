#include "node/sockets/prober.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"

namespace muster::node {
namespace {

constexpr auto kPatience = std::chrono::seconds(1);

/// A connect under way: its descriptor, or -1 with the error.
int begin_connect(const Address& to, int& error) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // so that it never asks a name service
    addrinfo* found = nullptr;
    error = EINVAL;
    if (::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) return -1;
    int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    error = errno;
    if (fd >= 0) {
        error = ::connect(fd, found->ai_addr, found->ai_addrlen) == 0 ? 0 : errno;
        if (error != 0 && error != EINPROGRESS) {
            ::close(fd);
            fd = -1;
        }
    }
    ::freeaddrinfo(found);
    return fd;
}

}  // namespace

Prober::~Prober() {
    for (const Probe& probe : probes_) ::close(probe.fd);
}

void Prober::check(const NodeId& peer, const std::string& address, const Emit& emit) {
    const auto parsed = parse_address(address);
    if (!parsed || probes_.size() + waiting_.size() >= kMaxProbes) return;
    if (is_numeric(parsed->host)) return start(peer, address, emit);
    if (resolver_.ask(address)) waiting_.emplace(address, peer);
}

void Prober::resolved(const Resolver::Found& found, const Emit& emit) {
    const auto [first, last] = waiting_.equal_range(found.address);
    // A name with several addresses does not tell which one the process had.
    if (found.numeric.size() == 1)
        for (auto one = first; one != last; ++one) start(one->second, found.numeric.front(), emit);
    waiting_.erase(first, last);
}

void Prober::start(const NodeId& peer, const std::string& numeric, const Emit& emit) {
    const auto address = parse_address(numeric);
    if (!address) return;
    int error = 0;
    const int fd = begin_connect(*address, error);
    if (fd >= 0)
        probes_.push_back({fd, peer, now() + kPatience});
    else if (error == ECONNREFUSED)
        emit(cluster::ProcessGone{peer});
}

void Prober::add_to(std::vector<zmq::pollitem_t>& items) const {
    for (const Probe& probe : probes_) items.push_back({nullptr, probe.fd, ZMQ_POLLOUT, 0});
}

void Prober::drain(const Emit& emit) {
    const auto at = now();
    std::erase_if(probes_, [&](const Probe& probe) {
        pollfd item{probe.fd, POLLOUT, 0};
        const bool done = ::poll(&item, 1, 0) == 1;
        if (!done && at < probe.deadline) return false;
        int error = 0;
        socklen_t size = sizeof error;
        if (done && ::getsockopt(probe.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED)
            emit(cluster::ProcessGone{probe.peer});
        ::close(probe.fd);
        return true;
    });
}

}  // namespace muster::node
