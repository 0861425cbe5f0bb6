// Counters of connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

namespace muster::node {

/// Written by the loop and by FloodGuard. Read by any thread.
struct ConnectionCounts {
    using Count = std::atomic<std::uint64_t>;
    // Connections that are open, by socket.
    Count door = 0;
    Count control = 0;
    Count gossip = 0;
    Count peers = 0;  // from this node's SUB to the gossip sockets of peers

    Count accepted = 0;
    Count handshakes = 0;  // that succeeded; libzmq does not report the reason of every failure
    Count held_off = 0;    // how often a port reached its limit of connections
    // Connections that this node closed, because
    Count overfull_in = 0;   // libzmq held too many received bytes
    Count overfull_out = 0;  // libzmq held too many bytes to send
    Count flooding = 0;      // they sent subscriptions without end
    Count idle = 0;          // nobody used them for long
    Count displaced = 0;     // they were idle, and the port had little room

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
        counters["connections_idle"] = idle;
        counters["connections_displaced"] = displaced;
        counters["handshakes"] = handshakes;
    }
};

}  // namespace muster::node
