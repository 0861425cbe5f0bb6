#include "tests/sim/network.hpp"

#include <charconv>
#include <iterator>
#include <utility>

namespace muster::sim {
namespace {

constexpr std::uint64_t kStorm = 2000;  // frames a second for each pair of places; some 50 are usual
constexpr milliseconds kUnread{60};     // for which frames wait to be received at a busy process, at most
// libzmq's high-water mark: beyond it the newest are dropped. Those of a front door are refused, which the node hears.
constexpr std::size_t kHeldFrames = 2000;

Place place_of(const std::string& address) {
    Place place = 0;
    std::from_chars(address.data() + 1, address.data() + address.size(), place);
    return place;
}

/// Of a node's address: see Host.
Port port_of(const std::string& address) {
    const auto colon = address.find(':');
    std::uint64_t number = 0;
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), number);
    if (number < 10'000) return Port::door;
    return number % 2 == 0 ? Port::control : Port::gossip;
}

}  // namespace

Network::Network(Clockwork& clock, Random random, NetworkProfile profile, std::size_t places, Coverage& coverage)
    : clock_(clock),
      random_(random),
      profile_(profile),
      coverage_(coverage),
      ways_(places, std::vector<Way>(places)),
      deaf_(places, false) {}

Duration Network::delay() {
    Duration taken = profile_.latency + random_.within(Duration(0), profile_.jitter);
    if (random_.permille(profile_.spike_permille)) taken += random_.within(Duration(0), profile_.spike);
    return taken;
}

// ---- connecting ------------------------------------------------------------

void Network::listen(const std::string& address, Process& process, Port port) {
    listeners_[address] = {&process, port};
}

ConnectorId Network::connect(Process& client, const std::string& address, const NodeId& tag) {
    const ConnectorId id{++made_};
    connectors_.emplace(id, Connector{&client, address, tag, {}, milliseconds(100)});
    clock_.after(delay() + delay(), [this, id] { attempt(id); });
    return id;
}

void Network::attempt(ConnectorId id) {
    const auto found = connectors_.find(id);
    if (found == connectors_.end() || found->second.connection) return;
    Connector& connector = found->second;
    const Place from = connector.client->place();
    const auto listener = listeners_.find(connector.address);
    if (listener == listeners_.end() || listener->second.process->stopped() || connector.client->stopped() ||
        !can_connect(from, connector.address)) {
        return retry(id, connector);
    }
    const ConnectionId connection{++made_};
    const auto [process, port] = listener->second;
    connections_.emplace(connection,
                         Connection{connection, id, port, connector.client, process, from, process->place()});
    connector.connection = connection;
    connector.backoff = milliseconds(100);
    Process* client = connector.client;
    process->accepted(connection, port, connector.tag, client->key());
    client->connected(id);
}

void Network::retry(ConnectorId id, Connector& connector) {
    clock_.after(connector.backoff + random_.within(Duration(0), connector.backoff), [this, id] { attempt(id); });
    connector.backoff = std::min<Duration>(connector.backoff * 2, milliseconds(2000));
}

void Network::hang_up(ConnectorId id) {
    const auto found = connectors_.find(id);
    if (found == connectors_.end()) return;
    const ConnectionId connection = found->second.connection;
    connectors_.erase(found);
    const auto at = connections_.find(connection);
    if (at == connections_.end() || !at->second.client_up) return;
    at->second.client_up = false;
    tell_other_side(at->second, false, true);
    erase_if_dead(connection);
}

void Network::rename(ConnectorId id, const NodeId& tag) {
    const auto found = connectors_.find(id);
    if (found == connectors_.end()) return;
    found->second.tag = tag;
    clock_.after(delay(), [this, connection = found->second.connection, tag] {
        const auto at = connections_.find(connection);
        if (at != connections_.end() && at->second.server_up) at->second.server->renamed(connection, tag);
    });
}

