// What other nodes say to this one.
#include <algorithm>
#include <utility>

#include "cluster/core_impl.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr int kDiffersBeforeNews = 2;    // heartbeats in a row
constexpr int kDiffersBeforeHello = 12;  // news does not help: perhaps it does not listen to this life
constexpr Duration kNewsInterval = std::chrono::seconds(1);
constexpr std::size_t kLessees = 64;  // relays for one origin

bool is_published(const proto::Message& message) {
    const auto* deltas = std::get_if<proto::Deltas>(&message.body);
    return (deltas && deltas->about.name == message.header.origin) ||
           std::holds_alternative<proto::Heartbeat>(message.body) ||
           std::holds_alternative<proto::Goodbye>(message.body) ||
           std::holds_alternative<proto::PeerNews>(message.body);
}

}  // namespace

void Core::Impl::at_door(MessageArrived& event) {
    proto::Message& message = event.message;
    if (const auto* hello = std::get_if<proto::Hello>(&message.body)) {
        if (discovery.hello(message, event.sender, event.connection, replicas.own().applied())) greeted(hello->self);
    } else if (std::holds_alternative<proto::WorkerHello>(message.body)) {
        worker_hello(message, event.sender, event.connection);
    } else if (auto wanted = sessions.message(std::move(message), event.sender, event.connection)) {
        request(std::move(*wanted));
    }
}

void Core::Impl::at_dial(MessageArrived& event) {
    if (const auto* refusal = std::get_if<proto::Refuse>(&event.message.body))
        return discovery.refused(*refusal, event.address);
    const auto* welcome = std::get_if<proto::Welcome>(&event.message.body);
    if (!welcome) return ctx.count("messages_out_of_place");
    if (!is_genuine(event.message, event.sender)) return;
    if (welcome->self.id.name != event.message.header.origin) return ctx.count("messages_out_of_place");
    Incarnation higher;
    if (discovery.welcome(event.message, event.address, higher)) return adopt(higher);
    greeted(welcome->self);
}

/// Hello or welcome has told where the other's log stands.
void Core::Impl::greeted(const proto::PeerRecord& record) {
    settle();  // its table stands only after its transition
    if (Copy* copy = replicas.find(record.id)) copy->greet(record.seq);
    told_position(record.id, record.refutation, record.seq);
}

/// A node has said itself where its log stands. Its table is shown again, after a death that it denied, only with what
/// it had then: so words from before the denial do not count.
void Core::Impl::told_position(const NodeId& id, std::uint64_t refutation, Seq position) {
    const Peer* peer = peers.find_live(id);
    Copy* copy = replicas.find(id);
    if (copy && peer && refutation >= peer->record.refutation) copy->confirm_position(position);
}

/// An earlier life of this node had a later clock.
void Core::Impl::adopt(Incarnation incarnation) {
    if (ready || replicas.own().applied() != Seq{})
        return ctx.emit(
            Stop{{ErrorCode::name_taken, "an earlier life of this node had a later clock: start it again"}});
    ctx.self.incarnation = incarnation;
    ctx.proof = proof_of(ctx, peers.self_record({}));
    replicas.adopt(incarnation);
    routes.clear();
    ctx.count("incarnations_adopted");
    ctx.emit(IdentityChanged{ctx.self});
}

/// Whether the sender speaks in the life that is known of it, and has not left.
bool Core::Impl::is_known_life(const NodeId& from) {
    Peer* peer = peers.find(from.name);
    if (!peer) {
        ctx.count("messages_of_strangers");
        return false;
    }
    if (from.incarnation > peer->record.id.incarnation) peer->greeted = false;  // discovery asks who that is
    if (from == peer->record.id && peer->record.state != NodeState::left) return true;
    ctx.count("messages_of_another_life");
    return false;
}

/// Whether a message comes over a connection of its origin's own, as far as keys can tell.
bool Core::Impl::is_genuine(const proto::Message& message, const Sender& sender) {
    if (!ctx.options.notary || sender == Sender{Sender::Role::node, message.header.origin}) return true;
    ctx.count("messages_of_false_senders");
    return false;
}

