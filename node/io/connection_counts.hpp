// Who is connected, and who was sent away.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace muster::node {

/// Written by the loop, read by anyone.
struct ConnectionCounts {
    using Count = std::atomic<std::uint64_t>;
    // Open now, by socket.
    Count door = 0;
    Count control = 0;
    Count gossip = 0;
    Count peers = 0;  // whose publications this node hears
    Count accepted = 0;
    Count shaken = 0;    // handshakes that succeeded; libzmq does not tell why all of the others did not
    Count held_off = 0;  // times that a port was full
    // Connections that this node has ended:
    Count overfull_in = 0;   // more had come than was taken in
    Count overfull_out = 0;  // more was to go than the other side took
    Count flooding = 0;      // subscribed without end

    void add_to(std::map<std::string, std::uint64_t>& counters) const {
        counters["connections_door"] = door;
        counters["connections_control"] = control;
        counters["connections_gossip"] = gossip;
        counters["connections_peers"] = peers;
        counters["connections_accepted"] = accepted;
        counters["connections_held_off"] = held_off;
        counters["connections_overfull_in"] = overfull_in;
        counters["connections_overfull_out"] = overfull_out;
        counters["connections_flooding"] = flooding;
        counters["handshakes"] = shaken;
    }
};

}  // namespace muster::node
