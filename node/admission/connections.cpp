#include "node/admission/connections.hpp"

#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

namespace muster::node {
namespace {

constexpr int kEvents = ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
// A failing accept() is left out: where descriptors run out, libzmq's thread would tell it without end.
constexpr std::size_t kCheckedAtOnce = 1024;  // some milliseconds
constexpr std::size_t kFrameOverhead = 64;    // on the wire, at most: its length, and under CURVE nonce and box

/// Makes the kernel drop what comes for a listening socket, or no more. Connections that stand are not concerned.
void drop_attempts(int listener, bool drop) {
    sock_filter nothing_passes[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{1, nothing_passes};
    const int unused = 0;
    if (drop)
        ::setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    else
        ::setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

}  // namespace

Connections::Connections(zmq::context_t& context, Bounds bounds, NodeCounters& counts, ConnectionCounts::Count& size)
    : context_(context), bounds_(bounds), counts_(counts), size_(size) {}

Connections::~Connections() {
    unwatch();
}

void Connections::watch(zmq::socket_t& socket) {
    static constinit std::atomic<std::uint64_t> last = 0;
    unwatch();
    const std::string endpoint = "inproc://connections-" + std::to_string(++last);
    monitor_ = zmq::socket_t(context_, zmq::socket_type::pair);
    monitor_.set(zmq::sockopt::rcvhwm, 0);
    monitor_.set(zmq::sockopt::linger, 0);
    if (::zmq_socket_monitor(socket.handle(), endpoint.c_str(), kEvents) != 0) throw zmq::error_t();
    watched_ = socket.handle();
    monitor_.connect(endpoint);
}

void Connections::unwatch() {
    // First the one who writes: while nobody reads, it would wait.
    if (watched_ != nullptr) ::zmq_socket_monitor(watched_, nullptr, 0);
    watched_ = nullptr;
    listener_ = -1;
    full_ = false;
    open_.clear();
}

void Connections::drain() {
    if (watched_ == nullptr) return;
    Parts parts;
    while (receive(monitor_, parts)) {
        std::uint16_t event = 0;
        std::int32_t value = 0;
        if (parts.first.size() < sizeof event + sizeof value) continue;
        std::memcpy(&event, parts.first.data(), sizeof event);
        std::memcpy(&value, static_cast<const char*>(parts.first.data()) + sizeof event, sizeof value);
        take(event, value);
    }
    size_ = open_.size();
    // A little room first, or the two would alternate with every connection.
    const std::size_t most = bounds_.connections;
    if (open_.size() >= most || open_.size() + most / 8 < most) hold_off(open_.size() >= most);
}

void Connections::take(std::uint16_t event, std::int32_t value) {
    switch (event) {
        case ZMQ_EVENT_LISTENING:
            listener_ = value;
            break;
        case ZMQ_EVENT_ACCEPTED:
            ++counts_.connections.accepted;
            open_[value] = {};
            break;
        case ZMQ_EVENT_CONNECTED:
            open_[value] = {};
            break;
        case ZMQ_EVENT_DISCONNECTED:
            open_.erase(value);
            break;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            if (listener_ >= 0) ++counts_.connections.shaken;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            if (listener_ >= 0) failed(event, value);
            break;
        default:
            break;
    }
}

void Connections::failed(std::uint16_t event, std::int32_t why) {
    const bool tells = event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    if (tells && why == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH && counts_.has_keys())
        counts_.refused(Refusal::no_key);
    else if (tells && why == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        counts_.refused(Refusal::other_server);
    else
        counts_.refused(Refusal::broken);
}

void Connections::hold_off(bool full) {
    if (full == full_ || listener_ < 0) return;
    full_ = full;
    if (full) ++counts_.connections.held_off;
    drop_attempts(listener_, full);
}

int Connections::took(Parts& parts) {
    zmq::message_t& named = parts.count > 1 ? parts.last : parts.first;  // a ROUTER's first part is of libzmq's own
    const int descriptor = ::zmq_msg_get(named.handle(), ZMQ_SRCFD);
    if (const auto found = open_.find(descriptor); found != open_.end())
        found->second.taken += parts.bytes + static_cast<std::size_t>(parts.count) * kFrameOverhead;
    return descriptor;
}

void Connections::gave(int descriptor, std::size_t bytes) {
    if (const auto found = open_.find(descriptor); found != open_.end()) found->second.given += bytes;
}

void Connections::check() {
    auto at = open_.upper_bound(checked_);
    for (std::size_t i = 0; i < kCheckedAtOnce && at != open_.end(); ++i, ++at) {
        check(at->first, at->second);
        checked_ = at->first;
    }
    if (at == open_.end()) checked_ = -1;
}

void Connections::check(int descriptor, Flow& flow) {
    tcp_info passed{};
    socklen_t size = sizeof passed;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &passed, &size) != 0) return;
    // What is counted per frame is a little too much, and what encryption adds is not: nobody shall save that up.
    flow.taken = std::min<std::uint64_t>(flow.taken, passed.tcpi_bytes_received);
    flow.given = std::max<std::uint64_t>(flow.given, passed.tcpi_bytes_acked);
    const bool in = passed.tcpi_bytes_received - flow.taken > bounds_.bytes;
    const bool out = flow.given - passed.tcpi_bytes_acked > bounds_.bytes;
    if (!in && !out) return;
    ++(in ? counts_.connections.overfull_in : counts_.connections.overfull_out);
    flow = {passed.tcpi_bytes_received, passed.tcpi_bytes_acked};  // counted once
    ::shutdown(descriptor, SHUT_RDWR);
}

ConnectionShares share_descriptors(std::size_t most) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {most, most};
    const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
    return {std::min(most, descriptors / 2), std::min(most, descriptors / 8)};
}

}  // namespace muster::node
