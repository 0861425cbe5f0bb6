#include "node/dialer.hpp"

#include <algorithm>

#include "node/address.hpp"
#include "node/clock.hpp"
#include "node/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kQueue = 4;                  // hellos that wait for a connection; more would only be stale
constexpr std::size_t kMaxAddresses = 64;  // of one name
constexpr auto kIdle = std::chrono::seconds(30);
constexpr auto kSilence = std::chrono::seconds(5);
constexpr auto kWarnEvery = std::chrono::seconds(60);

}  // namespace

Dialer::Dialer(zmq::context_t& context, FrameCounts& counts, Resolver& resolver, Warn warn)
    : context_(context), counts_(counts), resolver_(resolver), warn_(std::move(warn)) {}

void Dialer::dial(const std::string& address, const proto::Message& message) {
    const auto parsed = parse_address(address);
    if (!parsed) return counts_.unsent();
    auto hello = proto::encode(message);
    if (is_numeric(parsed->host)) return send_to(address, address, hello);
    Name& name = names_[address];
    name.used = now();
    name.waiting = std::move(hello);
    if (!resolver_.ask(address)) counts_.unsent();
}

void Dialer::hang_up(const std::string& address) {
    names_.erase(address);
    std::erase_if(connections_, [&](const auto& one) { return one.second.dialed == address; });
}

bool Dialer::resolved(const Resolver::Found& found) {
    const auto name = names_.find(found.address);
    if (name == names_.end()) return false;
    const auto hello = std::exchange(name->second.waiting, std::nullopt);
    if (!hello) return false;
    auto& warned = name->second.warned;
    if (found.numeric.empty() && (!warned || now() - *warned >= kWarnEvery)) {
        warned = now();
        warn_("cannot resolve " + found.address + ": check the name; trying again");
    }
    std::size_t dialed = 0;
    for (const auto& numeric : found.numeric)
        if (dialed++ < kMaxAddresses) send_to(found.address, numeric, *hello);
    return true;
}

void Dialer::send_to(const std::string& dialed, const std::string& numeric, const std::string& hello) {
    auto found = connections_.find(numeric);
    if (found != connections_.end() && now() - found->second.heard > kSilence) {
        connections_.erase(found);
        found = connections_.end();
    }
    if (found == connections_.end()) {
        make_room();
        zmq::socket_t socket(context_, zmq::socket_type::dealer);
        set_common_options(socket);
        socket.set(zmq::sockopt::sndhwm, kQueue);
        socket.set(zmq::sockopt::rcvhwm, 100);
        socket.set(zmq::sockopt::maxmsgsize, std::int64_t{4} << 20);
        socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
        if (!connect(socket, numeric)) return counts_.unsent();
        found = connections_.emplace(numeric, Connection{std::move(socket), dialed, now(), now()}).first;
    }
    found->second.used = now();
    found->second.dialed = dialed;
    if (send(found->second.socket, hello) == Sent::yes)
        counts_.sent();
    else
        counts_.unsent();
}

void Dialer::make_room() {
    if (connections_.size() < kMaxConnections) return;
    const auto oldest = std::min_element(connections_.begin(), connections_.end(),
                                         [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    connections_.erase(oldest);
}

void Dialer::add_to(std::vector<zmq::pollitem_t>& items) {
    for (auto& [address, connection] : connections_) items.push_back({connection.socket.handle(), 0, ZMQ_POLLIN, 0});
}

std::size_t Dialer::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    const auto at = now();
    for (auto& [address, connection] : connections_) {
        for (std::size_t own = 0; own < budget && receive(connection.socket, parts); ++own, ++taken) {
            counts_.received();
            connection.heard = at;
            if (parts.count != 1) {
                counts_.bad_parts();
                continue;
            }
            auto decoded = proto::decode(text_of(parts.first));
            if (decoded)
                emit(cluster::MessageArrived{cluster::Channel::dial, {}, connection.dialed, std::move(*decoded)});
            else
                counts_.bad(decoded.error());
        }
    }
    return taken;
}

void Dialer::expire() {
    const auto at = now();
    std::erase_if(connections_, [&](const auto& one) { return at - one.second.used > kIdle; });
    std::erase_if(names_, [&](const auto& one) { return at - one.second.used > kWarnEvery; });
}

}  // namespace muster::node
