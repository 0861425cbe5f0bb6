#include "node/sockets/door.hpp"

#include "node/io/address.hpp"
#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

// Messages that wait for one worker: the whole window of its stream (1024), which is sent at once after a resume, and
// as many replies. With less, a worker that has a backlog would lose its connection again as soon as it is back.
constexpr int kToOneWorker = 4096;
constexpr std::size_t kMaxConnections = 100'000;
constexpr auto kSilentFor = std::chrono::seconds(60);

/// The address of the other end of a message's connection; empty if it is not known any more.
std::string address_of(const zmq::message_t& frame) {
    const char* address = ::zmq_msg_gets(frame.handle(), "Peer-Address");
    if (address == nullptr) return {};
    constexpr std::string_view mapped = "::ffff:";  // an IPv4 address at a socket for both families
    const std::string_view text = address;
    return std::string(text.starts_with(mapped) ? text.substr(mapped.size()) : text);
}

/// Whether the message shows that the connection has a session: anybody gets an answer to a hello.
bool is_for_session(const proto::Message& message) {
    return !std::holds_alternative<proto::Refuse>(message.body) &&
           !std::holds_alternative<proto::Welcome>(message.body);
}

}  // namespace

Door::Door(zmq::context_t& context, NodeCounters& counters, Security& security, Connections::Bounds bounds, Log log)
    : counters_(counters),
      security_(security),
      server_(
          context, [&context] { return make_router(context, kToOneWorker); }, kAllRoles, security, bounds, counters,
          counters.connections.door),
      connections_(kMaxConnections, kSilentFor),
      other_majors_(counters, std::move(log)) {}

std::optional<Error> Door::reopen() {
    connections_.clear();
    return server_.reopen();
}

void Door::send_to(cluster::ConnectionId connection, const proto::Message& message, const Emit& emit) {
    const ConnectionMap::Connection* to = connections_.find(connection, now());
    Sent sent = Sent::unreachable;
    if (to != nullptr) {
        buffer_.clear();
        proto::encode(message, buffer_);
        sent = send(server_.socket(), to->routing_id, true);
        if (sent == Sent::yes) sent = send(server_.socket(), buffer_);
        if (sent == Sent::yes) server_.connections().sent(to->descriptor, buffer_.size());
        if (sent == Sent::yes && is_for_session(message)) server_.connections().used(to->descriptor, false);
    }
    if (sent == Sent::yes) {
        counters_.sent();
        return;
    }
    counters_.unsent();
    // With a full queue, the connection keeps its id: its worker is slow, but may still send to this node.
    if (sent == Sent::unreachable) connections_.forget(connection);
    emit(cluster::ConnectionLost{connection});
}

void Door::drain(const Emit& emit, ReceiveBudget budget) {
    Parts parts;
    const auto time = now();
    while (!budget.is_spent() && receive(server_.socket(), parts)) {
        budget.spend(parts.bytes);
        counters_.received();
        const int descriptor = server_.connections().received(parts);
        if (parts.count != 2) {
            counters_.bad_parts();
            continue;
        }
        const auto sender = security_.sender_of(parts.last);
        if (!sender) continue;
        auto decoded = proto::decode(text_of(parts.last));
        if (decoded) {
            const auto connection = connections_.id_of(text_of(parts.first), descriptor, time);
            cluster::MessageArrived arrived{cluster::Channel::door, connection, {}, std::move(*decoded), *sender};
            if (proto::administers(arrived.message.body)) arrived.address = address_of(parts.last);
            arrived.is_local = is_loopback(arrived.address);
            emit(std::move(arrived));
            continue;
        }
        counters_.bad(decoded.error());
        if (decoded.error() == proto::DecodeError::wrong_major) refuse_version(parts, *sender);
    }
}

/// PROTOCOL.md, section 3. Answered here, because the core sees decoded messages only.
void Door::refuse_version(const Parts& parts, const cluster::Sender& sender) {
    const std::string_view frame = text_of(parts.last);
    const auto address = address_of(parts.last);
    const std::string from = address.empty() ? "somebody" : address;
    other_majors_.warn(sender.name.empty() ? from : sender.name + " at " + from, frame, now());
    buffer_.clear();
    proto::encode({header_, proto::Refuse{ErrorCode::wrong_version, "you speak " + major_and_ours(frame)}}, buffer_);
    if (send(server_.socket(), text_of(parts.first), true) == Sent::yes) send(server_.socket(), buffer_);
}

void Door::expire() {
    connections_.expire(now());
    counters_.connections_forgotten(connections_.take_evicted());
}

}  // namespace muster::node