void Core::Impl::published(proto::Message& message) {
    if (!ctx.options.notary) return from_node(message, Channel::gossip, {});
    if (auto opened = open_seal(ctx, message))
        from_node(opened->message, Channel::gossip, {{}, 0, &message, opened->stamp});
}

void Core::Impl::of_this_node(const proto::Message& message, Channel channel, const Passage& passage) {
    const bool own = message.header.incarnation == ctx.self.incarnation.value && channel == Channel::gossip;
    if (!own || !std::holds_alternative<proto::Heartbeat>(message.body)) return;
    if (passage.seal && passage.stamp <= std::exchange(own_stamp, std::max(own_stamp, passage.stamp))) return;
    detector.own_heartbeat_seen();
}

/// What is sealed may be kept back and shown again by others: only what is newer than all that came is a sign of life.
bool Core::Impl::is_fresh(const proto::Message& message, const Passage& passage) {
    if (!passage.seal) return true;
    Peer& peer = *peers.find(message.header.origin);
    auto& newest = is_published(message) ? peer.published_stamp : peer.sent_stamp;
    if (passage.stamp <= newest) {
        ctx.count("seals_seen_before");
        return false;
    }
    newest = passage.stamp;
    if (std::holds_alternative<proto::Heartbeat>(message.body)) peer.beat = proto::encode(*passage.seal);
    return true;
}

/// Whether it says of another node's table what only that node is believed.
bool Core::Impl::speaks_for_others(const NodeId& from, const proto::Body& body) {
    if (!ctx.options.notary) return false;
    const auto* deltas = std::get_if<proto::Deltas>(&body);
    const auto* chunk = std::get_if<proto::SnapshotChunk>(&body);
    if ((!deltas || deltas->about == from) && (!chunk || chunk->about == from)) return false;
    ctx.count("tables_forged");
    return true;
}

void Core::Impl::from_node(proto::Message& message, Channel channel, const Passage& passage) {
    if (message.header.scope != ctx.options.scope) return ctx.count("messages_of_another_scope");
    const NodeId from{message.header.origin, Incarnation{message.header.incarnation}};
    if (from.name == ctx.self.name) return of_this_node(message, channel, passage);
    if (!is_known_life(from)) return;
    const bool fresh = is_fresh(message, passage);
    if (fresh && (channel == Channel::gossip || !passage.relay.empty())) pass_on_to_lessees(message, passage);
    if (std::holds_alternative<proto::Goodbye>(message.body))
        return peers.declare(from, NodeState::left, "it said goodbye");

    // A refutation must count before the message that carries it is weighed.
    if (const auto* news = std::get_if<proto::PeerNews>(&message.body))
        for (const auto& record : news->peers) peers.merge(record, from.name);
    const auto* beat = std::get_if<proto::Heartbeat>(&message.body);
    Peer* peer = peers.find(from.name);
    const auto* deltas = std::get_if<proto::Deltas>(&message.body);
    if (beat || (deltas && deltas->about == from))
        peer->record.seq = std::max(peer->record.seq, Seq{message.header.seq});  // newcomers are told
    const auto refutation = beat ? beat->refutation : peer->record.refutation;
    // What was sent to this node alone says nothing of the way back: it may have come around.
    const std::string via = is_published(message) ? passage.relay : std::string();
    if (fresh) peers.confirm_alive(from, refutation, {passage.relay.empty(), via, {}});
    settle();  // a table must stand before what concerns it is looked at
    // A ping shown again would say that its origin does not hear us.
    if (!fresh && std::holds_alternative<proto::Ping>(message.body)) return;
    if (!speaks_for_others(from, message.body)) take(message, passage.relay);
}

