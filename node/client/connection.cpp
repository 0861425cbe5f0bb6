#include "node/client/connection.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string_view>

#include "node/client/address_book.hpp"
#include "node/keys/curve.hpp"

namespace muster::client {
namespace {

constexpr std::int64_t kMaxFrame = 4 << 20;
constexpr int kGoodbyeMs = 200;
constexpr std::size_t kMostAnswered = 1024;
constexpr auto kCheckFor = std::chrono::milliseconds(1000);

void set_options(zmq::socket_t& socket, bool ipv6) {
    socket.set(zmq::sockopt::linger, 0);
    // Bounded by the session instead: 1024 requests, 64 MiB of data, heartbeats until the ttl.
    socket.set(zmq::sockopt::sndhwm, 0);
    socket.set(zmq::sockopt::rcvhwm, 1000);
    socket.set(zmq::sockopt::maxmsgsize, kMaxFrame);
    socket.set(zmq::sockopt::handshake_ivl, 2000);
    socket.set(zmq::sockopt::connect_timeout, 2000);
    socket.set(zmq::sockopt::tcp_maxrt, 5000);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::ipv6, ipv6);
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList numeric_address(const std::string& named) {
    const std::string address(place_of(named));
    const auto colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found) != 0) found = nullptr;
    return {found, &freeaddrinfo};
}

}  // namespace

std::vector<Connection::Key> Connection::keys_for(const std::string& address) {
    if (!keys_) return {Key()};
    keys_->reload_if_changed();  // with a broken file, what was known goes on
    const std::string name(name_in(address));
    std::vector<Key> keys;
    for (const auto& node : name.empty() ? keys_->nodes() : std::vector{name})
        for (const auto& key : keys_->keys_of_node(node)) keys.push_back({node, key});
    if (keys.size() <= kKeysAtOnce) return keys;
    const auto first = static_cast<std::ptrdiff_t>(rotation_ % keys.size());
    std::rotate(keys.begin(), keys.begin() + first, keys.end());
    rotation_ += kKeysAtOnce - 1;
    if (const auto before = answered_.find(address); before != answered_.end())
        if (const auto found = std::find(keys.begin(), keys.end(), before->second); found != keys.end())
            std::iter_swap(keys.begin(), found);
    keys.resize(kKeysAtOnce);
    return keys;
}

bool Connection::open(const std::string& address) {
    close();
    const std::string place(place_of(address));
    try {
        for (const Key& key : keys_for(address)) {
            zmq::socket_t socket(context_, zmq::socket_type::dealer);
            set_options(socket, place.front() == '[');
            if (key.key) keys::be_client(socket.handle(), *keys_->own(), *key.key);
            socket.connect("tcp://" + place);
            tries_.push_back({key, std::move(socket)});
        }
    } catch (const zmq::error_t&) {
        close();
    }
    address_ = address;
    return !tries_.empty();
}

void Connection::close() {
    tries_.clear();
}

void Connection::close_gently() {
    for (auto& one : tries_) one.socket.set(zmq::sockopt::linger, kGoodbyeMs);
    close();
}

std::vector<int> Connection::fds() const {
    std::vector<int> fds;
    for (const auto& one : tries_) fds.push_back(one.socket.get(zmq::sockopt::fd));
    return fds;
}

bool Connection::has_input() const {
    try {
        return std::any_of(tries_.begin(), tries_.end(),
                           [](const Try& one) { return (one.socket.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0; });
    } catch (const zmq::error_t&) {
        return true;  // interrupted: to be asked again
    }
}

bool Connection::send(const std::string& frame) {
    bool sent = false;
    for (auto& one : tries_) {
        try {
            sent = one.socket.send(zmq::buffer(frame), zmq::send_flags::dontwait).has_value() || sent;
        } catch (const zmq::error_t&) {
            continue;
        }
    }
    return sent;
}

bool Connection::receive(zmq::message_t& frame) {
    for (std::size_t i = 0; i < tries_.size(); ++i) {
        try {
            if (!tries_[i].socket.recv(frame, zmq::recv_flags::dontwait)) continue;
        } catch (const zmq::error_t&) {
            continue;
        }
        if (tries_.size() > 1) keep(i);
        peer_ = tries_.front().key.node;
        return true;
    }
    return false;
}

void Connection::keep(std::size_t index) {
    if (answered_.size() >= kMostAnswered) answered_.clear();
    answered_[address_] = tries_[index].key;
    Try kept = std::move(tries_[index]);
    tries_.clear();
    tries_.push_back(std::move(kept));
}

bool PortCheck::start(const std::string& address, Instant now) {
    if (fd_ >= 0 && address == address_) return false;
    stop();
    const auto target = numeric_address(address);
    if (!target) return false;
    fd_ = ::socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return false;
    address_ = address;
    until_ = now + kCheckFor;
    const int result = ::connect(fd_, target->ai_addr, target->ai_addrlen);
    refused_ = result != 0 && errno == ECONNREFUSED;
    if (result == 0 || (errno != EINPROGRESS && !refused_)) stop();
    return fd_ >= 0;
}

void PortCheck::stop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    refused_ = false;
}

bool PortCheck::is_refused(Instant now) {
    if (fd_ < 0) return false;
    bool refused = refused_;
    pollfd poll{fd_, POLLOUT, 0};
    if (!refused && ::poll(&poll, 1, 0) == 0 && now < until_) return false;
    if (!refused && poll.revents != 0) {
        int error = 0;
        socklen_t size = sizeof error;
        refused = ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ECONNREFUSED;
    }
    stop();
    return refused;
}

}  // namespace muster::client
