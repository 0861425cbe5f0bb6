// What nodes do for each other where a direct way fails: signs of life at second hand, forwarded publications, and
// messages that go through third nodes. PROTOCOL.md, "Relays"; Detector and Peers decide when it is needed.
//
// A story with a cut between a and c, while b reaches both:
//   a does not hear c for Timing::ask_others_after, and sends Probe{c} to b.
//   b hears c. It answers Heard{c, age}. For Timing::relay_lease it forwards to a what c publishes: a has a lease.
//   a counts the Heard as a sign of life, and makes b its relay for c. It repeats the probe while it does not hear c.
//   Messages of a to c go as Relay{to: c} to b, which forwards them.
#include <algorithm>
#include <utility>

#include "cluster/core_impl.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kLessees = 64;  // nodes that one origin's publications are forwarded to

}  // namespace

/// What an origin publishes, as opposed to messages for one receiver: only this is forwarded under a lease.
bool is_published(const proto::Message& message) {
    const auto* deltas = std::get_if<proto::Deltas>(&message.body);
    return (deltas && deltas->about.name == message.header.origin) ||
           std::holds_alternative<proto::Heartbeat>(message.body) ||
           std::holds_alternative<proto::Goodbye>(message.body) ||
           std::holds_alternative<proto::PeerNews>(message.body) || std::holds_alternative<proto::Forget>(message.body);
}

void Core::Impl::on_probe(const NodeId& from, const proto::Probe& probe) {
    if (probe.target == ctx.self && probe.pass_on) return lend_own_publications(from);
    const Peer* target = peers.find(probe.target.name);
    if (!target || target->record.id.incarnation < probe.target.incarnation) return;
    if (!target->is_live() && !peers.is_hearing_directly(*target))
        return peers.send(from.name, proto::PeerNews{{target->record}});
    const bool direct = peers.is_hearing_directly(*target);
    // At second hand, a node reports only what came through its own relay, and never to that relay: two nodes that are
    // each other's relay would have no way to the target.
    const Instant heard_at = direct ? target->heard_directly_at : target->heard_through_relay;
    const bool through_another = peers.relay_of(*target) && target->relay != from.name;
    // The asking node may make this one its relay, also for messages to the target. So a target that does not hear this
    // node is not offered.
    const bool known = through_another || (direct && !peers.is_deaf(*target));
    if (!known || ctx.now - heard_at >= ctx.options.timing.suspect_after) return;
    auto& lessees = leases[probe.target.name];
    if (probe.pass_on && (lessees.size() < kLessees || lessees.contains(from.name)))
        lessees[from.name] = ctx.now + ctx.options.timing.relay_lease;

    proto::Heard heard{target->record, 0, 0};
    heard.target.state = NodeState::alive;
    if (const Replica* replica = replicas.shown(probe.target.name)) {
        // At least the position that is shown here: a node that believed the target down shows its table again only
        // from this position on.
        heard.target.seq = std::max(heard.target.seq, replica->applied());
        if (heard.target.seq == replica->applied()) heard.digest = replica->digest();
    }
    const auto age = ctx.now - heard_at;
    heard.age_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
    heard.beat = target->sealed_heartbeat;
    peers.send(from.name, std::move(heard));
}

void Core::Impl::on_heard(const NodeId& from, const proto::Heard& heard) {
    peers.merge(heard.target, from.name);
    const auto patience = ctx.options.timing.suspect_after;
    const auto limit =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
    if (heard.age_ms >= limit) return;
    const auto proven = proven_life(heard);
    if (!proven) return ctx.count("lives_unproven");
    ctx.count("lives_heard_of");
    peers.confirm_alive(heard.target.id, heard.target.refutation,
                        {false, from.name, std::chrono::milliseconds(heard.age_ms)});
    settle();
    if (Copy* copy = replicas.find(heard.target.id)) copy->learn_position(proven->position);
    confirm_position(heard.target.id, proven->refutation, proven->position);
}