void Core::Impl::take(proto::Message& message, const std::string& relay_name) {
    const NodeId from{message.header.origin, Incarnation{message.header.incarnation}};
    auto& body = message.body;
    if (auto* deltas = std::get_if<proto::Deltas>(&body)) {
        replicas.apply(std::move(*deltas));
    } else if (std::holds_alternative<proto::Heartbeat>(body)) {
        heartbeat(from, message);
    } else if (const auto* pull = std::get_if<proto::Pull>(&body)) {
        repair.answer(*pull, from.name);
    } else if (const auto* chunk = std::get_if<proto::SnapshotChunk>(&body)) {
        repair.take(*chunk, Seq{message.header.seq}, from.name);
    } else if (const auto* ack = std::get_if<proto::SnapshotAck>(&body)) {
        snapshots.acked(*ack, from.name);
    } else if (const auto* asked = std::get_if<proto::Probe>(&body)) {
        probe(from, *asked);
    } else if (const auto* answer = std::get_if<proto::Heard>(&body)) {
        heard(from, *answer);
    } else if (const auto* ping = std::get_if<proto::Ping>(&body)) {
        if (!relay_name.empty()) peers.found_deaf(from.name);  // nobody else passes a ping on
        if (Copy* copy = replicas.find(from)) copy->learn_position(Seq{message.header.seq});
        visibility.pinged(from, ping->nonce, Seq{message.header.seq});
    } else if (const auto* pong = std::get_if<proto::Pong>(&body)) {
        visibility.ponged(from.name, *pong);
    } else if (auto* data = std::get_if<proto::LinkData>(&body)) {
        link_data(from, std::move(*data));
    } else if (const auto* link_ack = std::get_if<proto::LinkAck>(&body)) {
        links.acked(from, *link_ack);
    } else if (const auto* wrapped = std::get_if<proto::Relay>(&body); wrapped && relay_name.empty()) {
        relay(from, *wrapped);
    } else if (!std::holds_alternative<proto::PeerNews>(body)) {
        ctx.count("messages_out_of_place");
    }
}

void Core::Impl::heartbeat(const NodeId& from, const proto::Message& message) {
    const auto& beat = std::get<proto::Heartbeat>(message.body);
    if (Copy* copy = replicas.find(from)) copy->learn_digest(Seq{message.header.seq}, beat.digest);
    told_position(from, beat.refutation, Seq{message.header.seq});
    Peer* peer = peers.find_live(from);
    if (!peer) return;
    if (beat.membership == peers.digest()) {
        peer->digests_differ = 0;
        return;
    }
    if (++peer->digests_differ % kDiffersBeforeHello == 0) peer->greeted = false;
    if (peer->digests_differ < kDiffersBeforeNews || ctx.now - peer->news_at < kNewsInterval) return;
    peer->news_at = ctx.now;
    ctx.count("membership_repairs");
    peers.send(from.name, proto::PeerNews{peers.records(true)});
}

void Core::Impl::probe(const NodeId& from, const proto::Probe& probe) {
    const Peer* target = peers.find(probe.target.name);
    if (!target || target->record.id.incarnation < probe.target.incarnation) return;
    if (!target->is_live() && !peers.is_hearing_directly(*target))
        return peers.send(from.name, proto::PeerNews{{target->record}});
    const bool direct = peers.is_hearing_directly(*target);
    // Told onward is only what came through this node's own relay, and never back to it.
    const Instant heard_at = direct ? target->heard_direct : target->heard_via;
    const bool through_another = peers.relay_of(*target) && target->via != from.name;
    // Who takes this node for its relay sends back the same way: it must lead to the target.
    const bool known = through_another || (direct && !peers.is_deaf(*target));
    if (!known || ctx.now - heard_at >= ctx.options.timing.suspect_after) return;
    auto& lessees = leases[probe.target.name];
    if (probe.pass_on && (lessees.size() < kLessees || lessees.contains(from.name)))
        lessees[from.name] = ctx.now + ctx.options.timing.relay_lease;

    proto::Heard heard{target->record, 0, 0};
    heard.target.state = NodeState::alive;
    if (const Replica* replica = replicas.shown(probe.target.name)) {
        // Not less than what is known of it: who has believed it dead shows it again with what it has here.
        heard.target.seq = std::max(heard.target.seq, replica->applied());
        if (heard.target.seq == replica->applied()) heard.digest = replica->digest();
    }
    const auto age = ctx.now - heard_at;
    heard.age_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
    heard.beat = target->beat;
    peers.send(from.name, std::move(heard));
}

