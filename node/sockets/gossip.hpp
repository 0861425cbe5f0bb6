// Publishing to all, hearing from all, and seeing who hears us.
#pragma once

#include <muster/ids.hpp>
#include <muster/result.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>

#include <zmq.hpp>

#include "cluster/action.hpp"
#include "node/admission/subscribers.hpp"
#include "node/io/emit.hpp"
#include "node/sockets/server_socket.hpp"
#include "node/sockets/topics.hpp"

namespace muster::node {

/// True for publications to drop, for tests: libzmq does the same when the queue of a slow subscriber is full.
using Lose = std::function<bool(const proto::Message&)>;

/// An XPUB that every peer subscribes to, and one SUB that is connected to every
/// peer's XPUB. A second SUB hears this node's own heartbeats: their delay tells
/// the core how late this process is. A peer's presence topic on the XPUB proves that its link
/// is live: what is published after it was seen arrives.
///
/// One frame a message: the topic, its kind, then the message. PUB drops silently when a
/// subscriber is beyond the high-water mark; the core numbers and repairs.
class Gossip {
public:
    Gossip(zmq::context_t& context, std::string scope, NodeId self, NodeCounters& counts, Security& security,
           Connections::Bounds bounds, Lose lose = {});

    /// Binds the publisher and connects to it. `host` is numeric.
    Result<std::uint16_t> bind(const std::string& host, std::uint16_t port);
    /// The publisher's connections end, its port stays. Nobody's link counts as lost: all are seen anew.
    std::optional<Error> reopen();
    /// Keys have changed: connects anew where they are out of date, or, with `own`, everywhere.
    void follow_keys(bool own);

    void publish(const cluster::Publish& publish);
    /// Replaces an earlier connection to this peer.
    void connect(const std::string& peer, const std::string& address);
    void disconnect(const std::string& peer);
    void identity_changed(const NodeId& self);

    /// Up to `budget` messages heard; returns how many there were.
    std::size_t drain_news(const Emit& emit, std::size_t budget);
    /// Up to `budget` subscriptions seen.
    std::size_t drain_subscriptions(const Emit& emit, std::size_t budget);

    [[nodiscard]] ServerSocket& server() { return server_; }
    [[nodiscard]] zmq::socket_t& subscriber() { return sub_; }
    [[nodiscard]] zmq::socket_t& echo() { return echo_; }
    [[nodiscard]] Connections& heard() { return heard_; }

private:
    std::size_t drain(zmq::socket_t& socket, const Emit& emit, std::size_t budget);
    void subscription(std::string_view frame, int descriptor, const Emit& emit);
    void connect_echo();

    Security& security_;
    std::string scope_;
    std::string topic_;
    NodeId self_;
    std::set<std::string> own_presence_;  // of every incarnation this process took
    NodeCounters& counts_;
    Lose lose_;
    ServerSocket server_;
    zmq::socket_t sub_;
    Connections heard_;
    zmq::socket_t echo_;
    std::map<std::string, std::string> addresses_;                // peer -> where it is connected
    std::map<std::string, std::optional<keys::PublicKey>> keys_;  // peer -> its key when it was connected last
    std::map<std::string, std::string> owners_;                   // address -> the peer it was connected for
    Presence presence_;
    Subscribers subscribers_;
    std::string buffer_;
};

}  // namespace muster::node
