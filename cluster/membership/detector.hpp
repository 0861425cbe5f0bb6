// Who is alive?
//
// Intuition: silence is weak evidence, because the listener may be the sick one.
// So a node first doubts itself, then asks others, and only then concludes.
//
// Rule: what has been silent for half a second is asked about at other nodes;
// news of it through them is life. Silent everywhere for `suspect_after`, it is
// suspected and others are told; `down_after` later (`down_confirmed` with two
// other accusers) it is down. A refused connect after a lost link is proof and
// needs no waiting. A node that runs late stretches its patience; one whose own
// heartbeats do not come back to it, or that suspects most of its peers at once,
// is probably cut off: it accuses nobody aloud and waits twice as long. Once it hears
// somebody again, it begins anew with those whom it has yet to hear.
//
// Rejected: phi-accrual. Its estimate of the gaps between heartbeats learns the
// noise of a loaded machine only after the first false alarm.
#pragma once

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

class Detector {
public:
    Detector(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    /// This step should have come `late` ago: nothing could be observed meanwhile.
    void excuse(Duration late);
    /// A heartbeat of this node's own came back over the network.
    void own_heartbeat_seen() { canary_seen_ = ctx_.now; }

    void link_lost(const NodeId& id);
    void process_gone(const NodeId& id);
    void tick();
    /// Soon after a lost link its process is checked more often than ticks come: when check_lost() is due.
    [[nodiscard]] Instant next_check() const { return next_check_; }
    void check_lost();

private:
    void tick(Peer& peer, bool cut_off);
    /// `hears`: its own messages come; only the way to it is in doubt.
    void ask_others(Peer& peer, bool hears);
    void check_process(Peer& peer);
    void accuse(Peer& peer);
    [[nodiscard]] bool is_cut_off() const;
    void no_longer_cut_off();

    Context& ctx_;
    Peers& peers_;
    int lateness_ = 0;  // 0 to 4: how many times over patience is stretched
    Instant lateness_decays_{};
    Instant canary_seen_ = kLongAgo;
    bool was_cut_off_ = false;
    Instant next_check_ = kNever;
    Duration check_wait_{};
};

}  // namespace muster::cluster
