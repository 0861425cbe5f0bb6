// A simulated TCP network under libzmq's habits: links that keep order while
// they stand, reconnect by themselves, go silent in a partition, and lose what
// was in flight when they break.
#pragma once

#include <muster/ids.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cluster/event.hpp"
#include "tests/sim/clockwork.hpp"
#include "tests/sim/record.hpp"

namespace muster::sim {

/// A machine. Cuts are between places; a node and a worker each have one of their own.
using Place = std::size_t;
using Frame = std::shared_ptr<const std::string>;
/// The client's end: outlives connections, which it makes anew.
using ConnectorId = StrongId<struct ConnectorTag>;
/// One TCP connection, as the server knows it.
using ConnectionId = StrongId<struct ConnectionTag>;

enum class Port : std::uint8_t { door, control, gossip };

/// A running program. It is told nothing after Network::leave.
class Process {
public:
    Process() = default;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    virtual ~Process() = default;

    [[nodiscard]] virtual Place place() const = 0;
    /// What its key proves of it to whomever it connects to, or that connects to it.
    [[nodiscard]] virtual cluster::Sender key() const { return {}; }
    /// Stopped (as by SIGSTOP): completes no handshake.
    [[nodiscard]] virtual bool stopped() const = 0;

    virtual void connected(ConnectorId) {}
    virtual void from_server(ConnectorId, const Frame&) {}
    /// `tag`: who the client said it was (the topic of its subscription).
    virtual void accepted(ConnectionId, Port, const NodeId& /*tag*/, const cluster::Sender& /*key*/) {}
    virtual void dropped(ConnectionId, Port) {}
    virtual void renamed(ConnectionId, const NodeId& /*tag*/) {}
    virtual void from_client(ConnectionId, Port, const Frame&) {}
};

struct NetworkProfile {
    Duration latency = microseconds(200);  // one way, at least
    Duration jitter = microseconds(300);
    std::uint64_t spike_permille = 0;  // frames that take up to `spike` longer
    Duration spike = milliseconds(150);
    std::uint64_t gossip_loss_permille = 0;
    std::uint64_t gossip_double_permille = 0;
    std::uint64_t early_end_permille = 0;  // connections whose end the server notices before the last frames
};

class Network {
public:
    Network(Clockwork& clock, Random random, NetworkProfile profile, std::size_t places, Coverage& coverage);

    /// Addresses are "h<place>:<port number>".
    void listen(const std::string& address, Process& process, Port port);
    /// Keeps trying, every 100 … 2000 ms, until hang_up.
    ConnectorId connect(Process& client, const std::string& address, const NodeId& tag);
    void hang_up(ConnectorId connector);
    /// The client says that it is someone else now; on the connection that stands, and later ones.
    void rename(ConnectorId connector, const NodeId& tag);
    /// False when it could not be put on a connection; true promises nothing.
    bool send(ConnectorId connector, const Frame& frame);
    bool send(ConnectionId connection, const Frame& frame);
    /// Of the server at its other end; nobody's when it has none.
    [[nodiscard]] cluster::Sender server_key(ConnectorId connector) const;
    /// Whether both ends of the connector's connection believe in it.
    [[nodiscard]] bool stands(ConnectorId connector) const;
    /// As PUB does: may drop silently in mid-stream.
    void publish(ConnectionId connection, const Frame& frame);
    /// The process ends. Gracefully: what was sent arrives first; else some of it is lost.
    void leave(Process& process, bool gracefully);
    /// Tries a TCP connect; calls `refused` if, and only if, the machine says that nobody listens.
    void probe(Place from, const std::string& address, std::function<void()> refused);

