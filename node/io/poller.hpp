// ZeroMQ sockets that are asked for input only when they may have some, and the wait for them.
#pragma once

#include <poll.h>

#include <chrono>
#include <vector>

#include <zmq.hpp>

namespace muster::node {

/// A socket that knows whether it may have something to receive. To ask libzmq takes two system calls, and a turn of
/// the loop asks ten sockets, most of them in vain: that was half of what a notification cost.
///
/// The descriptor of a ZeroMQ socket signals edges: it is readable from when a command arrives for the socket until a
/// call processes it. Calls that send, receive, connect or bind do that, so the functions of zmq_io.hpp set
/// `may_have_input`. Nothing is missed: a command that no call has processed keeps the descriptor readable.
class Socket : public zmq::socket_t {
public:
    using zmq::socket_t::socket_t;
    Socket() = default;

    /// False: until its descriptor is readable or it is used again, there is nothing.
    bool may_have_input = true;
    /// Asks libzmq, if it has to be asked.
    bool has_input();
    [[nodiscard]] int fd() const { return get(zmq::sockopt::fd); }
};

/// Waits for sockets and descriptors.
class Poller {
public:
    void clear();
    /// `events`: as for poll(2).
    void add(int fd, short events) { fds_.push_back({fd, events, 0}); }
    /// It must be there until `clear`.
    void add(Socket& socket);
    /// Waits until a socket may have something to receive, a descriptor is ready, or the time is over. A signal counts
    /// as well. Returns whether it ended before the time.
    bool wait(std::chrono::nanoseconds timeout);
    /// Whether the descriptor that was added as the first one is ready.
    [[nodiscard]] bool is_first_ready() const { return fds_.front().revents != 0; }

private:
    struct Watched {
        Socket* socket = nullptr;
        std::size_t index = 0;  // of its descriptor in fds_
    };
    std::vector<pollfd> fds_;
    std::vector<Watched> sockets_;
};

}  // namespace muster::node
