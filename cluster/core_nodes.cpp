// Messages of other nodes: whether they are believed, and which part of the core each of them concerns.
// PROTOCOL.md, "9. Node to node". core_relays.cpp has what one node forwards for others.
#include <algorithm>
#include <utility>

#include "cluster/core_impl.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"

namespace muster::cluster {
namespace {

constexpr int kDiffersBeforeNews = 2;    // heartbeats in a row
constexpr int kDiffersBeforeHello = 12;  // news did not help: perhaps the peer does not know this life of this node
constexpr int kBeatsOfOlderMinor = 8;
constexpr Duration kNewsInterval = std::chrono::seconds(1);

/// A node sends these only to a peer that it heard lately. They may fill a slow connection, so that reports come late.
bool is_for_hearers(const proto::Body& body) {
    return std::holds_alternative<proto::LinkData>(body) || std::holds_alternative<proto::LinkAck>(body) ||
           std::holds_alternative<proto::SnapshotChunk>(body) || std::holds_alternative<proto::SnapshotAck>(body);
}

}  // namespace

// ---- from the front door and to it -----------------------------------------------

void Core::Impl::on_door_message(MessageArrived& event) {
    proto::Message& message = event.message;
    if (const auto* hello = std::get_if<proto::Hello>(&message.body)) {
        if (discovery.hello(message, event.sender, event.connection, replicas.own().applied())) met(hello->self);
    } else if (std::holds_alternative<proto::WorkerHello>(message.body)) {
        worker_hello(message, event.sender, event.connection);
    } else if (auto wanted = sessions.message(std::move(event))) {
        request(std::move(*wanted));
    }
}

void Core::Impl::on_dial_answer(MessageArrived& event) {
    if (!is_genuine(event.message, event.sender)) return;
    const proto::Header& header = event.message.header;
    if (header.scope == ctx.options.scope)
        peers.namesakes().answered({header.origin, Incarnation{header.incarnation}}, event.address);
    if (std::holds_alternative<proto::Refuse>(event.message.body))
        return discovery.refused(event.message, event.address);
    const auto* welcome = std::get_if<proto::Welcome>(&event.message.body);
    if (!welcome || welcome->self.id.name != header.origin) return ctx.count("messages_out_of_place");
    if (discovery.welcome(event.message, event.address)) met(welcome->self);
}

/// Takes in the position of the peer's log from its hello or welcome.
void Core::Impl::met(const proto::PeerRecord& record) {
    settle();  // the peer's transition creates its table
    if (Copy* copy = replicas.find(record.id)) copy->greet(record.seq);
    confirm_position(record.id, record.refutation, record.seq);
}

/// Takes in the position of the peer's log from the peer itself. A table that was hidden is shown again once it has
/// caught up with the position that its origin has after the refutation. A position from before the refutation would be
/// too low.
void Core::Impl::confirm_position(const NodeId& id, std::uint64_t refutation, Seq position) {
    const Peer* peer = peers.find_live(id);
    Copy* copy = replicas.find(id);
    if (copy && peer && refutation >= peer->record.refutation) copy->confirm_position(position);
}

// ---- whether a message is believed -------------------------------------------------

/// Whether a message arrived over a connection of its origin's own. Without keys nobody can know; then every message
/// counts as genuine. PROTOCOL.md, "Seals".
bool Core::Impl::is_genuine(const proto::Message& message, const Sender& sender) {
    if (!ctx.options.notary || sender == Sender{Sender::Role::node, message.header.origin}) return true;
    ctx.count("messages_of_false_senders");
    return false;
}

/// Whether `from` is the life that is known of this peer, and has not left.
bool Core::Impl::is_known_life(const NodeId& from) {
    Peer* peer = peers.find(from.name);
    if (!peer) {
        ctx.count("messages_of_strangers");
        return false;
    }
    // A new life, whose addresses are not known yet: Discovery asks its front door.
    if (from.incarnation > peer->record.id.incarnation) peer->knows_us = false;
    if (from == peer->record.id && peer->record.state != NodeState::left) return true;
    peers.tell_of_later_life(from);
    ctx.count("messages_of_another_life");
    return false;
}

/// Whether a message is a sign of life. Any node may keep sealed messages and send them again after their origin's
/// death, so only a stamp above all earlier ones counts. Publications and messages to this node alone are compared
/// separately, because they take different ways and may overtake each other.
bool Core::Impl::is_fresh(const proto::Message& message, const Provenance& provenance) {
    if (!provenance.seal) return true;
    Peer& peer = *peers.find(message.header.origin);
    auto& newest = is_published(message) ? peer.published_stamp : peer.sent_stamp;
    if (provenance.stamp <= newest) {
        ctx.count("seals_seen_before");
        return false;
    }
    newest = provenance.stamp;
    if (std::holds_alternative<proto::Heartbeat>(message.body)) peer.sealed_heartbeat = proto::encode(*provenance.seal);
    return true;
}

/// Whether a message is about another node's table, with keys: only that node itself is believed about it.
bool Core::Impl::speaks_for_others(const NodeId& from, const proto::Body& body) {
    if (!ctx.options.notary) return false;
    const auto* deltas = std::get_if<proto::Deltas>(&body);
    const auto* chunk = std::get_if<proto::SnapshotChunk>(&body);
    if ((!deltas || deltas->about == from) && (!chunk || chunk->about == from)) return false;
    ctx.count("tables_forged");
    return true;
}

// ---- from parse to the part that it concerns ---------------------------------------

void Core::Impl::on_gossip(proto::Message& message) {
    if (!ctx.options.notary) return on_node_message(message, Channel::gossip, {});
    if (auto opened = open_seal(ctx, message))
        on_node_message(opened->message, Channel::gossip, {{}, 0, &message, opened->stamp});
}

/// A publication that its origin sends to a lessee over control is sealed, as on gossip.
void Core::Impl::on_control(proto::Message& message) {
    if (!ctx.options.notary || !std::holds_alternative<proto::Sealed>(message.body))
        return on_node_message(message, Channel::control, {});
    auto opened = open_seal(ctx, message);
    if (!opened) return;
    if (opened->message.header.origin != message.header.origin) return ctx.count("messages_of_false_senders");
    on_node_message(opened->message, Channel::control, {{}, 0, &message, opened->stamp});
}

void Core::Impl::on_node_message(proto::Message& message, Channel channel, const Provenance& provenance) {
    if (message.header.scope != ctx.options.scope) return ctx.count("messages_of_another_scope");
    const NodeId from{message.header.origin, Incarnation{message.header.incarnation}};
    if (from.name == ctx.self.name) return on_own_message(message, channel, provenance);
    if (!is_known_life(from)) return;
    const bool fresh = is_fresh(message, provenance);
    // What came over another channel before does not show that the node lives, but that this channel works.
    const bool newest = provenance.seal && provenance.stamp == peers.find(from.name)->published_stamp;
    if (provenance.relay.empty() && (fresh || newest)) channels.heard(*peers.find(from.name), channel);
    if (fresh) forward_to_lessees(message, channel, provenance);
    if (std::holds_alternative<proto::Goodbye>(message.body))
        return peers.declare(from, NodeState::left, "it said goodbye");

    // News first: the refutation in it must count before the message is weighed as a sign of life.
    if (const auto* news = std::get_if<proto::PeerNews>(&message.body))
        for (const auto& record : news->peers) peers.merge(record, from.name);
    const auto* beat = std::get_if<proto::Heartbeat>(&message.body);
    Peer* peer = peers.find(from.name);
    const auto* deltas = std::get_if<proto::Deltas>(&message.body);
    if (beat || (deltas && deltas->about == from))
        peer->record.seq = std::max(peer->record.seq, Seq{message.header.seq});  // for records that newcomers get
    const auto refutation = beat ? beat->refutation : peer->record.refutation;
    // A message to this node alone may have taken a roundabout way, so only publications tell who can be a relay.
    const std::string relay = is_published(message) ? provenance.relay : std::string();
    if (fresh) peers.confirm_alive(from, refutation, {provenance.relay.empty(), relay, {}});
    settle();  // a transition may have created the table that the message concerns
    // A replayed ping or pong would say, falsely, that its origin does not hear this node.
    const bool tells =
        std::holds_alternative<proto::Ping>(message.body) || std::holds_alternative<proto::Pong>(message.body);
    if (!fresh && tells) return;
    if (fresh && is_for_hearers(message.body)) peers.mark_heard_by(from.name);
    if (!speaks_for_others(from, message.body)) dispatch(message, provenance.relay);
}

/// A message of this node itself. Only its heartbeats count, which come back over the network: they show how late this
/// node is, and that it is not cut off.
void Core::Impl::on_own_message(const proto::Message& message, Channel channel, const Provenance& provenance) {
    const bool own = message.header.incarnation == ctx.self.incarnation.value && channel == Channel::gossip;
    if (!own || !std::holds_alternative<proto::Heartbeat>(message.body)) return;
    if (provenance.seal && provenance.stamp <= std::exchange(own_stamp, std::max(own_stamp, provenance.stamp))) return;
    detector.own_heartbeat_seen();
}

void Core::Impl::dispatch(proto::Message& message, const std::string& relay) {
    const NodeId from{message.header.origin, Incarnation{message.header.incarnation}};
    const Seq seq{message.header.seq};
    auto& body = message.body;
    if (auto* deltas = std::get_if<proto::Deltas>(&body)) {
        replicas.apply(std::move(*deltas));
    } else if (const auto* beat = std::get_if<proto::Heartbeat>(&body)) {
        on_heartbeat(from, *beat, seq);
    } else if (const auto* pull = std::get_if<proto::Pull>(&body)) {
        repair.answer(*pull, from.name);
    } else if (auto* chunk = std::get_if<proto::SnapshotChunk>(&body)) {
        repair.take(std::move(*chunk), seq, from.name);
    } else if (const auto* ack = std::get_if<proto::SnapshotAck>(&body)) {
        pull_answers.acked(*ack, from.name);
    } else if (const auto* probe = std::get_if<proto::Probe>(&body)) {
        on_probe(from, *probe);
    } else if (const auto* heard = std::get_if<proto::Heard>(&body)) {
        on_heard(from, *heard);
    } else if (const auto* ping = std::get_if<proto::Ping>(&body)) {
        if (!relay.empty()) peers.mark_deaf(from.name);  // nodes relay pings only to peers that they do not hear
        if (Copy* copy = replicas.find(from)) copy->learn_position(seq);
        visibility.pinged(from, ping->nonce, seq);
    } else if (const auto* pong = std::get_if<proto::Pong>(&body)) {
        // The answer to a ping with a nonce has no position.
        const bool has_position = pong->channels != 0 && pong->nonce == 0;
        if (Copy* copy = replicas.find(from); copy && has_position) copy->learn_digest(seq, pong->digest);
        if (Peer* peer = peers.find(from.name); peer && pong->about == ctx.self) {
            peers.take_report(*peer, pong->channels);
            if (pong->channels != 0 && !(pong->channels & proto::channel_report::kNothing)) peers.mark_reached(*peer);
        }
        visibility.ponged(from.name, *pong);
        pull_answers.ponged(from.name, pong->nonce);
    } else if (auto* data = std::get_if<proto::LinkData>(&body)) {
        on_link_data(from, std::move(*data));
    } else if (const auto* link_ack = std::get_if<proto::LinkAck>(&body)) {
        links.acked(from, *link_ack);
    } else if (auto* wanted = std::get_if<proto::ReplayRequest>(&body)) {
        replays.take(from, std::move(*wanted));
    } else if (const auto* wrapped = std::get_if<proto::Relay>(&body); wrapped && relay.empty()) {
        on_relay(from, *wrapped);
    } else if (const auto* forget = std::get_if<proto::Forget>(&body)) {
        peers.forget(forget->node);
    } else if (!std::holds_alternative<proto::PeerNews>(body)) {
        ctx.count("messages_out_of_place");
    }
}

/// PROTOCOL.md, "Replication" (position and digest of the table), and "What is known of a node" (membership digest).
void Core::Impl::on_heartbeat(const NodeId& from, const proto::Heartbeat& beat, Seq seq) {
    if (Copy* copy = replicas.find(from)) copy->learn_digest(seq, beat.digest);
    confirm_position(from, beat.refutation, seq);
    Peer* peer = peers.find_live(from);
    if (!peer) return;
    peer->workers = beat.workers;
    peer->draining = beat.draining;
    if (beat.age_ms != 0) peer->began_at = std::min(peer->began_at, ctx.now - duration_of(beat.age_ms));
    peer->takes_addressed = beat.channels != 0;
    // Without keys anybody can make a heartbeat: one counts that says it, and only many that do not.
    peer->can_replay = peer->can_replay || (beat.channels & proto::channel_report::kReplays) != 0;
    if (!peer->can_replay && ++peer->beats_without_replay >= kBeatsOfOlderMinor) peer->cannot_replay = true;
    if (peer->can_replay) peer->cannot_replay = false;
    if (beat.membership == peers.digest()) {
        peer->digests_differ = 0;
        return;
    }
    // A single difference is normal while news is under way. One that stays means that news was lost, or that the peer
    // does not take any from this life of this node: then only a hello helps.
    if (++peer->digests_differ % kDiffersBeforeHello == 0) peer->knows_us = false;
    if (peer->digests_differ < kDiffersBeforeNews || ctx.now - peer->records_sent_at < kNewsInterval) return;
    peer->records_sent_at = ctx.now;
    ctx.count("membership_repairs");
    peers.send(from.name, proto::PeerNews{peers.records(true)});
}

void Core::Impl::on_link_data(const NodeId& from, proto::LinkData data) {
    for (auto& item : links.take(from, std::move(data))) {
        if (auto* notice = std::get_if<proto::SharedNotice>(&item); notice && (*notice)->from_node != from)
            ctx.count("notices_forged");
        else if (notice)
            fan_outs.take(from, *notice);
        else if (const auto* lost = std::get_if<proto::NoticesLost>(&item))
            fan_outs.take(from, *lost);
        else if (const auto* replay = std::get_if<proto::Replay>(&item))
            handovers.take(from, *replay);
        else
            reports.take(from, std::get<proto::NoticeReport>(item));
    }
}

}  // namespace muster::cluster