void Network::probe(Place from, const std::string& address, std::function<void()> refused) {
    clock_.after(delay() + delay(), [this, from, address, refused = std::move(refused)] {
        if (place_of(address) < ways_.size() && can_connect(from, address) && !listeners_.contains(address)) refused();
    });
}

bool Network::can_connect(Place from, const std::string& address) const {
    const Place to = place_of(address);
    return open(from, to) && open(to, from) && !is_cut(from, to, port_of(address));
}

bool Network::passes(const Connection& c, bool to_server) const {
    if ((to_server ? c.to_server : c.to_client).forgotten) return false;
    if (is_cut(c.client_place, c.server_place, c.port)) return false;
    return to_server ? open(c.client_place, c.server_place) : open(c.server_place, c.client_place);
}

// ---- frames ----------------------------------------------------------------

bool Network::send(ConnectorId id, const Frame& frame) {
    const auto connector = connectors_.find(id);
    if (connector == connectors_.end()) return false;
    const auto found = connections_.find(connector->second.connection);
    if (found == connections_.end() || !found->second.client_up) return false;
    put(found->second, true, frame);
    return true;
}

bool Network::send(ConnectionId id, const Frame& frame) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !found->second.server_up || found->second.ends_early) return false;
    if (found->second.to_client.held.size() >= kHeldFrames) return false;
    put(found->second, false, frame);
    return true;
}

cluster::Sender Network::server_key(ConnectorId id) const {
    const auto connector = connectors_.find(id);
    if (connector == connectors_.end()) return {};
    const auto found = connections_.find(connector->second.connection);
    return found == connections_.end() ? cluster::Sender{} : found->second.server->key();
}

bool Network::stands(ConnectorId id) const {
    const auto connector = connectors_.find(id);
    if (connector == connectors_.end()) return false;
    const auto found = connections_.find(connector->second.connection);
    return found != connections_.end() && found->second.client_up && found->second.server_up;
}

void Network::publish(ConnectionId id, const Frame& frame) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !found->second.server_up) return;
    const std::uint64_t loss = profile_.gossip_loss_permille + (deaf_[found->second.client_place] ? 500 : 0);
    if (random_.permille(loss)) return coverage_.count(Fault::gossip_lost);
    put(found->second, false, frame);
    if (random_.permille(profile_.gossip_double_permille)) {
        coverage_.count(Fault::gossip_doubled);
        put(found->second, false, frame);
    }
}

void Network::put(Connection& c, bool to_server, const Frame& frame) {
    if (clock_.now() >= window_ + seconds(1)) {
        window_ = clock_.now();
        frames_ = 0;
    }
    if (++frames_ > kStorm * ways_.size() * ways_.size()) throw Violation("a storm: messages breed messages");
    Lane& lane = to_server ? c.to_server : c.to_client;
    lane.last = std::max(lane.last, clock_.now() + delay());
    clock_.at(lane.last, [this, id = c.id, to_server, frame] { arrive(id, to_server, frame); });
}

void Network::arrive(ConnectionId id, bool to_server, const Frame& frame) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& c = found->second;
    Lane& lane = to_server ? c.to_server : c.to_client;
    if (lane.forgotten) return;
    if (!passes(c, to_server) || !lane.held.empty() || clock_.now() < lane.pause_until) {
        const bool is_refused_at_the_sender = !to_server && c.port != Port::gossip;
        if (is_refused_at_the_sender || lane.held.size() < kHeldFrames) lane.held.push_back(frame);
        return;
    }
    hand_over(c, to_server, frame);
}

void Network::hand_over(Connection& c, bool to_server, const Frame& frame) {
    if (to_server ? c.server_up : c.client_up) {
        if (to_server) return c.server->from_client(c.id, c.port, frame);
        return c.client->from_server(c.connector, frame);
    }
    // Nobody is there any more: the sender is reset.
    if (to_server ? c.client_up : c.server_up) close_later(c.id, !to_server, clock_.now() + delay());
}

