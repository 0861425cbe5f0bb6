#include "cluster/membership/peers.hpp"

#include <algorithm>
#include <utility>

#include "cluster/check.hpp"
#include "cluster/membership/precedence.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "proto/fnv1a.hpp"

namespace muster::cluster {
namespace {

using proto::PeerRecord;

constexpr Duration kObituaryInterval = std::chrono::milliseconds(200);
constexpr std::uint64_t kDenialsAtOnce = 1u << 20;  // more than any node makes between two news of it

}  // namespace

const Peer* Peers::find(const std::string& name) const {
    const auto it = peers_.find(name);
    return it == peers_.end() ? nullptr : &it->second;
}

Peer* Peers::find(const std::string& name) {
    return const_cast<Peer*>(std::as_const(*this).find(name));
}

Peer* Peers::find_live(const NodeId& id) {
    Peer* peer = find(id.name);
    return peer && peer->record.id == id && peer->is_live() ? peer : nullptr;
}

PeerRecord Peers::self_record(Seq seq) const {
    const Options& o = ctx_.options;
    return {ctx_.self, refutation_, NodeState::alive, o.address, o.control, o.gossip, seq, ctx_.proof};
}

bool Peers::is_hearing(const Peer& peer) const {
    return peer.is_live() && ctx_.now - peer.heard < ctx_.options.timing.suspect_after;
}

bool Peers::is_hearing_directly(const Peer& peer) const {
    return ctx_.now - peer.heard_direct < ctx_.options.timing.suspect_after;
}

// ---- what is believed --------------------------------------------------------

void Peers::merge(const PeerRecord& news, const std::string& reporter) {
    if (!ctx_.options.notary) return merge_believed(news, reporter);
    if (const auto believed = believable(news, reporter)) merge_believed(*believed, reporter);
}

std::optional<PeerRecord> Peers::believable(PeerRecord news, const std::string& reporter) const {
    const PeerRecord own = self_record(seq_);
    const Peer* peer = find(news.id.name);
    const PeerRecord* known = news.id.name == own.id.name ? &own : peer ? &peer->record : nullptr;
    const bool same_life = known && known->id == news.id;
    const bool later_life = !known || known->id.incarnation < news.id.incarnation;
    if (later_life && !is_proven(ctx_, news)) {
        ctx_.count("lives_unproven");
        return std::nullopt;
    }
    // As many denials as there are numbers would leave the accused none.
    if (news.refutation > (same_life ? known->refutation : 0) + kDenialsAtOnce) {
        ctx_.count("refutations_unbelieved");
        return std::nullopt;
    }
    if (same_life) {
        news.address = known->address;
        news.control = known->control;
        news.gossip = known->gossip;
        news.proof = known->proof;
    }
    if (reporter == news.id.name) return news;
    if (news.state == NodeState::left) news.state = NodeState::down;  // which can be denied
    news.seq = {};
    return news;
}

void Peers::merge_believed(const PeerRecord& news, const std::string& reporter) {
    if (news.id.name == ctx_.self.name) return merge_self(news);
    Peer* peer = find(news.id.name);
    if (!peer) {
        if (news.state == NodeState::alive) add(news);
        return;
    }
    if (news.state == NodeState::suspect) return merge_doubt(*peer, news, reporter);
    if (!overrides(news, peer->record)) {
        if (precedence(news) == precedence(peer->record)) {
            peer->record.seq = std::max(peer->record.seq, news.seq);
        } else {
            ctx_.count("news_older");
        }
        return;
    }
    // Whom this node hears is not dead because another lost sight of it; it shall say so itself.
    const bool death_of_this_life = news.state == NodeState::down && news.id == peer->record.id;
    if (death_of_this_life && reporter != news.id.name && is_hearing(*peer)) {
        ctx_.count("deaths_disbelieved");
        return tell_obituary(*peer, news);
    }
    const std::string denial = news.state == NodeState::alive ? "it denies its death" : "it says so itself";
    apply(*peer, news, reporter == news.id.name ? denial : "as node " + reporter + " says");
    news_[news.id.name] = peer->record;
}

void Peers::merge_self(const PeerRecord& news) {
    if (news.id.incarnation > ctx_.self.incarnation) {
        ctx_.emit(Stop{{ErrorCode::name_taken, "another life of node '" + news.id.name + "' is in the cluster (" +
                                                   news.address + "): choose another name, or stop that one"}});
        return;
    }
    const bool doubted = news.state == NodeState::suspect || news.state == NodeState::down;
    if (news.id != ctx_.self || !doubted || news.refutation < refutation_) return;
    refutation_ = news.refutation + 1;
    ctx_.count("refutations");
    ctx_.note(Note::Kind::self_accused, ctx_.self.name, "believed " + std::string(to_string(news.state)) + ", refuted");
    ctx_.journal.node(ctx_.now, Change::Kind::self_accused, ctx_.self.name,
                      "it was believed " + std::string(to_string(news.state)) + ", and denied it");
    news_[ctx_.self.name] = self_record(seq_);
}

void Peers::merge_doubt(Peer& peer, const PeerRecord& news, const std::string& reporter) const {
    if (news.id != peer.record.id || news.refutation < peer.record.refutation) return;
    if (reporter != news.id.name && reporter != ctx_.self.name) peer.accusers.insert(reporter);
}

void Peers::add(const PeerRecord& news) {
    if (peers_.size() >= ctx_.options.bounds.peers) {
        ctx_.count("peers_refused");
        return;
    }
    Peer& peer = peers_[news.id.name];
    peer.record = news;
    peer.since = peer.heard = ctx_.now;
    peer.heard_direct = ctx_.now - ctx_.options.timing.suspect_after;  // nothing heard yet
    transitions_.push_back({Transition::Kind::up, news.id, news.seq});
    ctx_.note(Note::Kind::node_up, news.id.name, "at " + news.address);
    ctx_.journal.node(ctx_.now, Change::Kind::node_up, news.id.name, "at " + news.address);
    connect(peer);
    news_[news.id.name] = peer.record;
}

void Peers::apply(Peer& peer, const PeerRecord& news, const std::string& why) {
    const bool was_live = peer.is_live();
    const bool new_life = news.id != peer.record.id;
    if (new_life && was_live) {
        transitions_.push_back({Transition::Kind::down, peer.record.id, {}});
        ctx_.note(Note::Kind::node_down, peer.record.id.name, "restarted");
        ctx_.journal.node(ctx_.now, Change::Kind::node_down, peer.record.id.name, "its earlier life: it was restarted");
    }

    const PeerRecord old = std::exchange(peer.record, news);
    if (!new_life && news.address.empty()) {  // a heartbeat knows no addresses
        peer.record.address = old.address;
        peer.record.control = old.control;
        peer.record.gossip = old.gossip;
        peer.record.proof = old.proof;
    }
    peer.record.seq = new_life ? news.seq : std::max(old.seq, news.seq);
    peer.accusers.clear();
    peer.since = ctx_.now;
    if (new_life) {
        peer.greeted = false;
        peer.published_stamp = peer.sent_stamp = 0;
        peer.beat.clear();
    }

    if (peer.is_live()) {
        peer.heard = ctx_.now;
        if (new_life) peer.heard_direct = ctx_.now - ctx_.options.timing.suspect_after;
        if (new_life || !was_live) {
            transitions_.push_back({Transition::Kind::up, news.id, peer.record.seq});
            ctx_.note(Note::Kind::node_up, news.id.name, "at " + peer.record.address);
            ctx_.journal.node(ctx_.now, Change::Kind::node_up, news.id.name, new_life ? "a new life" : why);
        }
        // After a death, true or not, its sockets may still be waiting out their backoff.
        if (new_life || !peer.connected || (!was_live && !is_just_opened(peer))) connect(peer);
        return;
    }
    const bool left = news.state == NodeState::left;
    if (was_live && !new_life)
        transitions_.push_back({left ? Transition::Kind::left : Transition::Kind::down, news.id, {}});
    ctx_.note(left ? Note::Kind::node_left : Note::Kind::node_down, news.id.name, "");
    ctx_.journal.node(ctx_.now, left ? Change::Kind::node_left : Change::Kind::node_down, news.id.name, why);
    peer.greeted = false;
    if (left) disconnect(peer);
}

void Peers::confirm_alive(const NodeId& id, std::uint64_t refutation, const Evidence& evidence) {
    Peer* peer = find(id.name);
    if (!peer || id.incarnation < peer->record.id.incarnation || peer->record.state == NodeState::left) return;
    if (id.incarnation > peer->record.id.incarnation) {
        peer->greeted = false;  // a life whose addresses are not known: discovery asks at the door
        return;
    }
    if (peer->record.state == NodeState::down) {
        if (refutation <= peer->record.refutation) {
            if (evidence.direct) peer->heard_direct = ctx_.now;
            return tell_obituary(*peer, peer->record);
        }
        PeerRecord news = peer->record;
        news.state = NodeState::alive;
        news.refutation = refutation;
        apply(*peer, news, "it denies its death");
        news_[id.name] = peer->record;
    }
    peer->record.refutation = std::max(peer->record.refutation, refutation);
    if (!evidence.via.empty()) hear_through(*peer, evidence);
    peer->heard = std::max(peer->heard, ctx_.now - evidence.age);
    if (evidence.direct) {
        peer->heard_direct = ctx_.now;
        peer->reconnect_wait = ctx_.options.timing.reconnect_after;
    }
    if (peer->record.state == NodeState::suspect && is_hearing(*peer)) {
        set_state(*peer, NodeState::alive);
        ctx_.journal.node(ctx_.now, Change::Kind::node_heard, id.name, evidence.direct ? "" : "through others");
    }
}

/// Whoever serves is kept: each change of relay leaves a lease behind.
void Peers::hear_through(Peer& peer, const Evidence& evidence) {
    const Peer* offered = find(evidence.via);
    if (!offered || is_deaf(*offered)) return;  // what is for the peer could not go there
    const Peer* relay = relay_of(peer);
    const bool serves = relay && !is_deaf(*relay) && ctx_.now - peer.heard_via <= 2 * ctx_.options.timing.heartbeat;
    if (evidence.via != peer.via && serves) return;
    if (evidence.via != peer.via) peer.heard_via = kLongAgo;
    peer.via = evidence.via;
    peer.heard_via = std::max(peer.heard_via, ctx_.now - evidence.age);
}

void Peers::suspect(Peer& peer) {
    set_state(peer, NodeState::suspect);
    ctx_.count("suspicions");
    ctx_.note(Note::Kind::node_suspect, peer.record.id.name, "silent");
    const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(ctx_.now - peer.heard).count();
    ctx_.journal.node(ctx_.now, Change::Kind::node_suspect, peer.record.id.name,
                      "nothing of it for " + std::to_string(silent) + " ms, neither directly nor through others");
}

void Peers::set_state(Peer& peer, NodeState state) const {
    peer.record.state = state;
    peer.since = ctx_.now;
    peer.accusers.clear();
}

void Peers::declare(const NodeId& id, NodeState down_or_left, const std::string& why) {
    Peer* peer = find_live(id);
    if (!peer) return;
    PeerRecord news = peer->record;
    news.state = down_or_left;
    apply(*peer, news, why);
    news_[id.name] = peer->record;
}

void Peers::tell_obituary(Peer& peer, const PeerRecord& obituary) {
    if (ctx_.now - peer.told_at < kObituaryInterval) return;
    peer.told_at = ctx_.now;
    // It speaks, so there is a way; our own socket may not have found it yet.
    if (!peer.is_live() && !is_just_opened(peer)) connect(peer);
    send(peer.record.id.name, proto::PeerNews{{obituary}});
}

void Peers::greeted(const NodeId& id) {
    if (Peer* peer = find(id.name); peer && peer->record.id == id) peer->greeted = true;
}

void Peers::way_is_open(const NodeId& id) {
    Peer* peer = find(id.name);
    if (!peer || peer->record.id != id || !peer->connected) return;
    const Duration tried = ctx_.now - std::max(peer->connected_at, peer->heard_direct);
    if (tried < ctx_.options.timing.ask_others_after) return;
    ctx_.count("reconnects");
    connect(*peer);
}

void Peers::found_deaf(const std::string& name) {
    if (Peer* peer = find(name)) peer->deaf_at = ctx_.now;
}

void Peers::forget_old() {
    for (auto it = peers_.begin(); it != peers_.end();) {
        Peer& peer = it->second;
        const bool old = !peer.is_live() && ctx_.now - peer.since > ctx_.options.timing.forget_after;
        if (old) disconnect(peer);
        it = old ? peers_.erase(it) : std::next(it);
    }
}

// ---- ways --------------------------------------------------------------------

void Peers::connect(Peer& peer) {
    peer.connected = true;
    peer.connected_at = ctx_.now;
    peer.reopened = false;
    if (peer.reconnect_wait == Duration{}) peer.reconnect_wait = ctx_.options.timing.reconnect_after;
    ctx_.emit(ConnectPeer{peer.record.id, peer.record.control, peer.record.gossip});
}

bool Peers::is_just_opened(const Peer& peer) const {
    return ctx_.now - peer.connected_at < ctx_.options.timing.ask_others_after;
}

void Peers::disconnect(Peer& peer) {
    if (!std::exchange(peer.connected, false)) return;
    ctx_.emit(DisconnectPeer{peer.record.id.name});
}

void Peers::send(const std::string& name, proto::Body body, std::uint64_t seq, bool detour) {
    const Peer* peer = find(name);
    if (!peer) return;
    const bool fresh = !peer->reopened && ctx_.now - peer->connected_at < ctx_.options.timing.suspect_after;
    const bool try_direct = fresh || peer->via.empty();
    auto message = ctx_.message(std::move(body), seq);
    const Peer* hop = !detour && try_direct && !is_deaf(*peer) ? peer : next_hop(*peer, detour ? name : std::string());
    if (!hop || hop == peer) return ctx_.emit(SendPeer{name, std::move(message)});
    ctx_.count("relayed_sent");
    const auto bytes = proto::encode(sealed(ctx_, std::move(message)));
    ctx_.emit(SendPeer{hop->record.id.name, ctx_.message(proto::Relay{name, bytes, 0})});
}

const Peer* Peers::next_hop(const Peer& to, const std::string& avoid) {
    const auto takes = [&](const Peer* peer) {
        return peer && peer->record.id.name != avoid && is_hearing_directly(*peer) && !is_deaf(*peer);
    };
    const bool detour = avoid == to.record.id.name;
    if (takes(&to)) return &to;
    if (const Peer* relay = find(to.via); !detour && takes(relay)) return relay;
    for (const auto& name : others(to.record.id.name, peers_.size()))
        if (const Peer* other = find(name); takes(other)) return other;
    return nullptr;
}

bool Peers::is_deaf(const Peer& peer) const {
    return ctx_.now - peer.deaf_at < ctx_.options.timing.suspect_after;
}

const Peer* Peers::relay_of(const Peer& peer) const {
    const Peer* relay = find(peer.via);
    return relay && is_hearing_directly(*relay) ? relay : nullptr;
}

std::vector<std::string> Peers::others(const std::string& name, std::size_t count) {
    std::vector<std::string> names;
    for (const auto& [other, peer] : peers_)
        if (other != name && peer.is_live() && is_hearing_directly(peer)) names.push_back(other);
    for (std::size_t i = 0; i + 1 < names.size() && i < count; ++i)
        std::swap(names[i], names[i + ctx_.random.below(names.size() - i)]);
    if (names.size() > count) names.resize(count);
    return names;
}

// ---- what others are told ------------------------------------------------------

std::uint64_t Peers::digest() const {
    std::uint64_t sum = mix64(proto::fnv1a(ctx_.self.name) ^ mix64(ctx_.self.incarnation.value));
    for (const auto& [name, peer] : peers_)
        if (peer.is_live()) sum += mix64(proto::fnv1a(name) ^ mix64(peer.record.id.incarnation.value));
    return sum;
}

std::vector<PeerRecord> Peers::records(bool all) const {
    std::vector<PeerRecord> records;
    for (const auto& [name, peer] : peers_) {
        if (!all && !peer.is_live()) continue;
        records.push_back(peer.record);
        if (peer.is_live()) records.back().state = NodeState::alive;
    }
    return records;
}

std::vector<PeerRecord> Peers::take_news() {
    std::vector<PeerRecord> news;
    for (auto& [name, record] : news_) news.push_back(std::move(record));
    news_.clear();
    return news;
}

std::vector<Transition> Peers::take_transitions() {
    return std::exchange(transitions_, {});
}

}  // namespace muster::cluster
