// All sockets of a node.
#pragma once

#include <muster/result.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "cluster/action.hpp"
#include "node/admission/flood_guard.hpp"
#include "node/io/poller.hpp"
#include "node/io/shortage.hpp"
#include "node/io/shortage_watch.hpp"
#include "node/sockets/control.hpp"
#include "node/sockets/dialer.hpp"
#include "node/sockets/door.hpp"
#include "node/sockets/gossip.hpp"
#include "node/sockets/peer_links.hpp"
#include "node/sockets/peer_routes.hpp"
#include "node/sockets/prober.hpp"

namespace muster::node {

struct SocketOptions {
    std::string scope;
    NodeId self;
    std::string listen;                                              // "host:port"; port 0: any free one
    std::string advertise;                                           // the address that others use; empty: `listen`
    std::uint16_t control_port = 0;                                  // 0: any free one
    std::uint16_t gossip_port = 0;                                   // 0: any free one
    DropFilter drop{};                                               // publications to drop, in tests of repair
    std::shared_ptr<keys::Keyring> keys{};                           // empty: no keys, only loopback may be bound
    bool insecure = false;                                           // without keys, any address may be bound
    Dialer::Expected expected{};                                     // with keys: which node is at an address
    Connections::Bounds connections{16384, std::size_t{256} << 20};  // of each port
};

/// Opens, polls and drains the sockets, and performs the actions that concern them. May be opened by any thread, and is
/// then used by the loop's thread only.
class Sockets {
public:
    /// Errors: bad_request (an address is malformed, or may not be bound without keys), unreachable (a port is in use,
    /// the address is not there, the name of `listen` does not resolve), overloaded (the system has no descriptors
    /// left).
    static Result<std::unique_ptr<Sockets>> open(const SocketOptions& options, NodeCounters& counters,
                                                 std::shared_ptr<Wakeup> wakeup, Log log);
    ~Sockets();

    // The advertised addresses of the three ports.
    [[nodiscard]] const std::string& address() const { return address_; }
    /// The host as the user gave it, and the port of the front door.
    [[nodiscard]] const std::string& listens_on() const { return listens_on_; }
    [[nodiscard]] const std::string& control() const { return control_address_; }
    [[nodiscard]] const std::string& gossip() const { return gossip_address_; }

    /// Returns when a socket can be read, the wakeup was notified, or `timeout` has passed. If `busy` is not zero,
    /// polls without sleeping, and returns after that time at the latest.
    void wait(std::chrono::nanoseconds timeout, std::chrono::microseconds busy = std::chrono::microseconds(0));
    /// Receives a bounded amount from every socket and emits it: see ReceiveBudget.
    void drain(const Emit& emit);
    /// Receives from the sockets of peers until they are empty, but a bounded amount. Called before a tick: no peer may
    /// be judged silent while its messages wait in a socket. One that sends more than that hides nobody: sockets take
    /// turns between connections.
    void drain_nodes(const Emit& emit);
    /// One overload for each action that sockets perform. `emit` is called when an action fails at once.
    void perform(const cluster::Publish& action, const Emit& emit);
    void perform(const cluster::SendPeer& action, const Emit& emit);
    void perform(const cluster::PublishTo& action, const Emit& emit);
    void perform(const cluster::SendDoor& action, const Emit& emit);
    void perform(const cluster::Dial& action, const Emit& emit);
    void perform(const cluster::HangUp& action, const Emit& emit);
    void perform(const cluster::ConnectPeer& action, const Emit& emit);
    void perform(const cluster::DisconnectPeer& action, const Emit& emit);
    void perform(const cluster::CheckProcess& action, const Emit& emit);
    void perform(const cluster::IdentityChanged& action, const Emit& emit);
    /// Sends what was kept for bundles. To be called after each turn's actions.
    void flush(const Emit& emit) { door_.flush(emit); }
    /// Reopens and reconnects sockets if keys have changed. Must be called in every turn. While descriptors are short
    /// it does so later. Errors: a port could not be bound again.
    std::optional<Error> apply_key_changes(const Emit& emit);
    /// Drops what was not used for long, and tries again what the system refused. To be called about once a second.
    void expire();
    /// Starts the FloodGuard. `loop_age` must remain valid as long as this object.
    void start_flood_guard(std::function<std::chrono::milliseconds()> loop_age);

private:
    Sockets(const SocketOptions& options, NodeCounters& counters, std::shared_ptr<Wakeup> wakeup, Log log);
    std::optional<Error> bind(const SocketOptions& options);
    void report_security(const SocketOptions& options, const std::string& host);
    void check_connections();
    /// Of each socket that is connected to from outside.
    std::array<Connections*, 4> all_connections();
    void take_resolved(const Emit& emit);
    std::optional<Error> reopen(const Emit& emit);

    NodeCounters& counters_;
    const Log log_;
    zmq::context_t context_;
    std::shared_ptr<Wakeup> wakeup_;
    Security security_;  // made before any socket is bound, and destroyed after all are closed
    Resolver resolver_;
    Gossip gossip_socket_;
    Door door_;
    Control control_socket_;
    PeerLinks links_;
    PeerRoutes control_routes_;
    PeerRoutes gossip_routes_;
    Dialer dialer_;
    Prober prober_;
    std::string listens_on_;
    std::string address_;
    std::string control_address_;
    std::string gossip_address_;
    Poller poller_;
    cluster::Instant connections_checked_{};
    int scarce_ = 0;  // not 0: few descriptors are left
    ShortageWatch shortage_;
    Security::Changes changes_;         // that were not applied yet
    cluster::Instant apply_changes_{};  // not before
    std::uint16_t publisher_port_ = 0;
    std::optional<FloodGuard> flood_guard_;  // destroyed first
};

/// The numeric address to bind to for `listen`, "host:port". Looks the name up if it is one. Errors: bad_request
/// (others cannot connect to `advertise` or `listen`, or the address is not loopback and `may_reach_others` is false).
Result<std::string> host_to_bind(const std::string& listen, const std::string& advertise, bool may_reach_others);

/// Raises the limit of file descriptors as far as the system permits. When descriptors run out, libzmq's I/O thread
/// spins.
void raise_descriptor_limit();

}  // namespace muster::node