void Network::flush(ConnectionId id, bool to_server) {
    while (true) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) return;
        Connection& c = found->second;
        Lane& lane = to_server ? c.to_server : c.to_client;
        if (lane.held.empty() || !passes(c, to_server)) return;
        const Frame frame = lane.held.front();
        lane.held.pop_front();
        hand_over(c, to_server, frame);
    }
}

// ---- closing ---------------------------------------------------------------

void Network::close_later(ConnectionId id, bool server_side, Duration when) {
    clock_.at(when, [this, id, server_side] { close_side(id, server_side, true); });
}

void Network::close_side(ConnectionId id, bool server_side, bool tell) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& c = found->second;
    bool& up = server_side ? c.server_up : c.client_up;
    if (!up) return;
    up = false;
    Process* server = c.server;
    const Port port = c.port;
    if (!server_side) {
        const auto connector = connectors_.find(c.connector);
        if (connector != connectors_.end() && connector->second.connection == id) {
            connector->second.connection = {};
            retry(connector->first, connector->second);
        }
    }
    tell_other_side(c, server_side, false);
    erase_if_dead(id);
    if (server_side && tell) server->dropped(id, port);
}

void Network::tell_other_side(Connection& c, bool server_side, bool in_order) {
    if (!passes(c, !server_side) || !(server_side ? c.client_up : c.server_up)) return;
    Duration when = clock_.now() + delay();
    if (in_order) when = std::max(when, server_side ? c.to_client.last : c.to_server.last);
    if (in_order && !server_side && notice_early(c)) {
        c.to_server.pause_until = clock_.now() + random_.within(milliseconds(1), kUnread);
        clock_.at(c.to_server.pause_until, [this, id = c.id] { flush(id, true); });
        when = std::max(when, c.to_server.pause_until + milliseconds(1));
    }
    close_later(c.id, !server_side, when);
}

/// libzmq's own thread sees the end of a connection while what came before it waits to be received.
bool Network::notice_early(Connection& c) {
    const bool under_way = c.to_server.last > clock_.now() || !c.to_server.held.empty();
    if (c.port != Port::door || !under_way || profile_.early_end_permille == 0) return false;
    if (!random_.permille(profile_.early_end_permille)) return false;
    c.ends_early = true;
    ++coverage_.marks["end noticed before the last words"];
    return true;
}

void Network::erase_if_dead(ConnectionId id) {
    const auto found = connections_.find(id);
    if (found != connections_.end() && !found->second.client_up && !found->second.server_up) connections_.erase(found);
}

void Network::leave(Process& process, bool gracefully) {
    std::erase_if(listeners_, [&](const auto& entry) { return entry.second.process == &process; });
    std::erase_if(connectors_, [&](const auto& entry) { return entry.second.client == &process; });
    for (auto at = connections_.begin(); at != connections_.end();) {
        Connection& c = (at++)->second;
        for (const bool server_side : {false, true}) {
            bool& up = server_side ? c.server_up : c.client_up;
            if ((server_side ? c.server : c.client) != &process || !up) continue;
            up = false;
            tell_other_side(c, server_side, gracefully);
        }
        erase_if_dead(c.id);
    }
}

void Network::reset_one() {
    if (connections_.empty()) return;
    auto at = connections_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(connections_.size())));
    const ConnectionId id = at->first;
    coverage_.count(Fault::link_reset);
    close_side(id, random_.permille(500), true);
}

void Network::reset_doors_of(const Process& client) {
    std::vector<ConnectionId> ids;
    for (const auto& [id, c] : connections_) {
        if (c.client == &client && c.port == Port::door && c.client_up) ids.push_back(id);
    }
    for (const ConnectionId id : ids) close_side(id, false, true);
}

// ---- cuts ------------------------------------------------------------------

void Network::cut(Place from, Place to) {
    Way& way = ways_[from][to];
    if (++way.cuts != 1) return;
    const std::uint64_t epoch = ++way.epoch;
    for (const auto& [id, c] : connections_) {
        const bool forth = c.client_place == from && c.server_place == to;
        const bool back = c.client_place == to && c.server_place == from;
        if (!forth && !back) continue;
        give_up_later(id, [this, from, to, epoch] { return !open(from, to) && ways_[from][to].epoch == epoch; });
    }
}

