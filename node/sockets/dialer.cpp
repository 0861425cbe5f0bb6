#include "node/sockets/dialer.hpp"

#include <algorithm>

#include "node/io/address.hpp"
#include "node/io/clock.hpp"
#include "node/io/zmq_io.hpp"
#include "proto/codec.hpp"

namespace muster::node {
namespace {

constexpr int kHellosToSend = 4;       // hellos that wait for a connection; older ones would be stale
constexpr int kAnswersToReceive = 16;  // each hello is answered by one message
constexpr auto kUnusedFor = std::chrono::seconds(30);
constexpr auto kSilence = std::chrono::seconds(5);
constexpr auto kTrial = std::chrono::seconds(1);  // how long some keys of many are tried
constexpr auto kWarnEvery = std::chrono::seconds(60);

}  // namespace

Dialer::Dialer(zmq::context_t& context, NodeCounters& counters, Resolver& resolver, Security& security,
               Expected expected, Log log)
    : context_(context),
      counters_(counters),
      resolver_(resolver),
      security_(security),
      configured_(std::move(expected)),
      expected_(configured_),
      log_(log),
      other_majors_(counters, std::move(log)) {}

void Dialer::dial(const std::string& address, const proto::Message& message) {
    // A hello to a node that is known names it, so that only its keys are tried.
    if (const auto* named = std::get_if<proto::Hello>(&message.body);
        named && !named->expects.empty() && !configured_.contains(address))
        expected_[address] = named->expects;
    auto hello = proto::encode(message);
    if (const auto found = resolver_.ask(address)) return send_to_all(*found, hello);
    Name& name = names_[address];
    name.used = now();
    name.waiting = std::move(hello);
}

void Dialer::hang_up(const std::string& address) {
    if (!configured_.contains(address)) expected_.erase(address);
    names_.erase(address);
    std::erase_if(connections_, [&](const auto& one) { return one.second.dialed == address; });
}

void Dialer::resolved(const Resolver::Found& found) {
    const auto name = names_.find(found.address);
    if (name == names_.end()) return;
    if (const auto hello = std::exchange(name->second.waiting, std::nullopt)) send_to_all(found, *hello);
}

void Dialer::send_to_all(const Resolver::Found& found, const std::string& hello) {
    if (!found.is_current)
        warn(found.address, {2,
                             "unresolved",
                             "cannot resolve " + found.address + ": check the name; " +
                                 (found.numeric.empty() ? "trying again" : "trying the addresses that it had before"),
                             {{"address", found.address}}});
    if (found.numeric.empty()) counters_.unsent();
    for (const auto& numeric : found.numeric) {
        warn_if_unreachable(found.address, numeric);
        send_to_address(found.address, numeric, hello);
    }
}

void Dialer::warn_if_unreachable(const std::string& dialed, const std::string& numeric) {
    const auto host = parse_address(numeric)->host;
    if (listens_on_.empty() || is_loopback(host) || is_any(host)) return;  // to connect to 0.0.0.0 reaches this host
    log_({2,
          "loopback_only",
          listens_on_ + " is an address that only this host can reach, but " + dialed + " is another host (" + numeric +
              "): set --listen to an address that it can reach",
          {{"address", dialed}}});
    listens_on_.clear();
}

void Dialer::warn(const std::string& dialed, LogLine line) {
    if (warned_.try_emplace(dialed, now()).second) log_(std::move(line));
}

void Dialer::send_to_address(const std::string& dialed, const std::string& numeric, const std::string& hello) {
    for (const Key& key : keys_for(dialed, numeric)) send_to(dialed, {numeric, key}, hello);
}

std::vector<Dialer::Key> Dialer::keys_for(const std::string& dialed, const std::string& numeric) {
    if (!security_.has_keys()) return {Key()};
    const auto time = now();
    Trial& trial = trials_.try_emplace(numeric, Trial{{}, 0, time, time}).first->second;
    trial.used = time;
    if (trial.answered) {
        const auto open = connections_.find({numeric, trial.answered});
        if (open != connections_.end() && time - open->second.last_received <= kSilence) return {trial.answered};
        trial.answered.reset();  // another node may have this address now
    }
    const auto name = expected_.find(dialed);
    std::vector<Key> keys;
    for (const auto& one : security_.keys().node_keys(name == expected_.end() ? std::string() : name->second))
        keys.emplace_back(one.key);
    if (keys.empty())
        warn(dialed, {2,
                      "key_missing",
                      "no trusted key of node " + name->second + ", expected at " + dialed + ": put " + name->second +
                          ".pub into nodes/; trying again",
                      {{"node", name->second}, {"address", dialed}}});
    if (keys.size() <= kKeysAtOnce) return keys;
    if (time - trial.since >= kTrial) {
        close_others({numeric, {}});  // all: without answers
        trial.first += kKeysAtOnce;
        trial.since = time;
    }
    const auto first = static_cast<std::ptrdiff_t>(trial.first % keys.size());
    std::rotate(keys.begin(), keys.begin() + first, keys.end());
    keys.resize(kKeysAtOnce);
    return keys;
}

void Dialer::send_to(const std::string& dialed, const Endpoint& endpoint, const std::string& hello) {
    auto found = connections_.find(endpoint);
    if (found != connections_.end() && now() - found->second.last_received > kSilence) {
        connections_.erase(found);
        found = connections_.end();
    }
    if (found == connections_.end() && !open(dialed, endpoint)) return counters_.unsent();
    Connection& connection = connections_.at(endpoint);
    connection.used = now();
    connection.dialed = dialed;
    if (send(connection.socket, hello) == Sent::yes)
        counters_.sent();
    else
        counters_.unsent();
}

bool Dialer::open(const std::string& dialed, const Endpoint& endpoint) {
    make_room();
    auto opened = open_socket(context_, zmq::socket_type::dealer, counters_);
    if (!opened) return false;  // the core dials again
    Socket& socket = *opened;
    set_common_options(socket);
    socket.set(zmq::sockopt::sndhwm, kHellosToSend);
    socket.set(zmq::sockopt::rcvhwm, kAnswersToReceive);
    socket.set(zmq::sockopt::maxmsgsize, std::int64_t{2} << 20);
    socket.set(zmq::sockopt::reconnect_ivl_max, 1000);
    if (endpoint.key) security_.prepare_client(socket, *endpoint.key);
    if (!connect(socket, endpoint.address)) return false;
    connections_.emplace(endpoint, Connection{*std::move(opened), dialed, now(), now()});
    return true;
}

bool Dialer::identify(const Endpoint& endpoint, cluster::Sender& sender) {
    if (!endpoint.key) return true;
    const auto owner = security_.keys().find(*endpoint.key);
    if (!owner || owner->role != keys::Role::node) {
        counters_.refused(Refusal::removed_key);
        return false;
    }
    sender = {cluster::Sender::Role::node, owner->name};
    security_.node_key_seen(owner->name, *endpoint.key);
    trials_[endpoint.address].answered = endpoint.key;
    return true;
}

void Dialer::close_others(const Endpoint& endpoint) {
    std::erase_if(connections_, [&](const auto& one) {
        return one.first.address == endpoint.address && one.first.key != endpoint.key;
    });
}

void Dialer::keys_changed(bool own) {
    std::erase_if(connections_, [&](const auto& one) {
        const Key& key = one.first.key;
        return key && (own || !security_.keys().find(*key));
    });
}

void Dialer::make_room() {
    if (connections_.size() < kMaxConnections) return;
    const auto oldest = std::min_element(connections_.begin(), connections_.end(),
                                         [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    connections_.erase(oldest);
}

void Dialer::add_to(Poller& poller) {
    for (auto& [endpoint, connection] : connections_) poller.add(connection.socket);
}

void Dialer::drain(const Emit& emit, ReceiveBudget budget) {
    Parts parts;
    const auto time = now();
    std::vector<Endpoint> kept;
    auto at = left_out_ ? connections_.lower_bound(*left_out_) : connections_.begin();
    left_out_.reset();
    for (std::size_t i = 0; i < connections_.size(); ++i, ++at) {
        if (at == connections_.end()) at = connections_.begin();
        auto& [endpoint, connection] = *at;
        if (budget.is_spent()) {
            left_out_ = endpoint;
            break;
        }
        cluster::Sender sender;
        for (int count = 0; count < kAnswersToReceive && receive(connection.socket, parts); ++count) {
            budget.spend(parts.bytes);
            counters_.received();
            connection.last_received = time;
            if (count == 0 && endpoint.key) kept.push_back(endpoint);  // the right key: libzmq checked it
            if (parts.count != 1) {
                counters_.bad_parts();
                continue;
            }
            if (!identify(endpoint, sender)) continue;
            auto decoded = proto::decode(text_of(parts.first));
            if (decoded)
                emit(cluster::MessageArrived{
                    cluster::Channel::dial, {}, connection.dialed, std::move(*decoded), sender});
            else
                count_undecodable(connection.dialed, text_of(parts.first), decoded.error());
        }
    }
    for (const auto& endpoint : kept) close_others(endpoint);
}

void Dialer::count_undecodable(const std::string& dialed, std::string_view frame, proto::DecodeError why) {
    counters_.bad(why);
    if (why == proto::DecodeError::wrong_major) other_majors_.warn("the node at " + dialed, frame, now());
}

void Dialer::expire() {
    const auto time = now();
    std::erase_if(connections_, [&](const auto& one) { return time - one.second.used > kUnusedFor; });
    std::erase_if(names_, [&](const auto& one) { return time - one.second.used > kWarnEvery; });
    std::erase_if(trials_, [&](const auto& one) { return time - one.second.used > kUnusedFor; });
    std::erase_if(warned_, [&](const auto& one) { return time - one.second > kWarnEvery; });
}

}  // namespace muster::node
