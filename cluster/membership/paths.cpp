// Peers, the part about connections: how this node reaches a peer, directly or through a relay.
// PROTOCOL.md, "Relays". When relays are needed and how they are found: core_relays.cpp.
#include <algorithm>
#include <utility>

#include "cluster/membership/peers.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"

namespace muster::cluster {

namespace {

std::set<std::string> addresses_of(const Peer& peer) {
    std::set<std::string> addresses{peer.record.address, peer.record.control, peer.record.gossip};
    addresses.erase(std::string());
    return addresses;
}

}  // namespace

/// A liar may tell of any number of lives, under its own name or others, at addresses that are no node's. The host
/// at such an address must not get a connection for each. A life at the addresses of an earlier one that was heard
/// there, as after most restarts, waits for nothing.
void Peers::connect_new_life(Peer& peer) {
    peer.waits = !may_connect(peer);
    if (!peer.waits) return try_addresses(peer);
    ctx_.count("connects_delayed");
    disconnect(peer);
}

bool Peers::may_connect(const Peer& peer) const {
    const auto may_try = [this](const std::string& what) { return tries_.may_try(what, ctx_.now); };
    const auto addresses = addresses_of(peer);
    return peer.heard_there ||
           (may_try(peer.record.id.name) && std::all_of(addresses.begin(), addresses.end(), may_try));
}

void Peers::try_addresses(Peer& peer) {
    tries_.tried(peer.record.id.name, ctx_.now);
    for (const auto& address : addresses_of(peer)) tries_.tried(address, ctx_.now);
    if (peer.is_live()) connect(peer);
}

void Peers::worked_there(const Peer& peer) {
    for (const auto& address : addresses_of(peer)) tries_.worked(address);
}

/// Those that have shown that they exist come first: several may wait for one address.
void Peers::connect_waiting() {
    tries_.forget_old(ctx_.now);
    for (const bool is_met : {true, false}) {
        for (auto& [name, peer] : peers_) {
            if (!peer.waits || peer.is_met() != is_met || !may_connect(peer)) continue;
            peer.waits = false;
            try_addresses(peer);
        }
    }
}

void Peers::connect(Peer& peer, Which which) {
    if (peer.waits) return;
    peer.connected = true;
    if (which.control) peer.reopened = false;
    for (SocketTimes* opened :
         {which.gossip ? &peer.gossip_opened : nullptr, which.control ? &peer.control_opened : nullptr}) {
        if (!opened) continue;
        opened->at = ctx_.now;
        if (opened->wait == Duration{}) opened->wait = ctx_.options.timing.reconnect_after;
    }
    which = without_addresses_of_others(peer, which);
    if (which.gossip) at_gossip_[peer.record.gossip] = peer.record.id.name;
    if (!which.gossip && !which.control) return;
    ctx_.emit(ConnectPeer{peer.record.id, which.control ? peer.record.control : std::string(),
                          which.gossip ? peer.record.gossip : std::string()});
}

/// Two nodes never share an address. A peer may advertise one of another node all the same: by mistake, or to cut that
/// node off, because ZeroMQ subscribes to an address once, for one key. The peer is then reached in the ways that
/// remain when a port is closed. Its record is believed: a liar that is known first would otherwise keep an honest node
/// out.
Peers::Which Peers::without_addresses_of_others(const Peer& peer, Which which) {
    const Options& own = ctx_.options;
    const bool gossip_free = peer.record.gossip != own.gossip && !other_at_gossip_of(peer);
    const bool control_free = peer.record.control != own.control;
    if ((which.gossip && !gossip_free) || (which.control && !control_free)) ctx_.count("addresses_in_use");
    return {which.gossip && gossip_free, which.control && control_free};
}

const Peer* Peers::other_at_gossip_of(const Peer& peer) const {
    const auto at = at_gossip_.find(peer.record.gossip);
    if (at == at_gossip_.end() || at->second == peer.record.id.name) return nullptr;
    const Peer* other = find(at->second);
    return other && is_heard_at_its_gossip(*other) ? other : nullptr;
}

/// A peer that was connected a moment ago has some time to be heard. Signs of life in other ways do not count: a liar
/// has those, wherever its address leads.
bool Peers::is_heard_at_its_gossip(const Peer& peer) const {
    const Timing& timing = ctx_.options.timing;
    const Instant heard_at = peer.heard_gossip_at > peer.watched_since ? peer.heard_gossip_at : kLongAgo;
    const bool heard = ctx_.now - heard_at <= timing.channel_silent;
    const bool connecting = ctx_.now - peer.gossip_opened.at <= timing.ask_others_after;
    return peer.is_live() && (heard || connecting) && peer.link_lost_at < std::max(heard_at, peer.gossip_opened.at);
}

void Peers::release_gossip(const Peer& peer) {
    const auto at = at_gossip_.find(peer.record.gossip);
    if (at != at_gossip_.end() && at->second == peer.record.id.name) at_gossip_.erase(at);
}

bool Peers::is_just_connected(const Peer& peer) const {
    return ctx_.now - peer.control_opened.at < ctx_.options.timing.ask_others_after;
}

void Peers::disconnect(Peer& peer) {
    if (!std::exchange(peer.connected, false)) return;
    release_gossip(peer);
    ctx_.emit(DisconnectPeer{peer.record.id.name});
}

void Peers::mark_knows_us(const NodeId& id) {
    if (Peer* peer = find(id.name); peer && peer->record.id == id) peer->knows_us = true;
}

void Peers::reopen_if_silent(const NodeId& id) {
    if (Peer* peer = find(id.name); peer && peer->record.id == id) reopen_silent(*peer);
}

/// A peer of which nothing has arrived has no connections that were forgotten. It may not exist.
void Peers::reopen_suspect(Peer& peer) {
    if (!peer.proven) return;
    const bool silent = !is_hearing_directly(peer);
    if (reopen_silent(peer).control) peer.reopened = silent;
}

Peers::Which Peers::reopen_silent(Peer& peer) {
    if (!peer.connected) return {false, false};
    const auto is_silent = [this](const SocketTimes& opened, Instant heard_at) {
        return ctx_.now - std::max(opened.at, heard_at) >= ctx_.options.timing.ask_others_after;
    };
    const Which which{
        is_silent(peer.gossip_opened, peer.heard_gossip_at),
        is_silent(peer.control_opened, is_reached(peer, Channel::control) ? peer.heard_directly_at : kLongAgo)};
    if (!which.gossip && !which.control) return which;
    ctx_.count("reconnects");
    connect(peer, which);
    return which;
}

void Peers::mark_deaf(const std::string& name) {
    if (Peer* peer = find(name)) peer->deaf_at = ctx_.now;
}

bool Peers::is_deaf(const Peer& peer) const {
    if (peer.unreached || ctx_.now - peer.deaf_at < ctx_.options.timing.suspect_after) return true;
    return !is_reached(peer, Channel::control) && !is_reached(peer, Channel::gossip);
}

// ---- what two peers tell each other about their channels: channels.hpp -----------------

void Peers::take_report(Peer& peer, std::uint64_t told) const {
    if (!(told & proto::channel_report::kTold)) return;
    const bool goes_on = ctx_.now - peer.told_at <= ctx_.options.timing.channel_silent;
    const bool unheard = told & proto::channel_report::kNothing;
    if (!unheard)
        peer.unheard_since = kNever;
    else if (!goes_on || peer.unheard_since == kNever)
        peer.unheard_since = ctx_.now;
    if (unheard && ctx_.now - peer.unheard_since >= ctx_.options.timing.suspect_after)
        peer.unreached = true;  // so one report is not enough
    peer.told = told;
    peer.told_at = ctx_.now;
    peer.takes_addressed = true;
}

void Peers::mark_reached(Peer& peer) const {
    peer.unconfirmed_since = ctx_.now;
    peer.unreached = false;
}

void Peers::mark_heard_by(const std::string& name) {
    if (Peer* peer = find(name)) peer->unconfirmed_since = ctx_.now;
}

/// A peer that does not know this node, refuses it, or believes it dead for long, reports nothing. Nor does an older
/// minor, whose heartbeats say so.
void Peers::check_reached(Peer& peer, Duration patience) const {
    const bool is_heard = ctx_.now - peer.heard_at <= ctx_.options.timing.suspect_after;
    if (peer.unreached || !is_heard || !peer.takes_addressed) return;
    if (ctx_.now - peer.unconfirmed_since <= patience) return;
    peer.unreached = true;
    ctx_.count("peers_unreached");
}

const char* Peers::why_unreached(const Peer& peer) const {
    return told_by(peer) & proto::channel_report::kNothing ? "hears nothing of this node"
                                                           : "does not report that it hears this node";
}

std::uint64_t Peers::report_for(const Peer& peer) const {
    namespace report = proto::channel_report;
    const Timing& timing = ctx_.options.timing;
    auto says = report::kTold;
    // Both nodes speak over every channel as soon as they are connected, so a channel that never worked is soon known.
    const auto is_silent = [&](Instant heard_at) {
        const bool never = heard_at <= peer.watched_since;
        return ctx_.now - heard_at > (never ? timing.ask_others_after : timing.channel_silent);
    };
    if (is_silent(peer.heard_gossip_at)) says |= report::kNoGossip;
    if (is_silent(peer.heard_control_at)) says |= report::kNoControl;
    if (ctx_.now - std::max({peer.heard_at, peer.heard_directly_at, peer.arrived_at}) > timing.suspect_after)
        says |= report::kNoGossip | report::kNoControl | report::kNothing;
    return says;
}

std::uint64_t Peers::told_by(const Peer& peer) const {
    const bool recent = ctx_.now - peer.told_at <= ctx_.options.timing.channel_silent;
    return recent ? peer.told : proto::channel_report::kTold;
}

bool Peers::is_reached(const Peer& peer, Channel channel) const {
    namespace report = proto::channel_report;
    return !(told_by(peer) & (channel == Channel::gossip ? report::kNoGossip : report::kNoControl));
}

// ---- sending ---------------------------------------------------------------------------

void Peers::send_directly(const Peer& peer, proto::Message message) {
    const bool over_gossip = !is_reached(peer, Channel::control) && is_reached(peer, Channel::gossip);
    if (!over_gossip || !peer.takes_addressed) return ctx_.emit(SendPeer{peer.record.id.name, std::move(message)});
    ctx_.count("control_over_gossip");
    publish_to(peer, std::move(message));
}

void Peers::publish_to(const Peer& peer, proto::Message message) {
    ctx_.emit(PublishTo{peer.record.id, sealed(ctx_, std::move(message))});
}

void Peers::send(const std::string& name, proto::Body body, std::uint64_t seq, bool detour) {
    const Peer* peer = find(name);
    if (!peer) return;
    // Without a relay, and just after a connect, the direct link is the best guess although nothing was heard over it.
    const bool fresh = !peer->reopened && ctx_.now - peer->control_opened.at < ctx_.options.timing.suspect_after;
    const bool try_direct = fresh || peer->relay.empty();
    auto message = ctx_.message(std::move(body), seq);
    const Peer* hop = !detour && try_direct && !is_deaf(*peer) ? peer : next_hop(*peer, detour ? name : std::string());
    if (!hop || hop == peer) return send_directly(*peer, std::move(message));
    ctx_.count("relayed_sent");
    const auto bytes = proto::encode(sealed(ctx_, std::move(message)));
    send_directly(*hop, ctx_.message(proto::Relay{name, bytes, 0}));
}

/// Keeps the present relay while it works: every change of relay leaves a lease at the old one, which then forwards in
/// vain until the lease ends.
void Peers::choose_relay(Peer& peer, const SignOfLife& sign) {
    const Peer* offered = find(sign.relay);
    if (!offered || is_deaf(*offered)) return;  // messages to the peer could not go that way
    const Peer* relay = relay_of(peer);
    const bool works =
        relay && !is_deaf(*relay) && ctx_.now - peer.heard_through_relay <= 2 * ctx_.options.timing.heartbeat;
    if (sign.relay != peer.relay && works) return;
    if (sign.relay != peer.relay) peer.heard_through_relay = kLongAgo;
    peer.relay = sign.relay;
    peer.heard_through_relay = std::max(peer.heard_through_relay, ctx_.now - sign.age);
}

const Peer* Peers::relay_of(const Peer& peer) const {
    const Peer* relay = find(peer.relay);
    return relay && is_hearing_directly(*relay) ? relay : nullptr;
}

const Peer* Peers::next_hop(const Peer& to, const std::string& avoid) {
    const auto can_take = [&](const Peer* peer) {
        return peer && peer->record.id.name != avoid && is_hearing_directly(*peer) && !is_deaf(*peer);
    };
    const bool detour = avoid == to.record.id.name;
    if (can_take(&to)) return &to;
    if (const Peer* relay = find(to.relay); !detour && can_take(relay)) return relay;
    for (const auto& name : draw_peers(to.record.id.name, peers_.size()))
        if (const Peer* other = find(name); can_take(other)) return other;
    return nullptr;
}

std::vector<std::string> Peers::draw_peers(const std::string& except, std::size_t count) {
    std::vector<std::string> names;
    for (const auto& [name, peer] : peers_)
        if (name != except && peer.is_live() && is_hearing_directly(peer)) names.push_back(name);
    for (std::size_t i = 0; i + 1 < names.size() && i < count; ++i)
        std::swap(names[i], names[i + static_cast<std::size_t>(ctx_.random.below(names.size() - i))]);
    if (names.size() > count) names.resize(count);
    return names;
}

}  // namespace muster::cluster
