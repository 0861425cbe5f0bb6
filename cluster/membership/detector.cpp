#include "cluster/membership/detector.hpp"

#include <algorithm>
#include <utility>

#include "cluster/membership/publish.hpp"

namespace muster::cluster {
namespace {

constexpr int kMaxLateness = 4;
constexpr Duration kNotablyLate = std::chrono::milliseconds(100);
constexpr Duration kLatenessDecay = std::chrono::seconds(2);
constexpr std::size_t kAskedAtOnce = 3;
constexpr Duration kCheckedFor = std::chrono::seconds(2);
constexpr Duration kFirstCheckAgain = std::chrono::milliseconds(2);  // then doubling, up to the tick
constexpr Duration kReconnectMax = std::chrono::seconds(15);

}  // namespace

void Detector::excuse(Duration late) {
    if (late < kNotablyLate) return;
    ctx_.count("late_steps");
    lateness_ = std::min(kMaxLateness, lateness_ + 1);
    lateness_decays_ = ctx_.now + kLatenessDecay;
    for (auto& [name, peer] : peers_.all()) {
        peer.heard = std::min(ctx_.now, peer.heard + late);
        peer.heard_direct = std::min(ctx_.now, peer.heard_direct + late);
        if (peer.record.state == NodeState::suspect) peer.since = std::min(ctx_.now, peer.since + late);
    }
}

void Detector::link_lost(const NodeId& id) {
    Peer* peer = peers_.find_live(id);
    if (!peer) return;
    ctx_.count("links_lost");
    peer->link_lost_at = ctx_.now;
    check_wait_ = kFirstCheckAgain;
    next_check_ = ctx_.now + check_wait_;
    check_process(*peer);
}

void Detector::check_lost() {
    if (ctx_.now < next_check_) return;
    for (auto& [name, peer] : peers_.all())
        if (peer.is_live()) check_process(peer);
    check_wait_ *= 2;
    next_check_ = check_wait_ < ctx_.options.timing.tick ? ctx_.now + check_wait_ : kNever;
}

void Detector::check_process(Peer& peer) {
    // Again and again for a while: of a process that is being killed, links can
    // close before the port on which it listens.
    const bool lost_lately = ctx_.now - peer.link_lost_at < kCheckedFor && peer.heard_direct <= peer.link_lost_at;
    if (lost_lately) ctx_.emit(CheckProcess{peer.record.id, peer.record.gossip});
}

void Detector::process_gone(const NodeId& id) {
    peers_.declare(id, NodeState::down, "its process has ended: its port refuses connections");
}

void Detector::tick() {
    if (lateness_ > 0 && ctx_.now >= lateness_decays_) {
        --lateness_;
        lateness_decays_ = ctx_.now + kLatenessDecay;
    }
    const bool cut_off = is_cut_off();
    if (std::exchange(was_cut_off_, cut_off) && !cut_off) no_longer_cut_off();
    for (auto& [name, peer] : peers_.all()) {
        if (peer.is_live()) tick(peer, cut_off);
        const Instant last = std::max(peer.heard_direct, peer.connected_at);
        if (peer.connected && ctx_.now - last > peer.reconnect_wait) {
            peer.reconnect_wait = std::min(kReconnectMax, 2 * peer.reconnect_wait);
            ctx_.count("reconnects");
            peers_.connect(peer);  // a link can be dead without telling (a zombie endpoint)
            peer.reopened = true;
        }
    }
}

void Detector::no_longer_cut_off() {
    const auto hears = [this](const auto& entry) { return peers_.is_hearing(entry.second); };
    if (std::ranges::none_of(peers_.all(), hears)) return;  // there are just fewer left to hear
    for (auto& [name, peer] : peers_.all())
        if (peer.record.state == NodeState::suspect) peer.since = ctx_.now;
}

void Detector::tick(Peer& peer, bool cut_off) {
    check_process(peer);
    const Timing& timing = ctx_.options.timing;
    const Duration silent = ctx_.now - peer.heard;
    const bool hears = ctx_.now - peer.heard_direct <= timing.ask_others_after;
    const bool one_way_at_most = !hears || peers_.is_deaf(peer);
    if (one_way_at_most && ctx_.now - peer.asked_at >= timing.heartbeat) ask_others(peer, hears);

    const Duration patience = timing.suspect_after * (1 + lateness_);
    if (peer.record.state == NodeState::alive && silent > patience) {
        peers_.suspect(peer);
        if (!cut_off) accuse(peer);
    }
    if (peer.record.state != NodeState::suspect) return;
    const bool confirmed = peer.accusers.size() >= 2;
    const Duration limit = (confirmed ? timing.down_confirmed : timing.down_after) * (cut_off ? 2 : 1);
    if (ctx_.now - peer.since < limit) return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silent).count();
    peers_.declare(peer.record.id, NodeState::down,
                   "silent for " + std::to_string(seconds) + " s" + (confirmed ? ", and to other nodes, too" : ""));
}

void Detector::ask_others(Peer& peer, bool hears) {
    peer.asked_at = ctx_.now;
    // A ping says "I do not hear you". Whoever is only deaf to us must not be told that.
    if (!hears) peers_.send(peer.record.id.name, proto::Ping{});
    auto asked = peers_.others(peer.record.id.name, kAskedAtOnce);
    // One of them also passes on what the peer says: who is known to hear it, or else any.
    const Peer* relay = peers_.relay_of(peer);
    if (relay && std::ranges::find(asked, relay->record.id.name) == asked.end()) asked.push_back(relay->record.id.name);
    for (const auto& other : asked) {
        ctx_.count("probes_sent");
        const bool pass_on = !hears && (relay ? other == relay->record.id.name : other == asked.front());
        peers_.send(other, proto::Probe{peer.record.id, pass_on});
    }
}

void Detector::accuse(Peer& peer) {
    publish(ctx_, proto::PeerNews{{peer.record}});
}

bool Detector::is_cut_off() const {
    const Timing& timing = ctx_.options.timing;
    const bool canary_used = canary_seen_ != kLongAgo;
    if (canary_used && ctx_.now - canary_seen_ > 3 * timing.heartbeat) return true;
    std::size_t live = 0;
    std::size_t silent = 0;
    for (const auto& [name, peer] : peers_.all()) {
        if (!peer.is_live()) continue;
        ++live;
        if (ctx_.now - peer.heard > timing.suspect_after) ++silent;
    }
    return live >= 2 && 2 * silent > live;
}

}  // namespace muster::cluster
