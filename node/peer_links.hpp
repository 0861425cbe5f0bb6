// One DEALER to the control socket of every connected peer.
#pragma once

#include <map>
#include <string>

#include <zmq.hpp>

#include "node/frame_counts.hpp"
#include "proto/messages.hpp"

namespace muster::node {

/// Messages queue while a link is being made, so that the first of them are not
/// lost; a queue that is full drops the new one, and the core repeats.
class PeerLinks {
public:
    PeerLinks(zmq::context_t& context, FrameCounts& counts) : context_(context), counts_(counts) {}

    /// Replaces an earlier link of this peer.
    void connect(const std::string& peer, const std::string& address);
    void disconnect(const std::string& peer) { links_.erase(peer); }
    void send_to(const std::string& peer, const proto::Message& message);
    [[nodiscard]] std::size_t size() const { return links_.size(); }

private:
    zmq::context_t& context_;
    FrameCounts& counts_;
    std::map<std::string, zmq::socket_t> links_;
    std::string buffer_;
};

}  // namespace muster::node
