// When is a peer down?
//
// Silence is weak evidence, because the listener itself may be the one that is late or cut off. So a node first doubts
// itself, then asks other nodes, and only then concludes. The rules, for a peer that is alive:
//
//   goodbye                            left, immediately
//   lost link, then a refused connect  down, immediately: only a process that has ended refuses
//   silent for `ask_others_after`      other nodes are asked; a sign of life through one of them counts as heard
//   silent for `suspect_after`         suspect; the other nodes learn of it. So is a peer that is heard, but reports
//                                      for that long that it hears nothing of this node in any way, or does not
//                                      report for `report_missing` that it does. The connections to it are opened again
//   suspect for `down_after`           down; `down_confirmed` is enough if two other nodes suspect it as well
//
// How a node doubts itself:
//
//   It ran late: it heard nothing meanwhile, so all silences become shorter by that time, and it waits up to five times
//   as long before it suspects.
//   It is cut off, as far as it can tell (is_cut_off()): it waits twice as long for `down`, accuses nobody, and opens
//   connections again only after `reconnect_after`. When it hears peers again, the wait from `suspect` to `down` begins
//   again for those that it has yet to hear. Their connections are opened again before its end, too.
//
// README.md in this folder has the reasons and the rejected alternatives; cluster/options.hpp has the times.
#pragma once

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

/// Decides that peers are suspect or down. Peers keeps their states; Core passes it all evidence except signs of life,
/// which Peers::confirm_alive() takes.
class Detector {
public:
    Detector(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    /// This step runs `late` after it was due, so this node could not hear anything for that time.
    void allow_for_lateness(Duration late);
    /// A heartbeat of this node has come back to it over the network.
    void own_heartbeat_seen() { own_heartbeat_at_ = ctx_.now; }
    /// The peer's last subscription has ended: the network failed, or its process has ended.
    void link_lost(const NodeId& id);
    /// A connect to the peer's gossip port was refused after its link was lost.
    void process_gone(const NodeId& id);

    /// To be called with every tick of the core (Timing::tick).
    void tick();
    /// To be called at next_check(), which may be earlier than the next tick: checks again whether the processes behind
    /// lost links have ended.
    void check_lost_links();
    [[nodiscard]] Instant next_check() const { return next_check_; }

private:
    void check_process(Peer& peer);
    void ask_others_if_silent(Peer& peer);
    void ask_others(Peer& peer, bool hears);
    void suspect_if_silent(Peer& peer, bool cut_off);
    void declare_down_if_suspect_for_too_long(Peer& peer, bool cut_off);
    [[nodiscard]] bool has_had_its_time(Peer& peer, Duration limit);
    void renew_connections(Peer& peer);
    [[nodiscard]] bool is_cut_off() const;
    void restart_suspicions();

    Context& ctx_;
    Peers& peers_;
    int lateness_ = 0;  // 0 to 4: the wait before a suspicion is 1 + this times as long
    Instant lateness_decays_{};
    Instant own_heartbeat_at_ = kLongAgo;
    bool was_cut_off_ = false;
    Instant next_check_ = kNever;
    Duration check_wait_{};
};

}  // namespace muster::cluster
