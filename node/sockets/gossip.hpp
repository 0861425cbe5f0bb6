// The gossip sockets: publish to all peers, receive from all peers, and detect live links.
#pragma once

#include <muster/ids.hpp>
#include <muster/result.hpp>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <zmq.hpp>

#include "cluster/action.hpp"
#include "node/admission/subscribers.hpp"
#include "node/io/emit.hpp"
#include "node/io/receive_budget.hpp"
#include "node/sockets/server_socket.hpp"
#include "node/sockets/topics.hpp"

namespace muster::node {

/// True for publications to drop, in tests of repair: libzmq drops them when the queue of a slow subscriber is full.
using DropFilter = std::function<bool(const proto::Message&)>;

/// Three sockets:
/// - An XPUB, the publisher, to which every peer subscribes. A subscription to a presence topic proves that the peer's
///   link is live: what is published after LinkUp was emitted arrives, unless a queue is full.
/// - A SUB that is connected to the publisher of every peer.
/// - A SUB, the echo, that receives this node's own heartbeats. Their delay tells the core how late this process is.
///
/// Each message is one frame: topic, mark and message (PROTOCOL.md, section 9, "Presence"). libzmq drops publications
/// silently when a subscriber's queue is full, also in mid-stream. The core numbers them and repairs.
class Gossip {
public:
    Gossip(zmq::context_t& context, std::string scope, NodeId self, NodeCounters& counters, Security& security,
           Connections::Bounds bounds, DropFilter drop = {});

    /// Binds the publisher and connects the echo. Parameters and errors: as bind_tcp().
    Result<std::uint16_t> bind(const std::string& host, std::uint16_t port);
    /// Closes the publisher's connections; the port stays the same. No LinkLost is emitted. When peers have connected
    /// again, LinkUp is.
    std::optional<Error> reopen();
    /// Connects again where keys are out of date, or, if this node's own pair has changed, everywhere.
    void keys_changed(bool own);

    void publish(const cluster::Publish& publish);
    /// Publishes to one peer alone, under its presence topic.
    void publish_to(const NodeId& peer, const proto::Message& message);
    /// Connects to a peer's publisher at a numeric address, in place of an earlier connection. `advertised`: the
    /// address as the peer tells it. Another peer that advertises the same one loses its connection: the core decides
    /// who has an address. One that advertises another name of this number keeps it.
    void connect(const std::string& peer, const std::string& address, const std::string& advertised);
    void disconnect(const std::string& peer);
    /// Subscribes to the presence topic of the new incarnation.
    void identity_changed(const NodeId& self);

    /// Receives messages within the budget and emits them as Channel::gossip.
    void drain_messages(const Emit& emit, ReceiveBudget& budget);
    /// Receives subscriptions within the budget, and emits LinkUp and LinkLost.
    void drain_subscriptions(const Emit& emit, ReceiveBudget budget);

    [[nodiscard]] ServerSocket& publisher() { return publisher_; }
    [[nodiscard]] Socket& subscriber() { return subscriber_; }
    [[nodiscard]] Connections& subscriber_connections() { return subscriber_connections_; }
    [[nodiscard]] Socket& echo() { return echo_; }

private:
    void drain(Socket& socket, const Emit& emit, ReceiveBudget& budget);
    /// The message in a frame that this node has subscribed to; empty if it is none.
    [[nodiscard]] std::string_view message_in(std::string_view frame) const;
    /// A spelling of the address that no subscription has; empty: there is none.
    [[nodiscard]] std::string free_spelling(std::string address, const std::string& advertised);
    void send_frame();
    void handle_subscription(zmq::message_t& message, int descriptor, const Emit& emit);
    void connect_echo();

    Security& security_;
    std::string scope_;
    std::string topic_;
    NodeId self_;
    std::set<std::string> own_presence_;  // topics of every incarnation that this process took
    NodeCounters& counters_;
    DropFilter drop_;
    ServerSocket publisher_;
    Socket subscriber_;
    Connections subscriber_connections_;
    Socket echo_;
    struct Subscription {
        std::string address;   // numeric
        std::string spelling;  // of `address`, as libzmq has it
        std::string advertised;
    };
    std::map<std::string, Subscription> subscriptions_;           // by peer: where the SUB is connected
    std::map<std::string, std::optional<keys::PublicKey>> keys_;  // by peer: its key at the last connect
    std::map<std::string, std::string> peers_;                    // by spelling: the peer it was connected for
    Presence presence_;
    Subscribers subscribers_;
    std::string buffer_;
};

}  // namespace muster::node
