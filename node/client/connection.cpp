#include "node/client/connection.hpp"

#include <algorithm>
#include <cstdint>

#include "node/client/address_book.hpp"
#include "node/keys/curve.hpp"

namespace muster::client {
namespace {

constexpr std::int64_t kMaxFrame = 4 << 20;
constexpr int kGoodbyeMs = 200;
constexpr std::size_t kMostAnswered = 1024;

void set_options(zmq::socket_t& socket, bool ipv6) {
    socket.set(zmq::sockopt::linger, 0);
    // No high-water mark: the session bounds what is sent (1024 requests with 64 MiB of data, heartbeats until the
    // ttl).
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, 1000);
    socket.set(zmq::sockopt::maxmsgsize, kMaxFrame);
    socket.set(zmq::sockopt::handshake_ivl, 2000);
    socket.set(zmq::sockopt::connect_timeout, 2000);
    socket.set(zmq::sockopt::tcp_maxrt, 5000);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::ipv6, ipv6);
}

}  // namespace

std::vector<Connection::Key> Connection::keys_for(const std::string& address) {
    if (!keys_) return {Key()};
    keys_->reload_if_changed();  // if a file is broken, its node keeps the keys read before
    const std::string name(node_name_of(address));
    std::vector<Key> keys;
    for (auto& [node, key] : keys_->node_keys(name)) keys.push_back({std::move(node), key});
    if (keys.size() <= kKeysAtOnce) return keys;
    const auto first = static_cast<std::ptrdiff_t>(tried_->rotation % keys.size());
    std::rotate(keys.begin(), keys.begin() + first, keys.end());
    tried_->rotation += kKeysAtOnce - 1;
    if (const auto before = tried_->answered.find(address); before != tried_->answered.end())
        if (const auto found = std::find(keys.begin(), keys.end(), before->second); found != keys.end())
            std::iter_swap(keys.begin(), found);
    keys.resize(kKeysAtOnce);
    return keys;
}

bool Connection::open(const std::string& address, const std::string& endpoint) {
    close();
    try {
        for (const Key& key : keys_for(address)) {
            node::Socket socket(context_, zmq::socket_type::dealer);
            set_options(socket, endpoint.front() == '[');
            if (key.key) keys::be_client(socket.handle(), *keys_->own(), *key.key);
            socket.connect("tcp://" + endpoint);
            candidates_.push_back({key, std::move(socket)});
        }
    } catch (const zmq::error_t&) {
        close();
    }
    address_ = address;
    return !candidates_.empty();
}

void Connection::close() {
    candidates_.clear();
}

void Connection::close_gently() {
    for (auto& one : candidates_) one.socket.set(zmq::sockopt::linger, kGoodbyeMs);
    close();
}

std::vector<int> Connection::fds() const {
    std::vector<int> fds;
    for (const auto& one : candidates_) fds.push_back(one.socket.fd());
    return fds;
}

void Connection::signalled() {
    for (auto& one : candidates_) one.socket.may_have_input = true;
}

bool Connection::has_input() {
    return std::any_of(candidates_.begin(), candidates_.end(), [](Candidate& one) { return one.socket.has_input(); });
}

bool Connection::send(const std::string& frame) {
    bool sent = false;
    for (auto& one : candidates_) {
        one.socket.may_have_input = true;
        try {
            sent = one.socket.send(zmq::buffer(frame), zmq::send_flags::dontwait).has_value() || sent;
        } catch (const zmq::error_t&) {
            continue;
        }
    }
    return sent;
}

bool Connection::receive(zmq::message_t& frame) {
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
        node::Socket& socket = candidates_[i].socket;
        if (!socket.may_have_input) continue;
        try {
            socket.may_have_input = socket.recv(frame, zmq::recv_flags::dontwait).has_value();
        } catch (const zmq::error_t&) {
            continue;
        }
        if (!socket.may_have_input) continue;
        if (candidates_.size() > 1) keep(i);
        peer_ = candidates_.front().key.node;
        return true;
    }
    return false;
}

void Connection::keep(std::size_t index) {
    if (tried_->answered.size() >= kMostAnswered) tried_->answered.clear();
    tried_->answered[address_] = candidates_[index].key;
    Candidate kept = std::move(candidates_[index]);
    candidates_.clear();
    candidates_.push_back(std::move(kept));
}

bool PortCheck::start(const std::string& endpoint, Instant until) {
    if (probe_ && endpoint == endpoint_) return false;
    stop();
    const auto target = node::parse_address(endpoint);
    if (!target) return false;
    probe_.emplace(*target);
    endpoint_ = endpoint;
    until_ = until;
    return true;
}

std::optional<node::PortProbe::State> PortCheck::take_result(Instant now) {
    if (!probe_) return std::nullopt;
    const auto state = probe_->state();
    if (state == node::PortProbe::State::connecting && now < until_) return std::nullopt;
    stop();
    return state;
}

}  // namespace muster::client
