#include "node/admission/connections.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "node/io/signals_blocked.hpp"

namespace muster::node {
namespace {

constexpr int kEvents = ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
// Not ZMQ_EVENT_ACCEPT_FAILED: when descriptors run out, libzmq's thread would report it in a busy loop.
constexpr std::size_t kCheckedAtOnce = 1024;  // takes some milliseconds
constexpr std::size_t kFrameOverhead = 64;    // bytes on the wire, at most: the length and, with CURVE, nonce and box
// Parts of a port's connections: a sixteenth is kept free, and another one can be taken by those without a session.
constexpr std::size_t kRoom = 16;
constexpr std::size_t kNoSessions = 8;
constexpr auto kMostObserved = std::chrono::milliseconds(500);  // of one turn
constexpr auto kUnused = std::chrono::seconds(5);               // a session uses its connection ten times a second

/// The address of the other end, without its port; empty if it is gone.
std::string address_of(int descriptor) {
    sockaddr_storage other{};
    socklen_t size = sizeof other;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&other), &size) != 0) return {};
    if (other.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(other).sin_addr;
        return {reinterpret_cast<const char*>(&v4), sizeof v4};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(other).sin6_addr;
    return {reinterpret_cast<const char*>(&v6), sizeof v6};
}

/// Makes the kernel drop all packets for a listening socket, or deliver them again. Established connections are not
/// affected.
void drop_attempts(int listener, bool drop) {
    sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{1, drop_all};
    const int unused = 0;
    if (drop)
        ::setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    else
        ::setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
}

/// Accepts and closes what waits at a listening socket. The thread that calls it gets a table of descriptors of its
/// own, in which it closes all others: libzmq's thread would take each descriptor that becomes free in the common one
/// first.
void refuse(int listener) {
    if (::unshare(CLONE_FILES) != 0) return;
    const auto own = static_cast<unsigned>(listener);
    const auto closed = [](unsigned from, unsigned to) { return ::close_range(from, to, 0) == 0; };
    if ((own > 0 && !closed(0, own - 1)) || !closed(own + 1, std::numeric_limits<int>::max())) return;
    for (std::size_t i = 0; i < kCheckedAtOnce; ++i) {
        const int waiting = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (waiting < 0) return;
        ::close(waiting);
    }
}

}  // namespace

Connections::Connections(zmq::context_t& context, Bounds bounds, NodeCounters& counters, ConnectionCounts::Count& open)
    : context_(context), bounds_(bounds), counters_(counters), open_(open) {}

Connections::~Connections() {
    stop_monitoring();
}

void Connections::monitor(Socket& socket) {
    static constinit std::atomic<std::uint64_t> last = 0;
    stop_monitoring();
    const std::string endpoint = "inproc://connections-" + std::to_string(++last);
    monitor_ = Socket(context_, zmq::socket_type::pair);
    monitor_.set(zmq::sockopt::rcvhwm, 0);  // at a high-water mark, too, libzmq's I/O thread would block
    monitor_.set(zmq::sockopt::linger, 0);
    if (::zmq_socket_monitor(socket.handle(), endpoint.c_str(), kEvents) != 0) throw zmq::error_t();
    monitored_ = socket.handle();
    monitor_.connect(endpoint);
}

void Connections::stop_monitoring() {
    // Must come before the monitor socket is closed: libzmq's I/O thread would block on a monitor that nobody reads,
    // and with it every connection of the context.
    if (monitored_ != nullptr) ::zmq_socket_monitor(monitored_, nullptr, 0);
    monitored_ = nullptr;
    listener_ = -1;
    full_ = false;
    flows_.clear();
    ending_ = 0;
    held_ = 0;
}

void Connections::read_events() {
    Parts parts;
    while (receive(monitor_, parts)) {
        std::uint16_t event = 0;
        std::int32_t value = 0;
        if (parts.first.size() < sizeof event + sizeof value) continue;
        std::memcpy(&event, parts.first.data(), sizeof event);
        std::memcpy(&value, static_cast<const char*>(parts.first.data()) + sizeof event, sizeof value);
        handle(event, value);
    }
}

