#include "node/sockets/door.hpp"

#include <utility>

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
    outgoing_.clear();
    to_send_.clear();
    return server_.reopen();
}

void Door::send_to(cluster::ConnectionId connection, const proto::Message& message, const Emit& emit) {
    const ConnectionMap::Connection* to = connections_.find(connection, now());
    if (to == nullptr) return unsent(connection, Sent::unreachable, emit);
    if (is_for_session(message)) {
        connections_.has_session(connection);
        server_.connections().used(to->descriptor, false);
    }
    if (!to->in_bundles) {
        buffer_.clear();
        proto::encode(message, buffer_);
        if (const Sent sent = send_frame(to->routing_id, to->descriptor); sent != Sent::yes)
            unsent(connection, sent, emit);
        return;
    }
    auto& outgoing = *outgoing_.try_emplace(to->routing_id).first;
    Outgoing& to_connection = outgoing.second;
    if (to_connection.bundle.empty()) to_send_.push_back(&outgoing);
    to_connection.bundle.add(to->line, message);
    to_connection.lines.push_back(connection);
    to_connection.descriptor = to->descriptor;
    if (to_connection.bundle.is_full()) send_bundle(outgoing, emit);
}

/// Sends what is in the buffer.
Sent Door::send_frame(const std::string& routing_id, int descriptor) {
    Sent sent = send(server_.socket(), routing_id, true);
    if (sent == Sent::yes) sent = send(server_.socket(), buffer_);
    if (sent != Sent::yes) return sent;
    server_.connections().sent(descriptor, buffer_.size());
    counters_.sent();
    return sent;
}

void Door::send_bundle(OutgoingBundles::value_type& outgoing, const Emit& emit) {
    auto& [routing_id, content] = outgoing;
    if (content.bundle.empty()) return;
    buffer_.clear();
    content.bundle.finish(buffer_);
    const Sent sent = send_frame(routing_id, content.descriptor);
    for (const auto line : std::exchange(content.lines, {}))
        if (sent != Sent::yes) unsent(line, sent, emit);
}

void Door::unsent(cluster::ConnectionId connection, Sent why, const Emit& emit) {
    counters_.unsent();
    // With a full queue, the connection keeps its id: its worker is slow, but may still send to this node.
    if (why == Sent::unreachable) connections_.forget(connection);
    emit(cluster::ConnectionLost{connection});
}

void Door::flush(const Emit& emit) {
    for (auto* outgoing : std::exchange(to_send_, {})) send_bundle(*outgoing, emit);
}

void Door::drain(const Emit& emit, ReceiveBudget budget) {
    Parts parts;
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
        ConnectionMap::Connection from{std::string(text_of(parts.first)), 0, descriptor};
        if (proto::is_bundle(text_of(parts.last)))
            take_bundle(parts, from, *sender, emit, budget);
        else
            take(proto::decode(text_of(parts.last)), parts, from, *sender, emit);
    }
}

void Door::take_bundle(const Parts& parts, const ConnectionMap::Connection& from, const cluster::Sender& sender,
                       const Emit& emit, ReceiveBudget& budget) {
    auto bundle = proto::decode_bundle(text_of(parts.last));
    if (!bundle) return counters_.bad(bundle.error());
    for (auto& part : *bundle) {
        budget.spend(part.size);
        take(std::move(part.message), parts, {from.routing_id, part.line, from.descriptor, true}, sender, emit);
    }
}

void Door::take(proto::Decoded decoded, const Parts& parts, const ConnectionMap::Connection& from,
                const cluster::Sender& sender, const Emit& emit) {
    if (decoded) {
        const auto connection = connections_.id_of(from, now());
        cluster::MessageArrived arrived{cluster::Channel::door, connection, {}, std::move(*decoded), sender};
        if (proto::administers(arrived.message.body)) arrived.address = address_of(parts.last);
        arrived.is_local = is_loopback(arrived.address);
        return emit(std::move(arrived));
    }
    counters_.bad(decoded.error());
    if (decoded.error() == proto::DecodeError::wrong_major && !from.in_bundles) refuse_version(parts, sender);
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
    std::erase_if(outgoing_, [](const auto& entry) { return entry.second.bundle.empty(); });
    counters_.connections_forgotten(connections_.take_evicted());
}

}  // namespace muster::node
