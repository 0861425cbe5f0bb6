// One DEALER to the control socket of every connected peer.
#pragma once

#include <map>
#include <string>

#include <zmq.hpp>

#include "node/admission/security.hpp"
#include "node/io/node_counters.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// Messages queue while a link is being made, so that the first of them are not
/// lost; a queue that is full drops the new one, and the core repeats.
class PeerLinks {
public:
    PeerLinks(zmq::context_t& context, NodeCounters& counts, Security& security)
        : context_(context), counts_(counts), security_(security) {}

    /// Replaces an earlier link of this peer. A peer that is not trusted has none.
    void connect(const std::string& peer, const std::string& address);
    void disconnect(const std::string& peer) { links_.erase(peer); }
    /// Keys have changed: makes links anew whose keys are out of date, or, with `own`, all.
    void follow_keys(bool own);
    void send_to(const std::string& peer, const proto::Message& message);
    [[nodiscard]] std::size_t size() const { return links_.size(); }

private:
    struct Link {
        std::string address;
        std::optional<zmq::socket_t> socket;
        std::optional<keys::PublicKey> key;  // of the other end
    };

    zmq::context_t& context_;
    NodeCounters& counts_;
    Security& security_;
    std::map<std::string, Link> links_;
    std::string buffer_;
};

}  // namespace muster::node