void Network::cut(Place client, Place server, Port port) {
    Way& way = port_ways_[{client, server, port}];
    if (++way.cuts != 1) return;
    const std::uint64_t epoch = ++way.epoch;
    for (const auto& [id, c] : connections_) {
        if (PortKey{c.client_place, c.server_place, c.port} != PortKey{client, server, port}) continue;
        give_up_later(
            id, [&way, epoch] { return way.cuts != 0 && way.epoch == epoch; });  // entries of a map stay where they are
    }
}

/// TCP_USER_TIMEOUT and ZMTP's heartbeats: each side of a dead link notices by itself after seconds.
void Network::give_up_later(ConnectionId id, const std::function<bool()>& still_cut) {
    for (const bool server_side : {false, true}) {
        clock_.after(random_.within(seconds(5), seconds(8)), [this, id, server_side, still_cut] {
            if (still_cut()) close_side(id, server_side, true);
        });
    }
}

void Network::forget_connections(Place from, Place to) {
    ways_[from][to].forgotten = clock_.now();
    for (auto& [id, c] : connections_) {
        const bool forth = c.client_place == from && c.server_place == to;
        const bool back = c.client_place == to && c.server_place == from;
        if (!forth && !back) continue;
        Lane& lane = forth ? c.to_server : c.to_client;
        if (!std::exchange(lane.forgotten, true)) give_up_later(id, [] { return true; });
    }
}

Duration Network::forgotten_at() const {
    Duration latest{-1};
    for (const auto& from : ways_)
        for (const Way& way : from) latest = std::max(latest, way.forgotten);
    return latest;
}

bool Network::undisturbed_since(Place a, Place b, Duration since) const {
    const auto undisturbed = [since](const Way& way) {
        return way.cuts == 0 && (way.epoch == 0 || way.mended <= since);
    };
    for (const auto& [client, server] : {std::pair(a, b), std::pair(b, a)}) {
        if (!undisturbed(ways_[client][server])) return false;
        for (const Port port : {Port::control, Port::gossip}) {
            const auto found = port_ways_.find({client, server, port});
            if (found != port_ways_.end() && !undisturbed(found->second)) return false;
        }
    }
    return true;
}

Duration Network::forgotten_at(Place a, Place b) const {
    return std::max(ways_[a][b].forgotten, ways_[b][a].forgotten);
}

void Network::mend(Place from, Place to) {
    Way& way = ways_[from][to];
    if (way.cuts == 0 || --way.cuts != 0) return;
    way.mended = clock_.now();
    for (auto& [id, c] : connections_) {
        const bool forth = c.client_place == from && c.server_place == to;
        const bool back = c.client_place == to && c.server_place == from;
        if (forth || back) resume(c, forth);
    }
}

void Network::mend(Place client, Place server, Port port) {
    Way& way = port_ways_[{client, server, port}];
    if (way.cuts == 0 || --way.cuts != 0) return;
    way.mended = clock_.now();
    for (auto& [id, c] : connections_) {
        if (PortKey{c.client_place, c.server_place, c.port} != PortKey{client, server, port}) continue;
        resume(c, true);
        resume(c, false);
    }
}

/// TCP tries again after its retransmission timeout, which has grown with the cut.
void Network::resume(Connection& c, bool to_server) {
    const Duration rto = random_.within(milliseconds(1), milliseconds(400));
    clock_.after(rto, [this, id = c.id, to_server] { flush(id, to_server); });
    const bool is_told = !(c.server_up ? c.to_server : c.to_client).forgotten;
    if (c.client_up != c.server_up && is_told) close_later(c.id, c.server_up, clock_.now() + rto + milliseconds(1));
    if (!c.client_up) (void)notice_early(c);
}

}  // namespace muster::sim
