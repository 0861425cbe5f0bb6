#include "node/io/poller.hpp"

#include <ctime>

namespace muster::node {

bool Socket::has_input() {
    if (!may_have_input) return false;
    int events = 0;
    std::size_t size = sizeof events;
    // If a signal interrupts the question, there may be input.
    if (::zmq_getsockopt(handle(), ZMQ_EVENTS, &events, &size) == 0) may_have_input = (events & ZMQ_POLLIN) != 0;
    return may_have_input;
}

void Poller::clear() {
    fds_.clear();
    sockets_.clear();
}

void Poller::add(Socket& socket) {
    sockets_.push_back({&socket, fds_.size()});
    add(socket.fd(), POLLIN);
}

bool Poller::wait(std::chrono::nanoseconds timeout) {
    bool found = false;
    for (const auto& watched : sockets_) found = watched.socket->has_input() || found;
    if (found) timeout = timeout.zero();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec at_most{seconds.count(), (timeout - seconds).count()};
    const int ready = ::ppoll(fds_.data(), fds_.size(), &at_most, nullptr);
    for (auto& fd : fds_)
        if (ready <= 0) fd.revents = 0;
    for (const auto& watched : sockets_)
        if (fds_[watched.index].revents != 0) watched.socket->may_have_input = true;
    return found || ready != 0;
}

}  // namespace muster::node
