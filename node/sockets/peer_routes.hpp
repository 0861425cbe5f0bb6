// Finds the numeric address at which a peer that advertises a name can be reached.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/time.hpp"
#include "node/io/poller.hpp"
#include "node/io/port_probe.hpp"
#include "node/io/resolver.hpp"

namespace muster::node {

/// libzmq would look a name up on its only I/O thread, and every connection would stop meanwhile. So it is handed
/// numbers only, and this class finds them. A number is used immediately, and so is the only address of a name. If a
/// name has several, they are tried as RFC 8305 says: one after the other, kNextAfter apart or as soon as one fails,
/// and the first that accepts a connection is used, or the first of all if none does. A repeated search begins behind
/// the address used last: no peer was heard there, and what accepts connections there may be another program.
///
/// A name that does not resolve is looked up again every kAgainAfter. The core asks again when a peer is silent, and
/// then its name is looked up again, too. One object for each port of peers.
class PeerRoutes {
public:
    static constexpr auto kNextAfter = std::chrono::milliseconds(250);
    static constexpr auto kAgainAfter = std::chrono::seconds(1);
    static constexpr auto kPatience = std::chrono::seconds(2);  // for the last of a name's addresses
    static constexpr std::size_t kMaxAddresses = 16;            // of a name that are tried

    /// Connects to the peer at a numeric "host:port", found for the address that it advertises.
    using Connect =
        std::function<void(const std::string& peer, const std::string& numeric, const std::string& advertised)>;

    PeerRoutes(Resolver& resolver, Connect connect) : resolver_(resolver), connect_(std::move(connect)) {}

    /// Calls `connect`, now or in a later turn. A search that is under way for the same address goes on.
    void find(const std::string& peer, const std::string& address);
    void forget(const std::string& peer);
    /// Must be called with each result of the resolver.
    void resolved(const Resolver::Found& found);
    /// Must be called in every turn.
    void advance();
    void add_to(Poller& poller);

private:
    struct Route {
        std::string address;          // as advertised
        std::string used;             // the numeric address at the last connect
        bool is_awaited = false;      // the resolver will answer
        cluster::Instant again_at{};  // if it does not resolve: when it is looked up again
        // While addresses are being tried:
        std::vector<std::string> candidates{};
        std::vector<PortProbe> probes{};  // one for each of the first candidates
        cluster::Instant next_at{};       // when the next candidate is tried, even if the one before may still answer
        cluster::Instant until{};
    };
    void look_up(const std::string& peer, Route& route);
    void try_all(const std::string& peer, Route& route, std::vector<std::string> candidates);
    void advance(const std::string& peer, Route& route);
    void use(const std::string& peer, Route& route, std::string numeric);

    Resolver& resolver_;
    const Connect connect_;
    std::map<std::string, Route> routes_;  // by peer
    std::set<std::string> searching_;      // the peers of which no address has been found yet
};

}  // namespace muster::node
