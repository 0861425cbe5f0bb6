// Sends messages to the control sockets of connected peers.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include <zmq.hpp>

#include "node/admission/security.hpp"
#include "node/io/node_counters.hpp"
#include "node/io/poller.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// One DEALER for each peer. Messages queue while it connects, and before that while its address is looked up, so that
/// the first ones are not lost. When the queue is full, a new message is dropped, and the core repeats what matters.
class PeerLinks {
public:
    PeerLinks(zmq::context_t& context, NodeCounters& counters, Security& security)
        : context_(context), counters_(counters), security_(security) {}

    static constexpr std::size_t kMaxWaiting = 64;  // messages to one peer while its address is looked up

    /// The peer will be connected. Until then, an earlier connection remains in use, and if there is none, messages
    /// wait.
    void expect(const std::string& peer) { links_[peer].is_expected = true; }
    /// Connects to a peer's control socket at a numeric address, in place of an earlier connection. A peer without a
    /// trusted key gets none.
    void connect(const std::string& peer, const std::string& address);
    void disconnect(const std::string& peer) { links_.erase(peer); }
    /// Connects again where keys are out of date, or, if this node's own pair has changed, everywhere.
    void keys_changed(bool own);
    /// Connects where the system refused a socket. To be called about once a second.
    void retry();
    void send_to(const std::string& peer, const proto::Message& message);
    [[nodiscard]] std::size_t size() const { return links_.size(); }

private:
    struct Link {
        std::string address;  // numeric
        std::optional<Socket> socket;
        bool refused = false;                // by the system
        std::optional<keys::PublicKey> key;  // of the peer
        bool is_expected = false;
        std::deque<std::string> waiting;  // encoded messages
    };

    void send(Link& link, const std::string& message);

    zmq::context_t& context_;
    NodeCounters& counters_;
    Security& security_;
    std::map<std::string, Link> links_;
    std::string buffer_;
};

}  // namespace muster::node
