// All sockets of a node: opened together, polled together, each with one job.
#pragma once

#include <muster/result.hpp>

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
#include "node/io/alarm.hpp"
#include "node/sockets/control.hpp"
#include "node/sockets/dialer.hpp"
#include "node/sockets/door.hpp"
#include "node/sockets/gossip.hpp"
#include "node/sockets/peer_links.hpp"
#include "node/sockets/prober.hpp"

namespace muster::node {

struct SocketOptions {
    std::string scope;
    NodeId self;
    std::string listen;     // "host:port"; port 0: any free one
    std::string advertise;  // empty: as `listen`
    std::uint16_t control_port = 0;
    std::uint16_t gossip_port = 0;
    Lose lose{};                                                     // for tests of repair
    std::shared_ptr<keys::Keyring> keys{};                           // none: only loopback is bound
    bool insecure = false;                                           // without keys, any address may be bound
    Dialer::Expected expected{};                                     // with keys: which node is at an address
    Connections::Bounds connections{16384, std::size_t{256} << 20};  // of each port
};

/// Opened by any thread, then used by the loop's alone.
class Sockets {
public:
    /// Errors: bad_request (an address is none, or not to be bound without keys), unreachable (port in use).
    static Result<std::unique_ptr<Sockets>> open(const SocketOptions& options, NodeCounters& counts,
                                                 std::shared_ptr<Wakeup> wakeup, Log log);
    ~Sockets();

    // What others connect to.
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] const std::string& control() const { return control_address_; }
    [[nodiscard]] const std::string& gossip() const { return gossip_address_; }

    /// Returns when something can be read, the wakeup was notified, or `timeout` has passed. With `awake` it does not
    /// sleep, and returns after that at the latest.
    void wait(std::chrono::nanoseconds timeout, std::chrono::microseconds awake = std::chrono::microseconds(0));
    /// Takes in some of what has arrived, from every socket.
    void drain(const Emit& emit);
    /// Takes in what nodes have sent until nothing is there: nobody is to be
    /// judged silent whose words lie in a socket. (Stops after some 20,000.)
    void drain_nodes(const Emit& emit);
    /// One overload for each action that sockets perform. `emit` is called when an action fails at once.
    void perform(const cluster::Publish& action, const Emit& emit);
    void perform(const cluster::SendPeer& action, const Emit& emit);
    void perform(const cluster::SendDoor& action, const Emit& emit);
    void perform(const cluster::Dial& action, const Emit& emit);
    void perform(const cluster::HangUp& action, const Emit& emit);
    void perform(const cluster::ConnectPeer& action, const Emit& emit);
    void perform(const cluster::DisconnectPeer& action, const Emit& emit);
    void perform(const cluster::CheckProcess& action, const Emit& emit);
    void perform(const cluster::IdentityChanged& action, const Emit& emit);
    /// Does what a change of keys asks for: every turn. With an error, a socket could not be opened anew.
    std::optional<Error> follow_keys(const Emit& emit);
    /// Housekeeping, about once a second.
    void expire();
    /// Begins to end connections that hold up the loop. `loop_age`: see FloodGuard; to be there as long as this.
    void guard(std::function<std::chrono::milliseconds()> loop_age);

private:
    Sockets(const SocketOptions& options, NodeCounters& counts, std::shared_ptr<Wakeup> wakeup, Log log);
    std::optional<Error> bind(const SocketOptions& options);
    void take_resolved(const Emit& emit);
    void watch_connections();
    void tell_security(const SocketOptions& options, const std::string& host);
    std::optional<Error> reopen(const Emit& emit);

    NodeCounters& counts_;
    const Log log_;
    zmq::context_t context_;
    std::shared_ptr<Wakeup> wakeup_;
    Security security_;  // before all that is bound, and gone after it
    Resolver resolver_;
    Alarm alarm_;
    Gossip gossip_socket_;
    Door door_;
    Control control_socket_;
    PeerLinks links_;
    Dialer dialer_;
    Prober prober_;
    std::string address_;
    std::string control_address_;
    std::string gossip_address_;
    std::vector<zmq::pollitem_t> items_;
    cluster::Instant checked_{};
    std::uint16_t publisher_port_ = 0;
    std::optional<FloodGuard> flood_guard_;  // ends first
};

/// The numeric address that "host:port" `listen` names. Errors: bad_request (others could not connect to it; or it is
/// no loopback, and that is not allowed), unreachable.
Result<std::string> host_to_bind(const std::string& listen, const std::string& advertise, bool may_reach_others);

/// So many file descriptors as the system grants; running out of them spins libzmq's thread.
void raise_descriptor_limit();

}  // namespace muster::node
