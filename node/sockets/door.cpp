#include "node/sockets/door.hpp"

#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

// To a worker: its whole window of the stream (1024), sent at once after a resume, and as many answers
// with their parts. Less, and a worker with a backlog loses its connection again as soon as it is back.
constexpr int kWorkerQueue = 4096;
constexpr std::size_t kMaxRoutes = 100'000;
constexpr auto kRouteIdle = std::chrono::seconds(60);

}  // namespace

Door::Door(zmq::context_t& context, NodeCounters& counts, Security& security, Connections::Bounds bounds, Log log)
    : counts_(counts),
      security_(security),
      server_(
          context, [&context] { return make_router(context, kWorkerQueue); }, kAllRoles, security, bounds, counts,
          counts.connections.door),
      routes_(kMaxRoutes, kRouteIdle),
      other_majors_(counts, std::move(log)) {}

std::optional<Error> Door::reopen() {
    routes_.clear();
    return server_.reopen();
}

void Door::send_to(cluster::ConnectionId route, const proto::Message& message, const Emit& emit) {
    const ConnectionMap::Way* way = routes_.way_of(route, now());
    Sent sent = Sent::unreachable;
    if (way != nullptr) {
        buffer_.clear();
        proto::encode(message, buffer_);
        sent = send(server_.socket(), way->routing_id, true);
        if (sent == Sent::yes) sent = send(server_.socket(), buffer_);
        if (sent == Sent::yes) server_.connections().gave(way->descriptor, buffer_.size());
    }
    if (sent == Sent::yes) {
        counts_.sent();
        return;
    }
    counts_.unsent();
    // A full queue keeps its route: its reader is slow, and may still speak to us.
    if (sent == Sent::unreachable) routes_.forget(route);
    emit(cluster::ConnectionLost{route});
}

std::size_t Door::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    const auto at = now();
    for (; taken < budget && receive(server_.socket(), parts); ++taken) {
        counts_.received();
        const int descriptor = server_.connections().took(parts);
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
    if (send(server_.socket(), text_of(parts.first), true) == Sent::yes) send(server_.socket(), buffer_);
}

void Door::expire() {
    routes_.expire(now());
    counts_.routes_forgotten(routes_.take_evicted());
}

}  // namespace muster::node
