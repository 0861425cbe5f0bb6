// What goes wrong, when and for how long; drawn from the seed.
#pragma once

#include "tests/sim/workload.hpp"

namespace muster::sim {

/// The way of a client to one port of a server.
struct PortWay {
    Place client = 0;
    Place server = 0;
    Port port = Port::door;
    bool operator==(const PortWay&) const = default;
};

class Faults {
public:
    Faults(World& world, Workload& workload);

    void start();
    /// No new faults; all that lasts is ended, dead nodes and workers are
    /// started again where the rest could not find each other without them.
    void stop();
    /// A node that ended by itself is about to be started again.
    [[nodiscard]] bool awaits_a_node() const { return awaited_ != 0; }

private:
    void turn();
    void commit(Fault fault);
    void node_fault(Fault fault);
    void worker_fault(Fault fault);
    void cut_for(Place from, Place to, Duration time);
    void cut_port_for(PortWay way, Duration time);
    void cut_ports(Place server, Duration time);
    void partition();
    void forget_connections(Place firewalled);
    void steal_key();
    void mass_restart();
    void start_impostor();
    void frame_fault(Fault fault);
    void restart_later(Host& host);
    void heal_links();
    void leave_cuts();
    void leave_port_cuts();
    [[nodiscard]] bool leaves_all_reachable(const std::vector<PortWay>& cuts) const;
    void stop_one_for_good();
    [[nodiscard]] bool long_run() const;

    World& world_;
    Workload& workload_;
    Random random_;
    std::vector<Host*> draining_;
    bool stopped_ = false;
    int awaited_ = 0;
    std::vector<std::pair<Place, Place>> cuts_;
    std::vector<PortWay> port_cuts_;
};

}  // namespace muster::sim
