#include "node/sockets/gossip.hpp"

#include "node/io/address.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kToOneSubscriber = 4000;  // messages; further ones are dropped, and the subscriber pulls
constexpr int kOfOnePeer = 20'000;      // messages
// An XPUB processes all subscriptions of a connection within one call, so little of them may wait. See FloodGuard.
constexpr int kSubscriptionQueue = 32;         // subscriptions of one connection that libzmq holds
constexpr int kSubscriptionBuffer = 32 << 10;  // bytes of one connection that the kernel holds
// The longest topic has 152 bytes and the longest handshake (CURVE) 400. libzmq takes about 48 bytes of memory for each
// byte of a subscription.
constexpr std::int64_t kSubscriptionBytes = 512;
constexpr int kSpellings = 16;                   // of one address: peers that give different names for it
constexpr std::int64_t kMessageBytes = 2 << 20;  // more than a frame may have, so that what is too long is counted

Socket make_publisher(zmq::context_t& context) {
    Socket socket(context, zmq::socket_type::xpub);
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, kToOneSubscriber);
    socket.set(zmq::sockopt::rcvhwm, kSubscriptionQueue);
    socket.set(zmq::sockopt::rcvbuf, kSubscriptionBuffer);
    socket.set(zmq::sockopt::maxmsgsize, kSubscriptionBytes);
    socket.set(zmq::sockopt::xpub_verboser, true);
    return socket;
}

}  // namespace

Gossip::Gossip(zmq::context_t& context, std::string scope, NodeId self, NodeCounters& counters, Security& security,
               Connections::Bounds bounds, DropFilter drop)
    : security_(security),
      scope_(std::move(scope)),
      topic_(gossip_topic(scope_)),
      self_(std::move(self)),
      counters_(counters),
      drop_(std::move(drop)),
      publisher_(
          context, [&context] { return make_publisher(context); }, kNodesOnly, security, bounds, counters,
          counters.connections.gossip),
      subscriber_(context, zmq::socket_type::sub),
      subscriber_connections_(context, bounds, counters, counters.connections.peers),
      echo_(context, zmq::socket_type::sub) {
    subscriber_connections_.monitor(subscriber_);
    set_common_options(subscriber_);
    subscriber_.set(zmq::sockopt::sndhwm, 0);  // libzmq loses subscriptions beyond a SUB's high-water mark
    subscriber_.set(zmq::sockopt::rcvhwm, kOfOnePeer);
    subscriber_.set(zmq::sockopt::maxmsgsize, kMessageBytes);
    subscriber_.set(zmq::sockopt::subscribe, topic_);
    const auto presence = presence_topic(scope_, self_);
    own_presence_.insert(presence);
    subscriber_.set(zmq::sockopt::subscribe, presence);
    set_common_options(echo_);
    echo_.set(zmq::sockopt::maxmsgsize, kMessageBytes);
    echo_.set(zmq::sockopt::subscribe, topic_ + kHeartbeatMark);
}

Result<std::uint16_t> Gossip::bind(const std::string& host, std::uint16_t port) {
    auto bound = publisher_.bind(host, port, "--gossip-port");
    if (bound) connect_echo();
    return bound;
}

void Gossip::connect_echo() {
    const auto address = with_port(is_any(publisher_.host()) ? "127.0.0.1" : publisher_.host(), publisher_.port());
    node::disconnect(echo_, address);
    if (security_.has_keys()) security_.prepare_client(echo_, security_.keys().own()->public_key());
    node::connect(echo_, address);
}

std::optional<Error> Gossip::reopen() {
    presence_ = Presence();
    subscribers_ = Subscribers();
    return publisher_.reopen();
}

void Gossip::keys_changed(bool own) {
    if (own) connect_echo();
    for (const auto& [peer, at] : std::map(subscriptions_))
        if (own || security_.is_out_of_date(peer, keys_[peer])) connect(peer, at.address, at.advertised);
}

void Gossip::publish(const cluster::Publish& publish) {
    if (drop_ && drop_(publish.message)) return;
    buffer_ = topic_;
    buffer_ += publish.kind == cluster::Publish::Kind::heartbeat ? kHeartbeatMark : kOtherMark;
    proto::encode(publish.message, buffer_);
    send_frame();
}

void Gossip::publish_to(const NodeId& peer, const proto::Message& message) {
    buffer_ = addressed_topic(scope_, peer);
    buffer_ += kOtherMark;
    proto::encode(message, buffer_);
    send_frame();
}

void Gossip::send_frame() {
    if (send(publisher_.socket(), buffer_) == Sent::yes)
        counters_.sent();
    else
        counters_.unsent();
}