void Core::Impl::heard(const NodeId& from, const proto::Heard& heard) {
    peers.merge(heard.target, from.name);
    const auto patience = ctx.options.timing.suspect_after;
    const auto limit =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count());
    if (heard.age_ms >= limit) return;
    const auto sign = sign_of_life(heard);
    if (!sign) return ctx.count("lives_unproven");
    ctx.count("lives_heard_of");
    peers.confirm_alive(heard.target.id, heard.target.refutation,
                        {false, from.name, std::chrono::milliseconds(heard.age_ms)});
    settle();
    if (Copy* copy = replicas.find(heard.target.id)) copy->learn_position(sign->position);
    told_position(heard.target.id, sign->refutation, sign->position);
}

/// What proves that the target lives: where there are keys, a heartbeat of its own that has not been seen here yet.
std::optional<Core::Impl::LifeSign> Core::Impl::sign_of_life(const proto::Heard& heard) {
    if (!ctx.options.notary) return LifeSign{heard.target.seq, heard.target.refutation};
    Peer* peer = peers.find_live(heard.target.id);
    auto seal = proto::decode(heard.beat);
    if (!peer || !seal) return std::nullopt;
    const auto opened = open_seal(ctx, *seal);
    const auto* beat = opened ? std::get_if<proto::Heartbeat>(&opened->message.body) : nullptr;
    if (!beat || opened->stamp <= peer->published_stamp) return std::nullopt;
    const proto::Header& header = opened->message.header;
    if (NodeId{header.origin, Incarnation{header.incarnation}} != peer->record.id) return std::nullopt;
    peer->published_stamp = opened->stamp;
    peer->beat = heard.beat;
    return LifeSign{Seq{header.seq}, beat->refutation};
}

void Core::Impl::relay(const NodeId& from, const proto::Relay& relay) {
    if (relay.to != ctx.self.name) return relay_onward(from, relay);
    auto inner = proto::decode(relay.message);
    if (!inner) return ctx.count("relays_broken");
    ctx.count("relayed_received");
    if (!ctx.options.notary) return from_node(*inner, Channel::control, {from.name, relay.hops});
    if (auto opened = open_seal(ctx, *inner))
        from_node(opened->message, Channel::control, {from.name, relay.hops, &*inner, opened->stamp});
}

void Core::Impl::relay_onward(const NodeId& from, proto::Relay relay) {
    const Peer* to = peers.find(relay.to);
    const Peer* next = to ? peers.next_hop(*to, from.name) : nullptr;
    if (!next || relay.hops >= limits::kHops) return ctx.count("relays_refused");
    ++relay.hops;
    ctx.count("relayed_passed_on");
    ctx.emit(SendPeer{next->record.id.name, ctx.message(std::move(relay))});
}

/// Only what comes directly, or else from this node's own relay for the origin:
/// so every message travels along a tree, whoever else still passes it here.
void Core::Impl::pass_on_to_lessees(const proto::Message& message, const Passage& passage) {
    const auto it = leases.find(message.header.origin);
    if (it == leases.end() || passage.hops >= limits::kHops || !is_published(message)) return;
    const Peer* origin = peers.find(message.header.origin);
    const bool direct = passage.relay.empty();
    if (!direct && (peers.is_hearing_directly(*origin) || origin->via != passage.relay)) return;
    const auto bytes = proto::encode(passage.seal ? *passage.seal : message);
    for (const auto& [lessee, until] : it->second) {
        if (until <= ctx.now || lessee == passage.relay) continue;
        ctx.emit(SendPeer{lessee, ctx.message(proto::Relay{lessee, bytes, passage.hops + 1})});
    }
}

void Core::Impl::link_data(const NodeId& from, proto::LinkData data) {
    for (auto& item : links.take(from, std::move(data))) {
        if (auto* notice = std::get_if<proto::SharedNotice>(&item); notice && (*notice)->from_node != from)
            ctx.count("notices_forged");
        else if (notice)
            fan_outs.take(from, *notice);
        else if (const auto* lost = std::get_if<proto::NoticesLost>(&item))
            fan_outs.take(*lost);
        else
            reports.take(from, std::get<proto::NoticeReport>(item));
    }
}

}  // namespace muster::cluster
