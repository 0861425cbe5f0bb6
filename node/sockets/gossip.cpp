#include "node/sockets/gossip.hpp"

#include "node/io/address.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kPublishQueue = 4000;            // messages to one subscriber; beyond them it loses some, and pulls
constexpr int kHearQueue = 20000;              // messages of one peer
constexpr int kSubscriptionQueue = 32;         // of one subscriber, all taken in by one call
constexpr int kSubscriptionBuffer = 32 << 10;  // of one subscriber in the kernel: what is there before it is cut off
// The longest topic has 152 bytes, the longest handshake (of CURVE) 400; libzmq takes some 48 bytes for each byte.
constexpr std::int64_t kSubscriptionBytes = 512;
constexpr std::int64_t kMessageBytes = 2 << 20;  // more than a frame may have, so that what is too long is counted

zmq::socket_t make_publisher(zmq::context_t& context) {
    zmq::socket_t socket(context, zmq::socket_type::xpub);
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, kPublishQueue);
    socket.set(zmq::sockopt::rcvhwm, kSubscriptionQueue);
    socket.set(zmq::sockopt::rcvbuf, kSubscriptionBuffer);
    socket.set(zmq::sockopt::maxmsgsize, kSubscriptionBytes);
    socket.set(zmq::sockopt::xpub_verboser, true);
    return socket;
}

}  // namespace

Gossip::Gossip(zmq::context_t& context, std::string scope, NodeId self, NodeCounters& counts, Security& security,
               Connections::Bounds bounds, Lose lose)
    : security_(security),
      scope_(std::move(scope)),
      topic_(gossip_topic(scope_)),
      self_(std::move(self)),
      counts_(counts),
      lose_(std::move(lose)),
      server_(
          context, [&context] { return make_publisher(context); }, kNodesOnly, security, bounds, counts,
          counts.connections.gossip),
      sub_(context, zmq::socket_type::sub),
      heard_(context, bounds, counts, counts.connections.peers),
      echo_(context, zmq::socket_type::sub) {
    heard_.watch(sub_);
    set_common_options(sub_);
    sub_.set(zmq::sockopt::sndhwm, 0);  // subscriptions beyond it would be lost
    sub_.set(zmq::sockopt::rcvhwm, kHearQueue);
    sub_.set(zmq::sockopt::maxmsgsize, kMessageBytes);
    sub_.set(zmq::sockopt::subscribe, topic_);
    const auto presence = presence_topic(scope_, self_);
    own_presence_.insert(presence);
    sub_.set(zmq::sockopt::subscribe, presence);
    set_common_options(echo_);
    echo_.set(zmq::sockopt::maxmsgsize, kMessageBytes);
    echo_.set(zmq::sockopt::subscribe, topic_ + kBeat);
}

Result<std::uint16_t> Gossip::bind(const std::string& host, std::uint16_t port) {
    auto bound = server_.bind(host, port);
    if (bound) connect_echo();
    return bound;
}

void Gossip::connect_echo() {
    const auto address = with_port(is_any(server_.host()) ? "127.0.0.1" : server_.host(), server_.port());
    node::disconnect(echo_, address);
    if (security_.has_keys()) security_.prepare(echo_, security_.keys().own()->public_key());
    node::connect(echo_, address);
}

std::optional<Error> Gossip::reopen() {
    presence_ = Presence();
    subscribers_ = Subscribers();
    return server_.reopen();
}

void Gossip::follow_keys(bool own) {
    if (own) connect_echo();
    for (const auto& [peer, address] : std::map(addresses_))
        if (own || security_.is_out_of_date(peer, keys_[peer])) connect(peer, address);
}

void Gossip::publish(const cluster::Publish& publish) {
    if (lose_ && lose_(publish.message)) return;
    buffer_ = topic_;
    buffer_ += publish.kind == cluster::Publish::Kind::heartbeat ? kBeat : kNews;
    proto::encode(publish.message, buffer_);
    if (send(server_.socket(), buffer_) == Sent::yes)
        counts_.sent();
    else
        counts_.unsent();
}

void Gossip::connect(const std::string& peer, const std::string& address) {
    disconnect(peer);
    // Connecting twice to one address does nothing, not even when that link is dead for good.
    if (const auto other = owners_.find(address); other != owners_.end()) {
        addresses_.erase(other->second);
        node::disconnect(sub_, address);
        owners_.erase(other);
    }
    if (!security_.prepare(sub_, peer, keys_[peer]) || !node::connect(sub_, address)) return;
    addresses_[peer] = address;
    owners_[address] = peer;
}

void Gossip::disconnect(const std::string& peer) {
    const auto found = addresses_.find(peer);
    if (found == addresses_.end()) return;
    node::disconnect(sub_, found->second);
    owners_.erase(found->second);
    addresses_.erase(found);
}

void Gossip::identity_changed(const NodeId& self) {
    sub_.set(zmq::sockopt::unsubscribe, presence_topic(scope_, self_));
    self_ = self;
    const auto presence = presence_topic(scope_, self_);
    own_presence_.insert(presence);
    sub_.set(zmq::sockopt::subscribe, presence);
}

std::size_t Gossip::drain_news(const Emit& emit, std::size_t budget) {
    const std::size_t taken = drain(sub_, emit, budget);
    return taken + drain(echo_, emit, budget - taken);
}

std::size_t Gossip::drain(zmq::socket_t& socket, const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    for (; taken < budget && receive(socket, parts); ++taken) {
        counts_.received();
        if (&socket == &sub_) heard_.took(parts);
        const std::string_view frame = text_of(parts.first);
        if (parts.count != 1 || frame.size() <= topic_.size() || !frame.starts_with(topic_)) {
            counts_.bad_parts();
            continue;
        }
        auto decoded = proto::decode(frame.substr(topic_.size() + 1));
        if (decoded)
            emit(cluster::MessageArrived{cluster::Channel::gossip, {}, {}, std::move(*decoded)});
        else
            counts_.bad(decoded.error());
    }
    return taken;
}

std::size_t Gossip::drain_subscriptions(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    for (; taken < budget && receive(server_.socket(), parts); ++taken) {
        const int descriptor = server_.connections().took(parts);
        if (parts.count == 1)
            subscription(text_of(parts.first), descriptor, emit);
        else
            counts_.bad_subscription();
    }
    counts_.subscriptions_refused(subscribers_.take_refused());
    return taken;
}

/// What libzmq says by itself, when a connection has ended, comes of no descriptor.
void Gossip::subscription(std::string_view frame, int descriptor, const Emit& emit) {
    if (frame.empty() || (frame[0] != '\0' && frame[0] != '\1')) return counts_.bad_subscription();
    const std::string_view topic = frame.substr(1);
    const bool begins = frame[0] == '\1';
    auto added = Subscribers::Added::fresh;
    if (descriptor >= 0 && begins) added = subscribers_.add(descriptor, topic);
    if (added == Subscribers::Added::again) return;
    if (descriptor >= 0 && !begins && !subscribers_.remove(descriptor, topic)) return;
    const auto peer = parse_presence(topic, scope_);
    if (!peer || own_presence_.contains(std::string(topic))) return;
    if (!begins) {
        if (presence_.remove(topic)) emit(cluster::LinkLost{*peer});
    } else if (presence_.add(topic)) {
        // Told for every new link, so that the core can publish a heartbeat for it.
        if (added == Subscribers::Added::fresh) emit(cluster::LinkUp{*peer});
    } else {
        counts_.presence_refused();
    }
}

}  // namespace muster::node