/// What `heard` proves. With keys, another node's claim alone is no sign of life: it must contain a sealed heartbeat of
/// the target that is newer than all that this node has seen.
std::optional<Core::Impl::ProvenLife> Core::Impl::proven_life(const proto::Heard& heard) {
    if (!ctx.options.notary) return ProvenLife{heard.target.seq, heard.target.refutation};
    Peer* peer = peers.find_live(heard.target.id);
    auto seal = proto::decode(heard.beat);
    if (!peer || !seal) return std::nullopt;
    const auto opened = open_seal(ctx, *seal);
    const auto* beat = opened ? std::get_if<proto::Heartbeat>(&opened->message.body) : nullptr;
    if (!beat || opened->stamp <= peer->published_stamp) return std::nullopt;
    const proto::Header& header = opened->message.header;
    if (NodeId{header.origin, Incarnation{header.incarnation}} != peer->record.id) return std::nullopt;
    peer->published_stamp = opened->stamp;
    peer->sealed_heartbeat = heard.beat;
    return ProvenLife{Seq{header.seq}, beat->refutation};
}

void Core::Impl::on_relay(const NodeId& from, const proto::Relay& relay) {
    if (relay.to != ctx.self.name) return forward_relay(from, relay);
    auto inner = proto::decode(relay.message);
    if (!inner) return ctx.count("relays_broken");
    ctx.count("relayed_received");
    if (!ctx.options.notary) return on_node_message(*inner, Channel::control, {from.name, relay.hops});
    if (auto opened = open_seal(ctx, *inner))
        on_node_message(opened->message, Channel::control, {from.name, relay.hops, &*inner, opened->stamp});
}

void Core::Impl::forward_relay(const NodeId& from, proto::Relay relay) {
    const Peer* to = peers.find(relay.to);
    const Peer* next = to ? peers.next_hop(*to, from.name) : nullptr;
    if (!next || relay.hops >= limits::kHops) return ctx.count("relays_refused");
    ++relay.hops;
    ctx.count("relayed_passed_on");
    peers.send_directly(*next, ctx.message(std::move(relay)));
}

/// Forwards a publication to the nodes that have a lease for its origin. A node forwards only what it received from the
/// origin itself or from its own relay for that origin. So for each origin the leases form a tree, along which every
/// publication travels once, although other nodes may still forward it here under old leases.
void Core::Impl::forward_to_lessees(const proto::Message& message, Channel channel, const Provenance& provenance) {
    const auto it = leases.find(message.header.origin);
    if (it == leases.end() || provenance.hops >= limits::kHops || !is_published(message)) return;
    const Peer* origin = peers.find(message.header.origin);
    const bool direct = provenance.relay.empty();
    // What the origin sends over control to this node as its lessee counts while its gossip does not arrive.
    const bool lent = direct && channel == Channel::control;
    const bool needs_lease = ctx.now - origin->heard_gossip_at > ctx.options.timing.ask_others_after;
    if (lent && (!needs_lease || (ctx.options.notary && !provenance.seal))) return;
    if (!direct && (peers.is_hearing_directly(*origin) || origin->relay != provenance.relay)) return;
    const auto bytes = proto::encode(provenance.seal ? *provenance.seal : message);
    for (const auto& [lessee, until] : it->second) {
        if (until <= ctx.now || lessee == provenance.relay) continue;
        if (const Peer* to = peers.find(lessee))
            peers.send_directly(*to, ctx.message(proto::Relay{lessee, bytes, provenance.hops + 1}));
    }
}

/// A peer does not hear this node's gossip, and asks for it over control: a lease at the origin. The heartbeat that
/// follows tells it the position of the log.
void Core::Impl::lend_own_publications(const NodeId& to) {
    auto& lessees = leases[ctx.self.name];
    if (!lessees.contains(to.name)) {
        if (lessees.size() >= kLessees) return;
        heartbeat_due = ctx.now;
    }
    lessees[to.name] = ctx.now + ctx.options.timing.relay_lease;
}

/// At the end of each step: what this step has published goes to this node's own lessees as well.
void Core::Impl::send_to_own_lessees() {
    const auto it = leases.find(ctx.self.name);
    if (it == leases.end()) return;
    const std::size_t end = ctx.actions->size();
    for (std::size_t at = first_action; at < end; ++at) {
        const auto* publication = std::get_if<Publish>(&(*ctx.actions)[at]);
        if (!publication) continue;
        const proto::Message message = publication->message;  // sending moves the list
        for (const auto& [lessee, until] : it->second) {
            if (until <= ctx.now) continue;
            ctx.count("gossip_over_control");
            ctx.emit(SendPeer{lessee, message});
        }
    }
}

void Core::Impl::end_leases() {
    for (auto& [origin, lessees] : leases)
        std::erase_if(lessees, [&](const auto& lease) { return lease.second <= ctx.now; });
    std::erase_if(leases, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace muster::cluster
