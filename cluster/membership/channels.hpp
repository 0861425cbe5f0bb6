// The channels between this node and each peer, watched one by one. PROTOCOL.md, "Channels"; README.md in this folder.
//
// Two nodes a and b have four channels, and a firewall can close each by itself:
//
//   a says to b over control   a connects to b's control port
//   b says to a over control   b connects to a's control port
//   a publishes to b           b connects to a's gossip port
//   b publishes to a           a connects to b's gossip port
//
// So each direction has one channel through a port of each node. While one of them is silent, the other one carries for
// it: publications go over control (a lease at the origin itself), and messages for one peer over gossip (PublishTo).
//
// A node sees by itself what does not arrive. What it says and does not arrive, only the peer sees. So both report:
// every second, and every 250 ms while something is silent, over every way that may work.
#pragma once

#include <string>
#include <vector>

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

class Channels {
public:
    Channels(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    /// A message of this peer has arrived over a connection of its own.
    void heard(Peer& peer, Channel channel) const;
    /// This step runs `late` after it was due, so this node could not hear anything for that time.
    void allow_for_lateness(Duration late);

    /// Reports to peers, asks for what a silent channel should have brought, opens silent connections again, and notes
    /// what works and what does not. `position` and `digest` are of this node's own log and table.
    void tick(Seq position, std::uint64_t digest);

    /// How many channels to and from live peers are silent.
    [[nodiscard]] std::uint64_t silent() const;
    /// The channels to and from a peer that are silent, each with the address that fails. Empty: all work, or the peer
    /// is silent as a whole.
    [[nodiscard]] std::vector<std::string> faults_of(const Peer& peer) const;

private:
    void report(Peer& peer, Seq position, std::uint64_t digest);
    void ask_for_publications(Peer& peer);
    void reconnect_if_silent(Peer& peer);
    void note_changes(Peer& peer);
    /// How long the peer has given no sign of life at all, also none at a front door.
    [[nodiscard]] Duration silence_of(const Peer& peer) const;
    [[nodiscard]] std::uint64_t find_faults(const Peer& peer) const;
    [[nodiscard]] std::string text_of(const Peer& peer, std::uint64_t fault) const;

    Context& ctx_;
    Peers& peers_;
};

}  // namespace muster::cluster
