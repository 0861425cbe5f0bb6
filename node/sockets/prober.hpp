// Finds out whether the process of a peer is gone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/io/emit.hpp"
#include "node/io/poller.hpp"
#include "node/io/port_probe.hpp"
#include "node/io/resolver.hpp"

namespace muster::node {

/// Probes the ports of peers (PortProbe), at most kMaxProbes at a time, each for a second. Emits ProcessGone for a peer
/// whose port refuses the connection. If its name has several addresses, it is not known at which one the process was:
/// then all of them must refuse, except those to which this host has no way.
class Prober {
public:
    static constexpr std::size_t kMaxProbes = 64;

    explicit Prober(Resolver& resolver) : resolver_(resolver) {}

    /// Begins to probe `address`. Ignored if too many probes are running; the core asks again.
    void check(const NodeId& peer, const std::string& address, const Emit& emit);
    /// Must be called with each result of the resolver.
    void resolved(const Resolver::Found& found, const Emit& emit);

    void add_to(Poller& poller);
    /// Emits the results of finished probes, and ends those that took too long.
    void drain(const Emit& emit);
    [[nodiscard]] bool idle() const { return probes_.empty(); }

private:
    /// One peer, at each of its addresses.
    struct Probe {
        std::vector<PortProbe> ports;
        NodeId peer;
        cluster::Instant deadline;
    };
    void start(const NodeId& peer, const std::vector<std::string>& numeric, const Emit& emit);

    Resolver& resolver_;
    std::vector<Probe> probes_;
    std::multimap<std::string, NodeId> waiting_;  // by address, until its name is resolved
};

}  // namespace muster::node
