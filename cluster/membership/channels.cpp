#include "cluster/membership/channels.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

namespace report = proto::channel_report;

constexpr Duration kReconnectMax = std::chrono::seconds(15);

// The channels of one peer, as bits.
constexpr std::uint64_t kGossipFrom = 1;   // this node connects to the peer's gossip port
constexpr std::uint64_t kControlFrom = 2;  // the peer connects to this node's control port
constexpr std::uint64_t kGossipTo = 4;     // the peer connects to this node's gossip port
constexpr std::uint64_t kControlTo = 8;    // this node connects to the peer's control port
constexpr std::uint64_t kAll[] = {kGossipFrom, kControlFrom, kGossipTo, kControlTo};

}  // namespace

void Channels::heard(Peer& peer, Channel channel) const {
    (channel == Channel::gossip ? peer.heard_gossip_at : peer.heard_control_at) = ctx_.now;
    if (channel != Channel::gossip) return;
    if (!std::exchange(peer.gossip_worked, true)) peers_.worked_there(peer);
    peer.gossip_opened.wait = ctx_.options.timing.reconnect_after;
}

void Channels::allow_for_lateness(Duration late) {
    for (auto& [name, peer] : peers_.all()) {
        for (Instant* at : {&peer.heard_gossip_at, &peer.heard_control_at, &peer.watched_since, &peer.told_at,
                            &peer.unconfirmed_since})
            *at = std::min(ctx_.now, *at + late);
        if (peer.unheard_since != kNever) peer.unheard_since = std::min(ctx_.now, peer.unheard_since + late);
    }
}

void Channels::tick(Seq position, std::uint64_t digest) {
    for (auto& [name, peer] : peers_.all()) {
        if (peer.record.state == NodeState::left) continue;
        report(peer, position, digest);
        // A peer that is down and heard refutes that; without its publications nobody here would learn of it.
        if (peer.is_live() || peers_.is_hearing_directly(peer)) ask_for_publications(peer);
        reconnect_if_silent(peer);
        note_changes(peer);
    }
}

/// A report is a Pong that nobody asked for, so an older minor passes over it. It goes over control, which is otherwise
/// silent while nothing happens, and so shows that control works. While this node does not hear the peer over control,
/// it cannot know whether the peer hears it, so the report takes the other ways as well. With keys, a peer that is
/// heard has no relay, because what others say of it is never news; its report goes through any of them. So it does to
/// a peer that is down, if that may live: two nodes that are unreached to each other come up again only by reports.
void Channels::report(Peer& peer, Seq position, std::uint64_t digest) {
    const Timing& timing = ctx_.options.timing;
    const auto says = peers_.report_for(peer);
    const bool troubled = says != report::kTold || peers_.told_by(peer) != report::kTold || peer.unreached;
    const bool is_news = says != peer.reported;
    const Duration interval = troubled && peer.is_live() ? timing.heartbeat : timing.report;
    if (!peer.connected || (!is_news && ctx_.now - peer.reported_at < interval)) return;
    peer.reported = says;
    peer.reported_at = ctx_.now;
    const proto::Pong pong{0, peer.record.id, {}, digest, says};
    ctx_.emit(SendPeer{peer.record.id.name, ctx_.message(pong, position.value)});
    if (!troubled) return;
    if (peer.takes_addressed) peers_.publish_to(peer, ctx_.message(pong, position.value));
    if (peers_.is_hearing_directly(peer) && !peers_.is_deaf(peer)) return;
    const bool may_live = peer.is_live() ? peers_.relay_of(peer) || peers_.is_hearing_directly(peer)
                                         : peer.unreached || ctx_.now - peer.arrived_at <= timing.suspect_after;
    if (may_live && peers_.next_hop(peer, peer.record.id.name))
        peers_.send(peer.record.id.name, pong, position.value, true);
}

/// The peer itself can send over control what it publishes: a lease at the origin. See core_relays.cpp.
void Channels::ask_for_publications(Peer& peer) {
    const Timing& timing = ctx_.options.timing;
    if (ctx_.now - peer.heard_gossip_at <= timing.ask_others_after) return;
    if (ctx_.now - peer.lease_asked_at < timing.heartbeat) return;
    peer.lease_asked_at = ctx_.now;
    peers_.send(peer.record.id.name, proto::Probe{peer.record.id, true});
}

