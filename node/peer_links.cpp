#include "node/peer_links.hpp"

#include "node/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {

void PeerLinks::connect(const std::string& peer, const std::string& address) {
    links_.erase(peer);
    zmq::socket_t socket(context_, zmq::socket_type::dealer);
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, 1000);
    socket.set(zmq::sockopt::rcvhwm, 1);  // nothing is ever said on this way back
    socket.set(zmq::sockopt::maxmsgsize, std::int64_t{4} << 20);
    if (node::connect(socket, address)) links_.emplace(peer, std::move(socket));
}

void PeerLinks::send_to(const std::string& peer, const proto::Message& message) {
    const auto found = links_.find(peer);
    if (found == links_.end()) return counts_.unsent();
    buffer_.clear();
    proto::encode(message, buffer_);
    if (send(found->second, buffer_) == Sent::yes)
        counts_.sent();
    else
        counts_.unsent();
}

}  // namespace muster::node