void Connections::drain() {
    if (monitored_ == nullptr) return;
    read_events();
    const auto now = Clock::now();
    observed_ += std::min<Clock::duration>(now - looked_, kMostObserved);
    looked_ = now;
    make_room();
    open_ = flows_.size();
    // Let clients in again only when there is some room, so that the filter does not change with every connection.
    const std::size_t most = bounds_.connections;
    const std::size_t staying = flows_.size() - ending_;
    const bool full = staying >= most;
    if (scarce_ || full || staying + most / kRoom <= most) hold_off(scarce_ || full);
}

void Connections::handle(std::uint16_t event, std::int32_t value) {
    switch (event) {
        case ZMQ_EVENT_LISTENING:
            listener_ = value;
            // So that neither libzmq's thread nor this one waits in accept() for a connection that the other has taken.
            ::fcntl(listener_, F_SETFL, ::fcntl(listener_, F_GETFL) | O_NONBLOCK);
            break;
        case ZMQ_EVENT_ACCEPTED:
            accepted(value);
            break;
        case ZMQ_EVENT_CONNECTED:
            begin(value);
            break;
        case ZMQ_EVENT_DISCONNECTED:
            if (const auto gone = flows_.find(value); gone != flows_.end()) {
                uncount(gone->second);
                flows_.erase(gone);
            }
            break;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            if (listener_ >= 0) ++counters_.connections.handshakes;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            if (listener_ >= 0) handshake_failed(event, value);
            break;
        default:
            break;
    }
}

void Connections::handshake_failed(std::uint16_t event, std::int32_t reason) {
    const bool has_reason = event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
    if (has_reason && reason == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH && counters_.has_keys())
        counters_.refused(Refusal::no_key);
    else if (has_reason && reason == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)
        counters_.refused(Refusal::other_server);
    else
        counters_.refused(Refusal::broken);
}

void Connections::accepted(int descriptor) {
    ++counters_.connections.accepted;
    Flow& flow = begin(descriptor);
    flow.address = address_of(descriptor);
    flow.opened = flow.idle_since = observed_;
}

Connections::Flow& Connections::begin(int descriptor) {
    Flow& flow = flows_[descriptor];
    uncount(flow);
    return flow = {};
}

void Connections::uncount(const Flow& flow) {
    ending_ -= flow.is_ending ? 1 : 0;
    held_ -= flow.held();
}

void Connections::used(int descriptor, bool for_good) {
    if (descriptor < 0) return;
    auto found = flows_.find(descriptor);
    if (found == flows_.end()) {
        read_events();  // it may have been accepted since drain()
        found = flows_.find(descriptor);
        if (found == flows_.end()) return;
    }
    auto& since = found->second.idle_since;
    since = std::max(since, for_good ? Clock::duration::max() : observed_);
}

bool Connections::is_idle(const Flow& flow) const {
    return listener_ >= 0 && !flow.is_ending &&
           (flow.idle_since == flow.opened || observed_ - std::min(flow.idle_since, observed_) > kUnused);
}

