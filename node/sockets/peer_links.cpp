#include "node/sockets/peer_links.hpp"

#include <utility>

#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {

void PeerLinks::connect(const std::string& peer, const std::string& address) {
    Link& link = links_[peer];
    link.address = address;
    link.socket.reset();
    auto opened = open_socket(context_, zmq::socket_type::dealer, counters_);
    link.refused = !opened;
    if (!opened) return;
    Socket& socket = *opened;
    set_common_options(socket);
    socket.set(zmq::sockopt::linger, 200);
    socket.set(zmq::sockopt::sndhwm, 1000);
    socket.set(zmq::sockopt::rcvhwm, 1);  // a control socket never answers here
    socket.set(zmq::sockopt::maxmsgsize, std::int64_t{4} << 20);
    if (security_.prepare_client(socket, peer, link.key) && node::connect(socket, address))
        link.socket = std::move(opened);
    link.is_expected = false;
    for (const auto& waiting : std::exchange(link.waiting, {})) send(link, waiting);
}

void PeerLinks::retry() {
    for (auto& [peer, link] : links_)
        if (link.refused) connect(peer, std::string(link.address));
}

void PeerLinks::send(Link& link, const std::string& message) {
    if (link.socket && node::send(*link.socket, message) == Sent::yes)
        counters_.sent();
    else
        counters_.unsent();
}

void PeerLinks::keys_changed(bool own) {
    for (auto& [peer, link] : links_)
        if (!link.address.empty() && (own || security_.is_out_of_date(peer, link.key)))
            connect(peer, std::string(link.address));
}

void PeerLinks::send_to(const std::string& peer, const proto::Message& message) {
    const auto found = links_.find(peer);
    if (found == links_.end()) return counters_.unsent();
    Link& link = found->second;
    buffer_.clear();
    proto::encode(message, buffer_);
    if (link.socket || !link.is_expected || link.waiting.size() >= kMaxWaiting) return send(link, buffer_);
    link.waiting.push_back(buffer_);
}

}  // namespace muster::node
