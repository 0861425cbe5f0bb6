#include "tests/sim/faults.hpp"

#include <algorithm>

#include "tests/sim/hostile.hpp"

namespace muster::sim {

Faults::Faults(World& world, Workload& workload) : world_(world), workload_(workload), random_(world.random.fork()) {}

void Faults::start() {
    // What stops a node by itself is its name's earlier life: its clock is set right.
    world_.stopped_by_itself = [this](Host& host) {
        if (host.place() >= world_.profile.nodes) return;  // an impostor gives up
        host.set_clock_right();
        ++awaited_;
        world_.clock.after(random_.within(milliseconds(100), seconds(1)), [this, &host] {
            --awaited_;
            if (!host.running()) host.start();
        });
    };
    if (world_.profile.port_cut_at_start) {
        world_.coverage.count(Fault::port_cut_at_start);
        cut_ports(random_.below(world_.profile.nodes), seconds(3600));
    }
    if (!world_.profile.weights.empty()) world_.clock.after(world_.profile.fault_every, [this] { turn(); });
}

void Faults::turn() {
    if (stopped_) return;
    std::uint64_t sum = 0;
    for (const auto& [fault, weight] : world_.profile.weights) sum += weight;
    std::uint64_t drawn = random_.below(sum);
    for (const auto& [fault, weight] : world_.profile.weights) {
        if (drawn < weight) {
            commit(fault);
            break;
        }
        drawn -= weight;
    }
    world_.clock.after(random_.within(Duration(0), world_.profile.fault_every * 2), [this] { turn(); });
}

void Faults::commit(Fault fault) {
    switch (fault) {
        case Fault::worker_crash:
        case Fault::worker_goodbye:
        case Fault::worker_pause:
        case Fault::worker_cut:
        case Fault::worker_reconnect:
            return worker_fault(fault);
        case Fault::mass_restart:
            return mass_restart();
        case Fault::name_conflict:
            return start_impostor();
        case Fault::replayed_frame:
        case Fault::hostile_frame:
            return frame_fault(fault);
        case Fault::key_replaced:
            return steal_key();
        default:
            return node_fault(fault);
    }
}

/// Of a node that is down, because one that runs outbids a false life at once. Mostly the key is then replaced. Without
/// a node that is down, one crashes, or the key of one that runs is replaced in time.
void Faults::steal_key() {
    std::vector<Host*> down;
    for (const auto& host : world_.hosts)
        if (!host->running() && !host->frozen() && host->lives() > 0) down.push_back(host.get());
    Host& host = down.empty() ? *random_.pick(world_.hosts) : *random_.pick(down);
    if (down.empty() && host.running() && random_.permille(500)) {
        world_.coverage.count(Fault::crash);
        host.crash();
        restart_later(host);
        down.push_back(&host);
    }
    if (world_.trace()) world_.line("!", "the key of " + host.name() + (down.empty() ? " is replaced" : " is stolen"));
    if (!down.empty()) claim_life(world_, host, random_);
    if (!down.empty() && random_.permille(400)) return;
    world_.coverage.count(Fault::key_replaced);
    world_.clock.after(random_.within(Duration(0), milliseconds(500)),
                       [this, &host] { world_.replaced->replace(host.name()); });
}

void Faults::node_fault(Fault fault) {
    Host& host = *random_.pick(world_.hosts);
    const Place other = random_.below(world_.profile.nodes);
    const Duration time = random_.within(milliseconds(50), random_.permille(300) ? seconds(7) : milliseconds(1500));
    const bool ends = fault == Fault::crash || fault == Fault::shutdown;
    if (fault != Fault::link_reset && (host.running() || !ends)) world_.coverage.count(fault);
    if (world_.trace())
        world_.line("!", std::string(to_string(fault)) + " " + host.name() + " " + std::to_string(other));
    switch (fault) {
        case Fault::crash:
            if (!host.running()) return;
            host.crash();
            return restart_later(host);
        case Fault::shutdown:
            if (!host.running()) return;
            if (random_.permille(300)) {
                host.shutdown();
                return restart_later(host);
            }
            draining_.push_back(&host);
            return host.drain(random_.within(milliseconds(100), seconds(10)), [this, &host] {
                std::erase(draining_, &host);
                restart_later(host);
            });
        case Fault::pause:
            host.pause();
            world_.clock.after(time, [&host] { host.resume(); });
            return;
        case Fault::partition:
            return partition();
        case Fault::pair_cut:
            cut_for(host.place(), other, time);
            return cut_for(other, host.place(), time);
        case Fault::one_way_cut:
            return cut_for(host.place(), other, time);
        case Fault::port_cut:
            return cut_ports(host.place(), random_.permille(500) ? random_.within(seconds(3), seconds(12)) : time);
        case Fault::link_reset:
            return world_.network.reset_one();
        case Fault::connections_forgotten:
            return forget_connections(host.place());
        case Fault::loss_burst:
            world_.network.set_deaf(host.place(), true);
            world_.clock.after(time, [this, place = host.place()] { world_.network.set_deaf(place, false); });
            return;
        default:  // slow links
            world_.network.profile().spike_permille = 200;
            world_.clock.after(
                time, [this] { world_.network.profile().spike_permille = world_.profile.network.spike_permille; });
    }
}

void Faults::worker_fault(Fault fault) {
    if (workload_.workers().empty()) return;
    Worker& worker = *random_.pick(workload_.workers());
    const Duration time = random_.within(milliseconds(20), random_.permille(300) ? seconds(5) : seconds(1));
    world_.coverage.count(fault);
    if (world_.trace()) world_.line("!", std::string(to_string(fault)) + " " + worker.name());
    switch (fault) {
        case Fault::worker_crash:
            worker.crash();
            break;
        case Fault::worker_goodbye:
            worker.goodbye();
            break;
        case Fault::worker_pause:
            worker.pause();
            world_.clock.after(time, [&worker] { worker.resume(); });
            return;
        case Fault::worker_cut:
            for (Place place = 0; place < world_.profile.nodes; ++place) {
                cut_for(worker.place(), place, time);
                cut_for(place, worker.place(), time);
            }
            return;
        default:
            if (random_.permille(300)) return worker.move_on();
            if (random_.permille(500)) return worker.reopen();
            return world_.network.reset_doors_of(worker);
    }
    if (!random_.permille(800) && !long_run()) return;
    world_.clock.after(time, [this, &worker] {
        if (!stopped_) worker.start();
    });
}

/// In which those that stay away would leave nobody over.
bool Faults::long_run() const {
    return world_.profile.faults > seconds(10);
}

void Faults::cut_for(Place from, Place to, Duration time) {
    if (from == to) return;
    world_.network.cut(from, to);
    cuts_.emplace_back(from, to);
    world_.clock.after(time, [this, from, to] {
        const auto found = std::find(cuts_.begin(), cuts_.end(), std::pair(from, to));
        if (found == cuts_.end()) return;  // healed with all others
        cuts_.erase(found);
        world_.network.mend(from, to);
    });
}

void Faults::cut_port_for(PortWay way, Duration time) {
    if (way.client == way.server) return;
    if (world_.trace())
        world_.line("!", "n" + std::to_string(way.client) + " to port " + std::to_string(static_cast<int>(way.port)) +
                             " of n" + std::to_string(way.server));
    world_.network.cut(way.client, way.server, way.port);
    port_cuts_.push_back(way);
    world_.clock.after(time, [this, way] {
        const auto found = std::find(port_cuts_.begin(), port_cuts_.end(), way);
        if (found == port_cuts_.end()) return;  // healed with all others
        port_cuts_.erase(found);
        world_.network.mend(way.client, way.server, way.port);
    });
}

/// Mostly one port, seldom two, to one other node or to all of them, as a firewall does.
void Faults::cut_ports(Place server, Duration time) {
    const Place other = random_.below(world_.profile.nodes);
    if (random_.permille(150)) {  // nothing but front doors is left between the two
        for (const auto port : {Port::control, Port::gossip}) {
            cut_port_for({other, server, port}, time);
            cut_port_for({server, other, port}, time);
        }
        return;
    }
    const bool all = random_.permille(500);
    for (std::uint64_t ports = random_.permille(250) ? 2 : 1; ports > 0; --ports) {
        const auto port = random_.permille(150) ? Port::door : random_.permille(500) ? Port::control : Port::gossip;
        for (Place client = 0; client < world_.profile.nodes; ++client)
            if (all || client == other) cut_port_for({client, server, port}, time);
    }
}

void Faults::partition() {
    const Duration time = random_.within(milliseconds(100), random_.permille(500) ? seconds(7) : seconds(2));
    const std::size_t places = world_.profile.places();
    std::vector<bool> side(places);
    for (std::size_t place = 0; place < places; ++place) side[place] = random_.permille(500);
    for (Place a = 0; a < places; ++a) {
        for (Place b = 0; b < places; ++b) {
            if (side[a] != side[b]) cut_for(a, b, time);
        }
    }
}

/// By the firewall of one host, about one other or all of them; mostly both ways.
void Faults::forget_connections(Place firewalled) {
    const Place other = random_.below(world_.profile.nodes);
    const bool all = random_.permille(500);
    const bool in = random_.permille(800);
    const bool out = !in || random_.permille(750);
    for (Place place = 0; place < world_.profile.nodes; ++place) {
        if (place == firewalled || (!all && place != other)) continue;
        if (in) world_.network.forget_connections(place, firewalled);
        if (out) world_.network.forget_connections(firewalled, place);
    }
}

void Faults::mass_restart() {
    world_.coverage.count(Fault::mass_restart);
    if (world_.trace()) world_.line("!", "mass restart");
    const bool all = random_.permille(500);
    for (const auto& host : world_.hosts) {
        if (!host->running() || !(all || random_.permille(700))) continue;
        host->crash();
        world_.clock.after(random_.within(milliseconds(1), milliseconds(1500)), [this, at = host.get()] {
            if (!at->running() && !stopped_) at->start();
        });
    }
}

void Faults::start_impostor() {
    Host& impostor = *random_.pick(world_.impostors);
    if (impostor.running()) return;
    world_.coverage.count(Fault::name_conflict);
    if (world_.trace()) world_.line("!", impostor.name() + " starts at " + impostor.door());
    impostor.start();
}

/// In bursts: one alone seldom meets the moment in which it could do harm.
void Faults::frame_fault(Fault fault) {
    for (std::uint64_t count = random_.between(1, 20); count > 0; --count) {
        const auto running = world_.running();
        if (running.empty()) return;
        if (fault == Fault::replayed_frame) {
            if (replay_frame(world_, random_)) world_.coverage.count(fault);
        } else {
            send_hostile(world_, *random_.pick(running), random_);
            world_.coverage.count(fault);
        }
    }
}

void Faults::restart_later(Host& host) {
    if (random_.permille(150) && !long_run()) return;
    const Duration time = random_.within(milliseconds(5), random_.permille(400) ? seconds(4) : milliseconds(300));
    world_.clock.after(time, [this, &host] {
        if (host.running() || stopped_) return;
        world_.coverage.count(Fault::restart);
        if (random_.permille(60)) {
            world_.coverage.count(Fault::clock_set_back);
            host.set_clock_back();
        }
        host.start();
    });
}

void Faults::heal_links() {
    for (const auto& [from, to] : cuts_) world_.network.mend(from, to);
    cuts_.clear();
    for (const PortWay& way : port_cuts_) world_.network.mend(way.client, way.server, way.port);
    port_cuts_.clear();
    for (Place place = 0; place < world_.profile.nodes; ++place) world_.network.set_deaf(place, false);
    NetworkProfile& network = world_.network.profile();
    network.gossip_loss_permille = network.gossip_double_permille = network.spike_permille = 0;
}

void Faults::stop() {
    for (Host* host : std::exchange(draining_, {})) host->shutdown();
    stopped_ = true;
    if (world_.profile.never_heal) {
        for (Place a = 0; a < world_.profile.nodes; ++a) {
            for (Place b = 0; b < world_.profile.nodes; ++b) {
                if (a != b) world_.network.cut(a, b);
            }
        }
        return;
    }
    heal_links();
    std::vector<bool> running;
    for (const auto& impostor : world_.impostors) impostor->crash();
    if (world_.profile.stop_one_for_good) stop_one_for_good();
    for (const auto& host : world_.hosts) {
        host->resume();
        running.push_back(host->running());
    }
    // Who starts later must find the others as well.
    const bool lost = awaits_a_node() || !seeds_connect(world_.profile, running, [](Place, Place) { return true; });
    const bool all = lost || random_.permille(500);
    for (const auto& host : world_.hosts) {
        if (!host->running() && !host->frozen() && all) host->start();
    }
    for (const auto& worker : workload_.workers()) {
        worker->resume();
        worker->set_pace(Duration(0));
        if (random_.permille(700)) worker->start();
    }
    if (world_.profile.heal_with_cuts && all) leave_cuts();
    if (world_.profile.heal_with_port_cuts && all) leave_port_cuts();
}

/// Single channels that nobody opens again. What stays open connects all.
void Faults::leave_port_cuts() {
    const std::size_t nodes = world_.profile.nodes;
    std::vector<PortWay> cuts;
    for (std::uint64_t count = random_.between(1, 2 * nodes); count > 0; --count) {
        const auto port = static_cast<Port>(random_.below(3));
        const Place server = random_.below(nodes);
        const bool all = random_.permille(300);
        const Place other = random_.below(nodes);
        auto more = cuts;
        for (Place client = 0; client < nodes; ++client)
            if (client != server && (all || client == other)) more.push_back({client, server, port});
        if (leaves_all_reachable(more)) cuts = std::move(more);
    }
    if (!cuts.empty()) world_.coverage.count(Fault::heal_with_port_cuts);
    for (const PortWay& way : cuts) cut_port_for(way, seconds(3600));
}

/// Whether pairs that still reach each other both ways, over one channel or the other, connect all nodes that are not
/// stopped for good, and front doors are open where nodes find each other.
bool Faults::leaves_all_reachable(const std::vector<PortWay>& cuts) const {
    const auto is_cut = [&](Place client, Place server, Port port) {
        return std::find(cuts.begin(), cuts.end(), PortWay{client, server, port}) != cuts.end();
    };
    // What `from` says to `to` goes to its control port, or to those that are connected to the own gossip port.
    const auto speaks = [&](Place from, Place to) {
        return !is_cut(from, to, Port::control) || !is_cut(to, from, Port::gossip);
    };
    std::vector<bool> running;
    for (const auto& host : world_.hosts) running.push_back(!host->frozen());
    return seeds_connect(world_.profile, running, [&](Place a, Place b) {
        return a == b || (speaks(a, b) && speaks(b, a) && !is_cut(a, b, Port::door));
    });
}

/// A process that is stopped and never goes on, where the others can find each other without it.
void Faults::stop_one_for_good() {
    Host& host = *random_.pick(world_.hosts);
    std::vector<bool> others(world_.profile.nodes, true);
    others[host.place()] = false;
    if (!host.running() || !seeds_connect(world_.profile, others, [](Place, Place) { return true; })) return;
    world_.coverage.count(Fault::stopped_for_good);
    host.freeze();
}

/// Some pairs never see each other again: the others must pass their news on. What
/// stays open connects all, along a tree and some ways more.
void Faults::leave_cuts() {
    const std::size_t nodes = world_.profile.nodes;
    std::vector<std::vector<bool>> open(nodes, std::vector<bool>(nodes, false));
    const std::uint64_t more = random_.permille(500) ? 0 : random_.between(200, 950);
    for (Place a = 0; a < nodes; ++a) {
        const Place parent = a == 0 ? 0 : random_.below(a);
        for (Place b = 0; b < a; ++b) {
            if (b == parent || random_.permille(more)) open[a][b] = open[b][a] = true;
        }
    }
    const auto is_open = [&](Place a, Place b) { return a == b || open[a][b]; };
    if (!seeds_connect(world_.profile, std::vector<bool>(nodes, true), is_open)) return;
    world_.coverage.count(Fault::heal_with_cuts);
    const bool one_way = random_.permille(200);
    for (Place a = 0; a < nodes; ++a) {
        for (Place b = 0; b < nodes; ++b) {
            if (is_open(a, b) || (one_way && random_.permille(300))) continue;
            if (world_.trace()) world_.line("!", "n" + std::to_string(a) + " to n" + std::to_string(b) + " stays cut");
            world_.network.cut(a, b);
        }
    }
}

}  // namespace muster::sim