void Connections::make_room() {
    const std::size_t room = bounds_.connections / kRoom;
    if (listener_ < 0 || flows_.size() - ending_ + room <= bounds_.connections) return;
    std::size_t wanted = flows_.size() - ending_ + room - bounds_.connections;
    std::map<std::string_view, std::vector<std::pair<Clock::duration, int>>> idle;  // by address: opened, descriptor
    for (const auto& [descriptor, flow] : flows_)
        if (is_idle(flow)) idle[flow.address].emplace_back(flow.opened, descriptor);
    for (auto& [address, those] : idle) std::sort(those.begin(), those.end(), std::greater{});  // the oldest is last
    for (; wanted > 0; --wanted) {
        const auto most = std::max_element(
            idle.begin(), idle.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
        if (most == idle.end() || most->second.empty()) return;
        const int descriptor = most->second.back().second;
        most->second.pop_back();
        ++counters_.connections.displaced;
        end(descriptor, flows_.at(descriptor));
    }
}

void Connections::end(int descriptor, Flow& flow) {
    flow.is_ending = true;
    ++ending_;
    ::shutdown(descriptor, SHUT_RDWR);
}

void Connections::hold_off(bool full) {
    if (full == full_ || listener_ < 0) return;
    full_ = full;
    if (full) ++counters_.connections.held_off;
    drop_attempts(listener_, full);
}

void Connections::refuse_waiting() const {
    pollfd waiting{listener_, POLLIN, 0};
    if (listener_ < 0 || ::poll(&waiting, 1, 0) <= 0) return;
    try {
        const SignalsBlocked blocked;
        std::thread([this] { refuse(listener_); }).join();
    } catch (const std::system_error&) {
        return;  // no thread: tried again at the next check
    }
}

int Connections::received(Parts& parts) {
    // The first part of a ROUTER's message is the routing id, which libzmq adds and which has no descriptor.
    zmq::message_t& named = parts.count > 1 ? parts.last : parts.first;
    const int descriptor = ::zmq_msg_get(named.handle(), ZMQ_SRCFD);
    if (const auto found = flows_.find(descriptor); found != flows_.end())
        found->second.received += parts.bytes + static_cast<std::size_t>(parts.count) * kFrameOverhead;
    return descriptor;
}

void Connections::sent(int descriptor, std::size_t bytes) {
    if (const auto found = flows_.find(descriptor); found != flows_.end()) found->second.sent += bytes;
}

void Connections::check() {
    auto at = flows_.upper_bound(checked_);
    for (std::size_t i = 0; i < kCheckedAtOnce && at != flows_.end(); ++i, ++at) {
        check(at->first, at->second);
        checked_ = at->first;
    }
    if (at == flows_.end()) checked_ = -1;
    if (held_ > bounds_.all_bytes) close_fullest();
}

void Connections::check(int descriptor, Flow& flow) {
    if (is_idle(flow) && observed_ - flow.idle_since > bounds_.idle) {
        ++counters_.connections.idle;
        return end(descriptor, flow);
    }
    tcp_info kernel{};
    socklen_t size = sizeof kernel;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &kernel, &size) != 0) return;
    // The overhead counted per frame is a little too high, and that of encryption is not counted. Corrected here, so
    // that the difference does not add up.
    flow.received = std::min<std::uint64_t>(flow.received, kernel.tcpi_bytes_received);
    flow.sent = std::max<std::uint64_t>(flow.sent, kernel.tcpi_bytes_acked);
    held_ -= flow.held();
    flow.held_in = kernel.tcpi_bytes_received - flow.received;
    flow.held_out = flow.sent - kernel.tcpi_bytes_acked;
    held_ += flow.held();
    if (!flow.is_ending && std::max(flow.held_in, flow.held_out) > bounds_.bytes) close_overfull(descriptor, flow);
}

void Connections::close_overfull(int descriptor, Flow& flow) {
    ++(flow.held_in > flow.held_out ? counters_.connections.overfull_in : counters_.connections.overfull_out);
    end(descriptor, flow);
}

void Connections::close_fullest() {
    std::map<std::string_view, std::uint64_t> by_address;
    std::uint64_t staying = 0;
    for (const auto& [descriptor, flow] : flows_) {
        if (flow.is_ending) continue;
        by_address[flow.address] += flow.held();
        staying += flow.held();
    }
    struct Candidate {
        std::uint64_t of_address;
        std::uint64_t held;
        int descriptor;
        auto operator<=>(const Candidate&) const = default;
    };
    std::vector<Candidate> fullest;
    for (const auto& [descriptor, flow] : flows_)
        if (!flow.is_ending && flow.held() > 0) fullest.push_back({by_address[flow.address], flow.held(), descriptor});
    std::sort(fullest.begin(), fullest.end(), std::greater{});
    for (const auto& [of_address, held, descriptor] : fullest) {
        if (staying <= bounds_.all_bytes) return;
        staying -= held;
        close_overfull(descriptor, flows_.at(descriptor));
    }
}

std::size_t most_sessions(std::size_t door_connections) {
    return door_connections - door_connections / kNoSessions;
}

ConnectionShares share_descriptors(std::size_t most) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {most, most};
    const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
    return {std::min(most, descriptors / 2), std::min(most, descriptors / 8)};
}

}  // namespace muster::node
