#include "node/sockets/door.hpp"

#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster::node {
namespace {

constexpr int kQueue = 1000;  // messages to or from one other side
// To a worker: its whole window of the stream (1024), sent at once after a resume, and as many answers
// with their parts. Less, and a worker with a backlog loses its connection again as soon as it is back.
constexpr int kWorkerQueue = 4096;
constexpr std::size_t kMaxRoutes = 100'000;
constexpr auto kRouteIdle = std::chrono::seconds(60);
// Somewhat more than a frame may have, so that what is too long is also counted. Who sends still more is cut off.
constexpr std::int64_t kLongestFrame = 2 * static_cast<std::int64_t>(limits::kFrame);

zmq::socket_t make_router(zmq::context_t& context, int send_queue) {
    zmq::socket_t socket(context, zmq::socket_type::router);
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, send_queue);
    socket.set(zmq::sockopt::rcvhwm, kQueue);
    socket.set(zmq::sockopt::maxmsgsize, kLongestFrame);
    socket.set(zmq::sockopt::router_mandatory, true);
    return socket;
}

}  // namespace

Door::Door(zmq::context_t& context, FrameCounts& counts, Security& security, Connections::Bounds bounds, Log log)
    : context_(context),
      counts_(counts),
      security_(security),
      router_(make_router(context, kWorkerQueue)),
      connections_(context, bounds, counts, counts.connections.door),
      routes_(kMaxRoutes, kRouteIdle),
      other_majors_(counts, std::move(log)) {}

Result<std::uint16_t> Door::bind(const std::string& host, std::uint16_t port) {
    security_.open_server(router_, kAllRoles);
    connections_.watch(router_);
    auto bound = bind_tcp(router_, host, port);
    if (bound) host_ = host, port_ = *bound;
    return bound;
}

std::optional<Error> Door::reopen() {
    auto fresh = make_router(context_, kWorkerQueue);
    security_.open_server(fresh, kAllRoles);
    connections_.watch(fresh);
    routes_.clear();
    return rebind_tcp(router_, std::move(fresh), host_, port_);
}

void Door::send_to(cluster::Route route, const proto::Message& message, const Emit& emit) {
    const RouteMap::Way* way = routes_.way_of(route, now());
    Sent sent = Sent::unreachable;
    if (way != nullptr) {
        buffer_.clear();
        proto::encode(message, buffer_);
        sent = send(router_, way->routing_id, true);
        if (sent == Sent::yes) sent = send(router_, buffer_);
        if (sent == Sent::yes) connections_.gave(way->descriptor, buffer_.size());
    }
    if (sent == Sent::yes) {
        counts_.sent();
        return;
    }
    counts_.unsent();
    // A full queue keeps its route: its reader is slow, and may still speak to us.
    if (sent == Sent::unreachable) routes_.forget(route);
    emit(cluster::RouteLost{route});
}

std::size_t Door::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    const auto at = now();
    for (; taken < budget && receive(router_, parts); ++taken) {
        counts_.received();
        const int descriptor = connections_.took(parts);
        if (parts.count != 2) {
            counts_.bad_parts();
            continue;
        }
        const auto sender = security_.sender_of(parts.last);
        if (!sender) continue;
        auto decoded = proto::decode(text_of(parts.last));
        if (decoded) {
            const auto route = routes_.route_of(text_of(parts.first), descriptor, at);
            emit(cluster::MessageArrived{cluster::Channel::door, route, {}, std::move(*decoded), *sender});
            continue;
        }
        counts_.bad(decoded.error());
        if (decoded.error() == proto::DecodeError::wrong_major) refuse_version(parts, *sender);
    }
    return taken;
}

void Door::refuse_version(const Parts& parts, const cluster::Sender& sender) {
    const std::string_view frame = text_of(parts.last);
    const char* address = ::zmq_msg_gets(parts.last.handle(), "Peer-Address");
    const std::string from = address == nullptr ? "somebody" : address;
    other_majors_.heard(sender.name.empty() ? from : sender.name + " at " + from, frame, now());
    buffer_.clear();
    proto::encode({header_, proto::Refuse{ErrorCode::wrong_version, "you speak " + major_and_ours(frame)}}, buffer_);
    if (send(router_, text_of(parts.first), true) == Sent::yes) send(router_, buffer_);
}

void Door::expire() {
    routes_.expire(now());
    counts_.routes_forgotten(routes_.take_evicted());
}

Control::Control(zmq::context_t& context, FrameCounts& counts, Security& security, Connections::Bounds bounds)
    : context_(context),
      counts_(counts),
      security_(security),
      router_(make_router(context, kQueue)),
      connections_(context, bounds, counts, counts.connections.control) {}

Result<std::uint16_t> Control::bind(const std::string& host, std::uint16_t port) {
    security_.open_server(router_, kNodesOnly);
    connections_.watch(router_);
    auto bound = bind_tcp(router_, host, port);
    if (bound) host_ = host, port_ = *bound;
    return bound;
}

std::optional<Error> Control::reopen() {
    auto fresh = make_router(context_, kQueue);
    security_.open_server(fresh, kNodesOnly);
    connections_.watch(fresh);
    return rebind_tcp(router_, std::move(fresh), host_, port_);
}

std::size_t Control::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    for (; taken < budget && receive(router_, parts); ++taken) {
        counts_.received();
        connections_.took(parts);
        if (parts.count != 2) {
            counts_.bad_parts();
            continue;
        }
        const auto sender = security_.sender_of(parts.last);
        if (!sender) continue;
        auto decoded = proto::decode(text_of(parts.last));
        if (decoded)
            emit(cluster::MessageArrived{cluster::Channel::control, {}, {}, std::move(*decoded), *sender});
        else
            counts_.bad(decoded.error());
    }
    return taken;
}

}  // namespace muster::node