/// A TCP connection can be dead without either side noticing. So sockets to a silent peer are opened again from time to
/// time, at longer and longer intervals, even if the peer is down. One that works is left alone.
void Channels::reconnect_if_silent(Peer& peer) {
    const auto is_due = [this](const SocketTimes& opened, Instant heard_at) {
        return ctx_.now - std::max(opened.at, heard_at) > opened.wait;
    };
    const bool gossip = is_due(peer.gossip_opened, peer.heard_gossip_at);
    const bool silent = is_due(peer.control_opened, peer.heard_directly_at);
    const bool control =
        silent || (!peers_.is_reached(peer, Channel::control) && is_due(peer.control_opened, kLongAgo));
    if (!peer.connected || (!gossip && !control)) return;
    ctx_.count("reconnects");
    for (SocketTimes* opened : {gossip ? &peer.gossip_opened : nullptr, control ? &peer.control_opened : nullptr})
        if (opened) opened->wait = std::min(kReconnectMax, 2 * opened->wait);
    peers_.connect(peer, {gossip, control});
    peer.reopened = silent;
}

// ---- for people ----------------------------------------------------------------------

/// Only what is silent although the process lives: of a node that is dead or cut off, all channels are.
std::uint64_t Channels::find_faults(const Peer& peer) const {
    const Duration limit = ctx_.options.timing.channel_silent;
    if (ctx_.now - peer.watched_since <= limit) return 0;
    const auto told = peers_.told_by(peer);
    std::uint64_t faults = 0;
    if (ctx_.now - peer.heard_gossip_at > limit) faults |= kGossipFrom;
    if (peer.takes_addressed && ctx_.now - peer.heard_control_at > limit) faults |= kControlFrom;
    if (told & report::kNoGossip) faults |= kGossipTo;
    if (told & report::kNoControl) faults |= kControlTo;
    return faults;
}

Duration Channels::silence_of(const Peer& peer) const {
    return ctx_.now - std::max({peer.heard_at, peer.heard_directly_at, peer.greeted_at});
}

/// The channels of a peer that has died fall silent one after the other, as each has its own interval. While one of
/// them carries, the peer is heard every heartbeat.
void Channels::note_changes(Peer& peer) {
    const Duration silence = silence_of(peer);
    if (silence > ctx_.options.timing.channel_silent) return;
    const auto faults = peer.faults = find_faults(peer);
    if (silence > ctx_.options.timing.ask_others_after) return;
    const auto before = std::exchange(peer.noted_faults, faults);
    for (const auto fault : kAll) {
        if ((faults & fault) == (before & fault)) continue;
        if (faults & fault) ctx_.count("channel_faults");
        ctx_.note((faults & fault) != 0 ? Note::Kind::channel_silent : Note::Kind::channel_restored,
                  peer.record.id.name, text_of(peer, fault));
    }
}

std::string Channels::text_of(const Peer& peer, std::uint64_t fault) const {
    const std::string& name = peer.record.id.name;
    switch (fault) {
        case kGossipFrom:
            return "from this node to the gossip port of " + name + ", " + peer.record.gossip +
                   (peers_.other_at_gossip_of(peer) ? ", which is another node's" : "");
        case kControlFrom:
            return "from " + name + " to the control port of this node, " + ctx_.options.control;
        case kGossipTo:
            return "from " + name + " to the gossip port of this node, " + ctx_.options.gossip;
        default:
            return "from this node to the control port of " + name + ", " + peer.record.control;
    }
}

std::vector<std::string> Channels::faults_of(const Peer& peer) const {
    std::vector<std::string> texts;
    if (silence_of(peer) > ctx_.options.timing.channel_silent) return texts;
    for (const auto fault : kAll)
        if (peer.noted_faults & fault) texts.push_back(text_of(peer, fault));
    return texts;
}

std::uint64_t Channels::silent() const {
    std::uint64_t sum = 0;
    for (const auto& [name, peer] : peers_.all())
        if (peer.is_live() && silence_of(peer) <= ctx_.options.timing.channel_silent)
            sum += static_cast<std::uint64_t>(std::popcount(peer.noted_faults));
    return sum;
}

}  // namespace muster::cluster