    /// Cuts add up: as many mends make the way open again. One direction each.
    void cut(Place from, Place to);
    void mend(Place from, Place to);
    /// A firewall that drops what `client` sends to one port of `server`, and what comes from it: one channel of one
    /// direction. Adds up like cuts.
    void cut(Place client, Place server, Port port);
    void mend(Place client, Place server, Port port);
    [[nodiscard]] bool is_cut(Place client, Place server, Port port) const {
        const auto found = port_ways_.find({client, server, port});
        return found != port_ways_.end() && found->second.cuts != 0;
    }
    [[nodiscard]] bool open(Place from, Place to) const { return ways_[from][to].cuts == 0; }
    /// Whether it is open both ways, and has been since `since`.
    [[nodiscard]] bool open_since(Place a, Place b, Duration since) const {
        return open(a, b) && open(b, a) && ways_[a][b].mended <= since && ways_[b][a].mended <= since;
    }
    /// A firewall loses its state: what `from` sends to `to` over the connections that stand is lost from now on, and
    /// nobody is told. New connections carry.
    void forget_connections(Place from, Place to);
    /// Since `since`, nothing was cut between these two that nodes need to hear each other.
    [[nodiscard]] bool undisturbed_since(Place a, Place b, Duration since) const;
    /// When connections between these two were forgotten last; negative: never.
    [[nodiscard]] Duration forgotten_at(Place a, Place b) const;
    /// The same, between any two.
    [[nodiscard]] Duration forgotten_at() const;
    /// Breaks one connection of those that stand; what is in flight on it is lost.
    void reset_one();
    /// Breaks the connections of this process to doors.
    void reset_doors_of(const Process& client);

    NetworkProfile& profile() { return profile_; }
    /// Gossip towards this place is dropped half of the time, until told otherwise.
    void set_deaf(Place place, bool deaf) { deaf_[place] = deaf; }

private:
    struct Lane {
        Duration last{0};        // when the latest frame arrives
        std::deque<Frame> held;  // kept back by a cut, or until pause_until
        Duration pause_until{0};
        bool forgotten = false;  // what is sent is lost
    };
    struct Connection {
        ConnectionId id;
        ConnectorId connector;
        Port port;
        Process* client;
        Process* server;
        Place client_place;
        Place server_place;
        bool client_up = true;
        bool server_up = true;
        bool ends_early = false;  // the server can only receive any more
        Lane to_server{};
        Lane to_client{};
    };
    struct Connector {
        Process* client;
        std::string address;
        NodeId tag;
        ConnectionId connection;
        Duration backoff = milliseconds(100);
    };
    struct Listener {
        Process* process;
        Port port;
    };
    struct Way {
        int cuts = 0;
        std::uint64_t epoch = 0;  // counts the times it was cut
        Duration mended{0};
        Duration forgotten{-1};  // when connections lost what was sent this way
    };
    using PortKey = std::tuple<Place, Place, Port>;  // client, server

    Duration delay();
    void attempt(ConnectorId id);
    void retry(ConnectorId id, Connector& connector);
    void put(Connection& c, bool to_server, const Frame& frame);
    void arrive(ConnectionId id, bool to_server, const Frame& frame);
    void hand_over(Connection& c, bool to_server, const Frame& frame);
    void flush(ConnectionId id, bool to_server);
    void close_side(ConnectionId id, bool server_side, bool tell);
    void close_later(ConnectionId id, bool server_side, Duration when);
    void tell_other_side(Connection& c, bool server_side, bool in_order);
    bool notice_early(Connection& c);
    [[nodiscard]] bool passes(const Connection& c, bool to_server) const;
    [[nodiscard]] bool can_connect(Place from, const std::string& address) const;
    void give_up_later(ConnectionId id, const std::function<bool()>& still_cut);
    void resume(Connection& c, bool to_server);
    void erase_if_dead(ConnectionId id);

    Clockwork& clock_;
    Random random_;
    NetworkProfile profile_;
    Coverage& coverage_;
    std::vector<std::vector<Way>> ways_;
    std::map<PortKey, Way> port_ways_;
    std::vector<bool> deaf_;
    std::map<std::string, Listener> listeners_;
    std::map<ConnectorId, Connector> connectors_;
    std::map<ConnectionId, Connection> connections_;
    std::uint64_t made_ = 0;
    Duration window_{0};  // of a second, and the frames sent in it
    std::uint64_t frames_ = 0;
};

}  // namespace muster::sim