void Gossip::connect(const std::string& peer, const std::string& address, const std::string& advertised) {
    disconnect(peer);
    auto spelling = free_spelling(address, advertised);
    if (spelling.empty()) return;
    if (!security_.prepare_client(subscriber_, peer, keys_[peer]) || !node::connect(subscriber_, spelling)) return;
    peers_[spelling] = peer;
    subscriptions_[peer] = {address, std::move(spelling), advertised};
}

/// libzmq ignores a second connect to an address, even if the first connection has failed for good (after an error in
/// the handshake it never retries). So the connection of an earlier holder of the address is closed first. A peer that
/// gives another name for the same number may be a liar, so it gets a connection of its own: libzmq takes 07102 for
/// another address than 7102.
std::string Gossip::free_spelling(std::string address, const std::string& advertised) {
    for (int i = 0; i < kSpellings; ++i) {
        const auto other = peers_.find(address);
        if (other != peers_.end() && subscriptions_.at(other->second).advertised == advertised)
            disconnect(std::string(other->second));
        if (!peers_.contains(address)) return address;
        address.insert(address.rfind(':') + 1, "0");
    }
    return {};
}

void Gossip::disconnect(const std::string& peer) {
    const auto found = subscriptions_.find(peer);
    if (found == subscriptions_.end()) return;
    node::disconnect(subscriber_, found->second.spelling);
    peers_.erase(found->second.spelling);
    subscriptions_.erase(found);
}

void Gossip::identity_changed(const NodeId& self) {
    subscriber_.set(zmq::sockopt::unsubscribe, presence_topic(scope_, self_));
    self_ = self;
    const auto presence = presence_topic(scope_, self_);
    own_presence_.insert(presence);
    subscriber_.set(zmq::sockopt::subscribe, presence);
}

void Gossip::drain_messages(const Emit& emit, ReceiveBudget& budget) {
    drain(echo_, emit, budget);
    drain(subscriber_, emit, budget);
}

void Gossip::drain(Socket& socket, const Emit& emit, ReceiveBudget& budget) {
    Parts parts;
    while (!budget.is_spent() && receive(socket, parts)) {
        budget.spend(parts.bytes);
        counters_.received();
        if (&socket == &subscriber_) subscriber_connections_.received(parts);
        const std::string_view message = parts.count == 1 ? message_in(text_of(parts.first)) : std::string_view();
        if (message.empty()) {
            counters_.bad_parts();
            continue;
        }
        auto decoded = proto::decode(message);
        if (decoded)
            emit(cluster::MessageArrived{cluster::Channel::gossip, {}, {}, std::move(*decoded)});
        else
            counters_.bad(decoded.error());
    }
}

std::string_view Gossip::message_in(std::string_view frame) const {
    for (const std::string& topic : {topic_, addressed_topic(scope_, self_)})
        if (frame.size() > topic.size() && frame.starts_with(topic)) return frame.substr(topic.size() + 1);
    return {};
}

void Gossip::drain_subscriptions(const Emit& emit, ReceiveBudget budget) {
    Parts parts;
    while (!budget.is_spent() && receive(publisher_.socket(), parts)) {
        budget.spend(parts.bytes);
        const int descriptor = publisher_.connections().received(parts);
        if (parts.count == 1)
            handle_subscription(parts.first, descriptor, emit);
        else
            counters_.bad_subscription();
    }
    counters_.subscriptions_refused(subscribers_.take_refused());
}

void Gossip::handle_subscription(zmq::message_t& message, int descriptor, const Emit& emit) {
    const std::string_view frame = text_of(message);
    if (frame.empty() || (frame[0] != '\0' && frame[0] != '\1')) return counters_.bad_subscription();
    const std::string_view topic = frame.substr(1);
    const bool subscribes = frame[0] == '\1';
    auto added = Subscribers::Added::added;
    // The descriptor is -1 for the unsubscriptions that libzmq itself makes when a connection has ended.
    if (descriptor >= 0 && subscribes) added = subscribers_.add(descriptor, message, topic);
    if (added == Subscribers::Added::repeated) return;
    if (descriptor >= 0 && !subscribes && !subscribers_.remove(descriptor, message, topic)) return;
    const auto peer = parse_presence(topic, scope_);
    if (subscribes && (peer || topic.starts_with(topic_))) publisher_.connections().used(descriptor, true);
    if (!peer || own_presence_.contains(std::string(topic))) return;
    if (!subscribes) {
        if (presence_.remove(topic)) emit(cluster::LinkLost{*peer});
    } else if (presence_.add(topic)) {
        // Emitted for each new link, not only for the first, so that the core publishes a heartbeat for it. A refused
        // subscription is counted, because libzmq will report its end, but is not a link.
        if (added == Subscribers::Added::added) emit(cluster::LinkUp{*peer});
    } else {
        counters_.presence_refused();
    }
}

}  // namespace muster::node
