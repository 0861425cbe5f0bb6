// Finds out whether a process is gone: a plain TCP connect that is refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "node/io/emit.hpp"
#include "node/io/port_probe.hpp"
#include "node/io/resolver.hpp"

namespace muster::node {

/// At most kMaxProbes at a time, a second each. Only a refusal says anything:
/// what times out may be a cut network, and what connects may be another process.
class Prober {
public:
    static constexpr std::size_t kMaxProbes = 64;

    explicit Prober(Resolver& resolver) : resolver_(resolver) {}

    /// Dropped when too many are under way; the core asks again.
    void check(const NodeId& peer, const std::string& address, const Emit& emit);
    void resolved(const Resolver::Found& found, const Emit& emit);

    void add_to(std::vector<zmq::pollitem_t>& items) const;
    /// Takes in what has come of the probes, and ends those that took too long.
    void drain(const Emit& emit);
    [[nodiscard]] bool idle() const { return probes_.empty(); }

private:
    struct Probe {
        PortProbe port;
        NodeId peer;
        cluster::Instant deadline;
    };
    void start(const NodeId& peer, const std::string& numeric, const Emit& emit);

    Resolver& resolver_;
    std::vector<Probe> probes_;
    std::multimap<std::string, NodeId> waiting_;  // for their name to be looked up
};

}  // namespace muster::node
