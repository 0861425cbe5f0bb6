#include "node/sockets/dialer.hpp"

#include <algorithm>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kQueue = 4;                  // hellos that wait for a connection; more would only be stale
constexpr std::size_t kMaxAddresses = 64;  // of one name
constexpr auto kIdle = std::chrono::seconds(30);
constexpr auto kSilence = std::chrono::seconds(5);
constexpr auto kTrial = std::chrono::seconds(1);  // for some keys of many to be answered
constexpr auto kWarnEvery = std::chrono::seconds(60);

}  // namespace

Dialer::Dialer(zmq::context_t& context, NodeCounters& counts, Resolver& resolver, Security& security, Expected expected,
               Log log)
    : context_(context),
      counts_(counts),
      resolver_(resolver),
      security_(security),
      expected_(std::move(expected)),
      log_(log),
      other_majors_(counts, std::move(log)) {}

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
    if (found.numeric.empty())
        warn_of(found.address, {2,
                                "unresolved",
                                "cannot resolve " + found.address + ": check the name; trying again",
                                {{"address", found.address}}});
    std::size_t dialed = 0;
    for (const auto& numeric : found.numeric)
        if (dialed++ < kMaxAddresses) send_to(found.address, numeric, *hello);
    return true;
}

void Dialer::warn_of(const std::string& dialed, LogLine line) {
    if (warned_.try_emplace(dialed, now()).second) log_(std::move(line));
}

void Dialer::send_to(const std::string& dialed, const std::string& numeric, const std::string& hello) {
    for (const Key& key : keys_for(dialed, numeric)) send_to(dialed, {numeric, key}, hello);
}

std::vector<Dialer::Key> Dialer::keys_for(const std::string& dialed, const std::string& numeric) {
    if (!security_.has_keys()) return {Key()};
    const auto at = now();
    Trial& trial = trials_.try_emplace(numeric, Trial{{}, 0, at, at}).first->second;
    trial.used = at;
    if (trial.answered) {
        const auto open = connections_.find({numeric, trial.answered});
        if (open != connections_.end() && at - open->second.heard <= kSilence) return {trial.answered};
        trial.answered.reset();  // another node may be there now
    }
    const auto name = expected_.find(dialed);
    std::vector<Key> keys;
    for (const auto& one : security_.keys().node_keys(name == expected_.end() ? std::string() : name->second))
        keys.emplace_back(one.key);
    if (keys.empty())
        warn_of(dialed, {2,
                         "key_missing",
                         "no key of " + name->second + ", which is to be at " + dialed + ": put " + name->second +
                             ".pub into nodes/; trying again",
                         {{"node", name->second}, {"address", dialed}}});
    if (keys.size() <= kKeysAtOnce) return keys;
    if (at - trial.since >= kTrial) {
        close_others({numeric, {}});
        trial.first += kKeysAtOnce;
        trial.since = at;
    }
    const auto first = static_cast<std::ptrdiff_t>(trial.first % keys.size());
    std::rotate(keys.begin(), keys.begin() + first, keys.end());
    keys.resize(kKeysAtOnce);
    return keys;
}

void Dialer::send_to(const std::string& dialed, const Place& place, const std::string& hello) {
    auto found = connections_.find(place);
    if (found != connections_.end() && now() - found->second.heard > kSilence) {
        connections_.erase(found);
        found = connections_.end();
    }
    if (found == connections_.end() && !open(dialed, place)) return counts_.unsent();
    Connection& connection = connections_.at(place);
    connection.used = now();
    connection.dialed = dialed;
    if (send(connection.socket, hello) == Sent::yes)
        counts_.sent();
    else
        counts_.unsent();
}

bool Dialer::open(const std::string& dialed, const Place& place) {
    make_room();
    zmq::socket_t socket(context_, zmq::socket_type::dealer);
    set_common_options(socket);
    socket.set(zmq::sockopt::sndhwm, kQueue);
    socket.set(zmq::sockopt::rcvhwm, 16);  // a welcome each
    socket.set(zmq::sockopt::maxmsgsize, std::int64_t{2} << 20);
    socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
    if (place.second) security_.prepare(socket, *place.second);
    if (!connect(socket, place.first)) return false;
    connections_.emplace(place, Connection{std::move(socket), dialed, now(), now()});
    return true;
}

bool Dialer::answered(const Place& place, cluster::Sender& sender) {
    if (!place.second) return true;
    const auto owner = security_.keys().find(*place.second);
    if (!owner || owner->role != keys::Role::node) {
        counts_.refused(Refusal::removed_key);
        return false;
    }
    sender = {cluster::Sender::Role::node, owner->name};
    security_.seen(owner->name, *place.second);
    trials_[place.first].answered = place.second;
    return true;
}

void Dialer::close_others(const Place& place) {
    std::erase_if(connections_,
                  [&](const auto& one) { return one.first.first == place.first && one.first.second != place.second; });
}

void Dialer::follow_keys(bool own) {
    std::erase_if(connections_, [&](const auto& one) {
        const Key& key = one.first.second;
        return key && (own || !security_.keys().find(*key));
    });
}

void Dialer::make_room() {
    if (connections_.size() < kMaxConnections) return;
    const auto oldest = std::min_element(connections_.begin(), connections_.end(),
                                         [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    connections_.erase(oldest);
}

void Dialer::add_to(std::vector<zmq::pollitem_t>& items) {
    for (auto& [place, connection] : connections_) items.push_back({connection.socket.handle(), 0, ZMQ_POLLIN, 0});
}

std::size_t Dialer::drain(const Emit& emit, std::size_t budget) {
    Parts parts;
    std::size_t taken = 0;
    const auto at = now();
    std::vector<Place> kept;
    for (auto& [place, connection] : connections_) {
        cluster::Sender sender;
        for (std::size_t own = 0; own < budget && receive(connection.socket, parts); ++own, ++taken) {
            counts_.received();
            connection.heard = at;
            if (own == 0 && place.second) kept.push_back(place);
            if (parts.count != 1) {
                counts_.bad_parts();
                continue;
            }
            if (!answered(place, sender)) continue;
            auto decoded = proto::decode(text_of(parts.first));
            if (decoded)
                emit(cluster::MessageArrived{
                    cluster::Channel::dial, {}, connection.dialed, std::move(*decoded), sender});
            else
                undecodable(connection.dialed, text_of(parts.first), decoded.error());
        }
    }
    for (const auto& place : kept) close_others(place);
    return taken;
}

void Dialer::undecodable(const std::string& dialed, std::string_view frame, proto::DecodeError why) {
    counts_.bad(why);
    if (why == proto::DecodeError::wrong_major) other_majors_.heard("the node at " + dialed, frame, now());
}

void Dialer::expire() {
    const auto at = now();
    std::erase_if(connections_, [&](const auto& one) { return at - one.second.used > kIdle; });
    std::erase_if(names_, [&](const auto& one) { return at - one.second.used > kWarnEvery; });
    std::erase_if(trials_, [&](const auto& one) { return at - one.second.used > kIdle; });
    std::erase_if(warned_, [&](const auto& one) { return at - one.second > kWarnEvery; });
}

}  // namespace muster::node
