#include "cluster/membership/detector.hpp"

#include <algorithm>
#include <utility>

#include "cluster/membership/publish.hpp"

namespace muster::cluster {
namespace {

constexpr int kMaxLateness = 4;
constexpr Duration kNotablyLate = std::chrono::milliseconds(100);
constexpr Duration kLatenessDecay = std::chrono::seconds(2);
constexpr std::size_t kAskedPeers = 3;
constexpr std::size_t kConfirmingAccusers = 2;
constexpr Duration kCheckPeriod = std::chrono::seconds(2);        // after a lost link
constexpr Duration kFirstRecheck = std::chrono::milliseconds(2);  // then doubling, up to the tick

}  // namespace

// ---- doubts about this node itself -----------------------------------------------

void Detector::allow_for_lateness(Duration late) {
    if (late < kNotablyLate) return;
    ctx_.count("late_steps");
    lateness_ = std::min(kMaxLateness, lateness_ + 1);
    lateness_decays_ = ctx_.now + kLatenessDecay;
    // What the peers sent meanwhile may still lie in the sockets. Their silence does not include this node's own pause.
    for (auto& [name, peer] : peers_.all()) {
        peer.heard_at = std::min(ctx_.now, peer.heard_at + late);
        peer.heard_directly_at = std::min(ctx_.now, peer.heard_directly_at + late);
        if (peer.record.state == NodeState::suspect) peer.state_since = std::min(ctx_.now, peer.state_since + late);
    }
}

/// Whether the silence is probably this node's own fault: its own heartbeats do not come back to it, or most of at
/// least two peers are silent at the same time. A node that never saw an own heartbeat goes by the second sign alone.
/// Peers that nobody met do not count: a liar could tell of many.
bool Detector::is_cut_off() const {
    const Timing& timing = ctx_.options.timing;
    const bool has_seen_own = own_heartbeat_at_ != kLongAgo;
    if (has_seen_own && ctx_.now - own_heartbeat_at_ > 3 * timing.heartbeat) return true;
    std::size_t live = 0;
    std::size_t silent = 0;
    for (const auto& [name, peer] : peers_.all()) {
        if (!peer.is_live() || !peer.is_met()) continue;
        ++live;
        if (ctx_.now - peer.heard_at > timing.suspect_after) ++silent;
    }
    return live >= 2 && 2 * silent > live;
}

/// This node was cut off and no longer is. The silence so far was its own, and no sign about the peers that it has yet
/// to hear: their suspicion begins again.
void Detector::restart_suspicions() {
    // Without a peer that is heard, "most are silent" has ended only because those that were silent are down now.
    const auto& all = peers_.all();
    if (std::none_of(all.begin(), all.end(), [this](const auto& entry) { return peers_.is_hearing(entry.second); }))
        return;
    for (auto& [name, peer] : peers_.all())
        if (peer.record.state == NodeState::suspect) peer.state_since = ctx_.now;
}

// ---- silence -----------------------------------------------------------------------

void Detector::tick() {
    if (lateness_ > 0 && ctx_.now >= lateness_decays_) {
        --lateness_;
        lateness_decays_ = ctx_.now + kLatenessDecay;
    }
    const bool cut_off = is_cut_off();
    if (std::exchange(was_cut_off_, cut_off) && !cut_off) restart_suspicions();
    for (auto& [name, peer] : peers_.all()) {
        if (!peer.is_live()) continue;
        check_process(peer);
        peers_.check_reached(peer, ctx_.options.timing.report_missing * (1 + lateness_));
        ask_others_if_silent(peer);
        suspect_if_silent(peer, cut_off);
        declare_down_if_suspect_for_too_long(peer, cut_off);
    }
}

/// PROTOCOL.md, "Relays". Also asks about a peer that is heard but does not hear this node: another node may reach it.
void Detector::ask_others_if_silent(Peer& peer) {
    const Timing& timing = ctx_.options.timing;
    const bool hears = ctx_.now - peer.heard_directly_at <= timing.ask_others_after;
    if (hears && !peers_.is_deaf(peer)) return;
    if (ctx_.now - peer.probed_at >= timing.heartbeat) ask_others(peer, hears);
}

void Detector::ask_others(Peer& peer, bool hears) {
    peer.probed_at = ctx_.now;
    // A ping that arrives through a relay means that this node does not hear the peer. If it does hear it, it must not
    // send one: each of the two would believe that the other is deaf, and both would use relays for ever.
    if (!hears) peers_.send(peer.record.id.name, proto::Ping{});
    auto asked = peers_.draw_peers(peer.record.id.name, kAskedPeers);
    // One of them also forwards what the peer publishes: the present relay, or the first if there is none.
    const Peer* relay = peers_.relay_of(peer);
    if (relay && std::find(asked.begin(), asked.end(), relay->record.id.name) == asked.end())
        asked.push_back(relay->record.id.name);
    for (const auto& other : asked) {
        ctx_.count("probes_sent");
        const bool pass_on = !hears && (relay ? other == relay->record.id.name : other == asked.front());
        peers_.send(other, proto::Probe{peer.record.id, pass_on});
    }
}

void Detector::suspect_if_silent(Peer& peer, bool cut_off) {
    const Duration patience = ctx_.options.timing.suspect_after * (1 + lateness_);
    const bool silent = ctx_.now - peer.heard_at > patience || peer.unreached;
    if (peer.record.state != NodeState::alive || !silent) return;
    peers_.suspect(peer);
    // A node that is cut off has time until Timing::reconnect_after, and its old connections work again first if the
    // network comes back.
    if (!cut_off) renew_connections(peer);
    // A node that is cut off has heard nobody, and one that never met the peer cannot tell that it has fallen silent.
    // The accusation would only help to confirm a wrong suspicion.
    if (!cut_off && peer.is_met()) publish(ctx_, proto::PeerNews{{peer.record}});
}

/// The decision that a silent peer is down. It has been suspect for too long: neither the peer itself nor any node that
/// was asked has shown a sign of life, which would have made it alive (Peers::confirm_alive). The decision is not
/// final: if the peer lives, it learns of it and refutes it, and its table is shown again.
void Detector::declare_down_if_suspect_for_too_long(Peer& peer, bool cut_off) {
    if (peer.record.state != NodeState::suspect) return;
    // It has just said that it hears this node again: its next sign of life makes it alive.
    if (peers_.is_hearing(peer)) return;
    const Timing& timing = ctx_.options.timing;
    const bool confirmed = peer.accusers.size() >= kConfirmingAccusers;
    const Duration limit = (confirmed ? timing.down_confirmed : timing.down_after) * (cut_off ? 2 : 1);
    if (!has_had_its_time(peer, limit)) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(ctx_.now - peer.heard_at).count();
    if (peer.unreached)
        return peers_.declare(peer.record.id, NodeState::down, std::string("it ") + peers_.why_unreached(peer));
    peers_.declare(peer.record.id, NodeState::down,
                   "silent for " + std::to_string(seconds) + " s" + (confirmed ? ", and to other nodes, too" : ""));
}

/// The last part of the time is with new connections. That concerns a peer that became suspect while this node was cut
/// off: since then, this node may have heard others again, or two others may have shortened the time.
bool Detector::has_had_its_time(Peer& peer, Duration limit) {
    const Duration suspected = ctx_.now - peer.state_since;
    if (suspected < limit * 3 / 4) return false;
    if (peer.renewed_at == kNever) renew_connections(peer);
    return suspected >= limit && ctx_.now - peer.renewed_at >= ctx_.options.timing.down_confirmed / 2;
}

void Detector::renew_connections(Peer& peer) {
    peer.renewed_at = ctx_.now;
    peers_.reopen_suspect(peer);
}

// ---- lost links --------------------------------------------------------------------

void Detector::link_lost(const NodeId& id) {
    Peer* peer = peers_.find_live(id);
    if (!peer) return;
    ctx_.count("links_lost");
    peer->link_lost_at = ctx_.now;
    check_wait_ = kFirstRecheck;
    next_check_ = ctx_.now + check_wait_;
    check_process(*peer);
}

void Detector::check_lost_links() {
    if (ctx_.now < next_check_) return;
    for (auto& [name, peer] : peers_.all())
        if (peer.is_live()) check_process(peer);
    check_wait_ *= 2;
    next_check_ = check_wait_ < ctx_.options.timing.tick ? ctx_.now + check_wait_ : kNever;
}

/// Asks whether the process behind a lost link has ended. Once is not enough: the kernel closes the sockets of a killed
/// process one by one, so its links can end before the port on which it listens. The first rechecks come within
/// milliseconds, which decides how soon a killed process is known to be down. An address that never worked, because the
/// node advertises a wrong one, refuses whether the process lives or not.
void Detector::check_process(Peer& peer) {
    const bool lost_lately = ctx_.now - peer.link_lost_at < kCheckPeriod && peer.heard_directly_at <= peer.link_lost_at;
    if (lost_lately && peer.gossip_worked) ctx_.emit(CheckProcess{peer.record.id, peer.record.gossip});
}

void Detector::process_gone(const NodeId& id) {
    peers_.declare(id, NodeState::down, "its process has ended: its port refuses connections");
}

}  // namespace muster::cluster
