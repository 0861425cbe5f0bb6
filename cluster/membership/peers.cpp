#include "cluster/membership/peers.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/membership/precedence.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/fnv1a.hpp"

namespace muster::cluster {
namespace {

using proto::PeerRecord;

constexpr Duration kDeathReportInterval = std::chrono::milliseconds(200);
constexpr Duration kRefusalNoteInterval = std::chrono::seconds(30);
constexpr std::size_t kAwakeDead = 32;  // peers that are down and stay connected, at most

bool has_same_addresses(const PeerRecord& a, const PeerRecord& b) {
    return a.address == b.address && a.control == b.control && a.gossip == b.gossip;
}

/// Whether a report of its death may go to the peer now. If so, the next one waits for kDeathReportInterval.
bool may_report_death(Peer& peer, Instant now) {
    if (now - peer.death_report_sent_at < kDeathReportInterval) return false;
    peer.death_report_sent_at = now;
    return true;
}

}  // namespace

Peers::Peers(Context& context)
    : ctx_(context),
      namesakes_(context),
      tries_({context.options.timing.redial_min, context.options.timing.reconnect_after,
              4 * context.options.timing.reconnect_after}) {}

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

Peer* Peers::with_fewest_workers() {
    Peer* fewest = nullptr;
    for (auto& [name, peer] : peers_)
        if (peer.takes_workers() && (!fewest || peer.workers < fewest->workers)) fewest = &peer;
    return fewest;
}

PeerRecord Peers::self_record(Seq seq) const {
    const Options& o = ctx_.options;
    return {ctx_.self, refutation_, NodeState::alive, o.address, o.control, o.gossip, seq, ctx_.proof};
}

bool Peers::is_hearing(const Peer& peer) const {
    return peer.is_live() && ctx_.now - peer.heard_at < ctx_.options.timing.suspect_after && !peer.unreached;
}

bool Peers::is_serving(const Peer& peer) const {
    return is_hearing(peer) && peer.heard_at > peer.link_lost_at;
}

bool Peers::is_hearing_directly(const Peer& peer) const {
    return ctx_.now - peer.heard_directly_at < ctx_.options.timing.suspect_after;
}

void Peers::merge_believed(const PeerRecord& news, const std::string& reporter) {
    if (news.id.name == ctx_.self.name) return merge_self(news);
    Peer* peer = find(news.id.name);
    if (!peer) {
        if (news.state == NodeState::alive && may_tell_of(news, reporter, nullptr)) add(news, reporter);
        return;
    }
    if (news.state == NodeState::suspect) return merge_suspicion(*peer, news, reporter);
    if (!overrides(news, peer->record)) {
        if (precedence(news) == precedence(peer->record)) {
            peer->record.seq = std::max(peer->record.seq, news.seq);
        } else {
            ctx_.count("news_older");
        }
        return;
    }
    // This node hears the peer, so the later life is none: it ended before this one began, or another process has the
    // peer's name. The peer is told, and takes a higher incarnation, in which all believe.
    if (news.id.incarnation > peer->record.id.incarnation && is_serving(*peer)) {
        ctx_.count("lives_disbelieved");
        return send_death_report(*peer, news);
    }
    // Another node has lost sight of a peer that this node hears. Believing it would make healthy nodes flap in a
    // partial partition. This node forwards the report to the peer instead; the peer refutes it, which all believe.
    const bool death_of_this_life = news.state == NodeState::down && news.id == peer->record.id;
    if (death_of_this_life && reporter != news.id.name && is_hearing(*peer)) {
        ctx_.count("deaths_disbelieved");
        return send_death_report(*peer, news);
    }
    if (revives_in_vain(*peer, news)) return ctx_.count("returns_disbelieved");
    if (news.id != peer->record.id) {
        if (!may_tell_of(news, reporter, peer)) return;
        set_told_of_by(*peer, reporter);
    }
    const std::string denial = news.state == NodeState::alive ? "it denies its death" : "it says so itself";
    apply(*peer, news, reporter == news.id.name ? denial : "as node " + reporter + " says");
    news_[news.id.name] = peer->record;
}

void Peers::begin_life() {
    refutation_ = 0;
    for (auto& [name, peer] : peers_) {
        peer.knows_us = false;
        peer.unconfirmed_since = ctx_.now;
    }
}

void Peers::merge_self(const PeerRecord& news) {
    namesakes_.heard_of(news);
    const bool doubted = news.state == NodeState::suspect || news.state == NodeState::down;
    if (news.id != ctx_.self || !doubted || news.refutation < refutation_) return;
    refutation_ = news.refutation + 1;
    ctx_.count("refutations");
    ctx_.note(Note::Kind::self_accused, ctx_.self.name, "believed " + std::string(to_string(news.state)) + ", refuted");
    ctx_.journal.node(ctx_.now, Change::Kind::self_accused, ctx_.self.name,
                      "it was believed " + std::string(to_string(news.state)) + ", and denied it");
    news_[ctx_.self.name] = self_record(seq_);
}

/// A suspicion is another node's doubt and not a fact, so it is counted but not adopted: the state stays, and only the
/// wait from `suspect` to `down` becomes shorter (Timing::down_confirmed).
void Peers::merge_suspicion(Peer& peer, const PeerRecord& news, const std::string& reporter) const {
    if (news.id != peer.record.id || news.refutation < peer.record.refutation) return;
    if (reporter != news.id.name && reporter != ctx_.self.name) peer.accusers.insert(reporter);
}

/// Nodes that are gone make room, the one that is gone for longest first: names that change with each start would fill
/// the table within hours.
bool Peers::make_room() {
    if (peers_.size() < ctx_.options.bounds.peers) return true;
    auto oldest = peers_.end();
    for (auto it = peers_.begin(); it != peers_.end(); ++it)
        if (!it->second.is_live() && (oldest == peers_.end() || it->second.state_since < oldest->second.state_since))
            oldest = it;
    if (oldest == peers_.end()) return false;
    const NodeId id = oldest->second.record.id;
    return forget(id);
}

void Peers::refuse(const PeerRecord& news) {
    ctx_.count("peers_refused");
    if (ctx_.now - refusal_noted_at_ < kRefusalNoteInterval) return;
    refusal_noted_at_ = ctx_.now;
    ctx_.note(Note::Kind::peer_refused, news.id.name, std::to_string(peers_.size()) + " other nodes are live already");
}

/// A peer that tells of lives without end, which nobody ever meets, would fill the table, and make all nodes connect to
/// whatever address it likes.
bool Peers::may_tell_of(const PeerRecord& news, const std::string& reporter, const Peer* known) {
    if (reporter == news.id.name || (known && known->told_of_by == reporter)) return true;
    const auto unmet = unmet_.find(reporter);
    if (unmet == unmet_.end() || unmet->second < ctx_.options.bounds.unmet_peers) return true;
    ctx_.count("peers_refused_unmet");
    return false;
}

/// `reporter`: empty, or the life's own node, if the life was met.
void Peers::set_told_of_by(Peer& peer, const std::string& reporter) {
    if (!peer.told_of_by.empty() && --unmet_[peer.told_of_by] == 0) unmet_.erase(peer.told_of_by);
    peer.told_of_by = reporter == peer.record.id.name ? std::string() : reporter;
    if (!peer.told_of_by.empty()) ++unmet_[peer.told_of_by];
}

std::optional<std::string> Peers::over_bounds() const {
    for (const auto& [reporter, count] : unmet_)
        if (count > ctx_.options.bounds.unmet_peers)
            return reporter + " told of " + std::to_string(count) + " nodes that were never met";
    return std::nullopt;
}

void Peers::add(const PeerRecord& news, const std::string& reporter) {
    if (!make_room()) return refuse(news);
    Peer& peer = peers_[news.id.name];
    peer.record = news;
    set_told_of_by(peer, reporter);
    peer.state_since = peer.heard_at = peer.unconfirmed_since = ctx_.now;
    peer.heard_directly_at = ctx_.now - ctx_.options.timing.suspect_after;  // not heard yet
    watch_channels(peer);
    transitions_.push_back({Transition::Kind::up, news.id, news.seq});
    ctx_.note(Note::Kind::node_up, news.id.name, "at " + news.address);
    ctx_.journal.node(ctx_.now, Change::Kind::node_up, news.id.name, "at " + news.address);
    connect_new_life(peer);
    news_[news.id.name] = peer.record;
}

void Peers::apply(Peer& peer, const PeerRecord& news, const std::string& why) {
    const bool was_live = peer.is_live();
    const bool new_life = news.id != peer.record.id;
    if (new_life && was_live) {
        // It restarted before anyone noticed its death: the members of its earlier life must go first.
        transitions_.push_back({Transition::Kind::down, peer.record.id, {}});
        ctx_.note(Note::Kind::node_down, peer.record.id.name, "restarted");
        ctx_.journal.node(ctx_.now, Change::Kind::node_down, peer.record.id.name, "its earlier life: it was restarted");
    }
    // A peer that is reported dead once more had returned at other nodes, in vain.
    const bool died_again = !was_live && !new_life && news.state == NodeState::down;
    replace_record(peer, news);
    peer.came_up_in_vain = peer.came_up_in_vain || died_again;
    peer.accusers.clear();
    peer.state_since = ctx_.now;
    if (peer.is_live())
        came_up(peer, new_life, was_live, why);
    else
        went_away(peer, was_live && !new_life, why);
}

void Peers::replace_record(Peer& peer, const PeerRecord& news) {
    if (news.id != peer.record.id) {
        release_gossip(peer);
        peer.heard_there = (peer.heard_there || peer.gossip_worked) && has_same_addresses(news, peer.record);
        peer.waits = true;
    }
    const PeerRecord old = std::exchange(peer.record, news);
    if (news.id != old.id) {
        peer.knows_us = peer.has_moved = false;
        peer.published_stamp = peer.sent_stamp = 0;
        peer.has_lost_key = false;
        peer.sealed_heartbeat.clear();
        peer.told = peer.faults = peer.noted_faults = 0;
        peer.told_at = kLongAgo;
        peer.unheard_since = kNever;
        peer.unreached = false;
        peer.arrived_at = kLongAgo;
        peer.beats_without_replay = 0;
        peer.workers = 0;
        peer.draining = false;
        peer.began_at = kNever;
        peer.takes_addressed = peer.can_replay = peer.cannot_replay = peer.came_up_in_vain = peer.gossip_worked = false;
        return;
    }
    peer.record.seq = std::max(old.seq, news.seq);
    if (old.address.empty()) return;
    // The addresses of a life never change, and a record may come without them.
    peer.record.address = old.address;
    peer.record.control = old.control;
    peer.record.gossip = old.gossip;
    peer.record.proof = old.proof;
}

void Peers::came_up(Peer& peer, bool new_life, bool was_live, const std::string& why) {
    const NodeId& id = peer.record.id;
    peer.heard_at = ctx_.now;
    if (new_life || !was_live) peer.unconfirmed_since = ctx_.now;
    peer.proven = false;
    if (new_life || (!was_live && peer.faults == 0)) watch_channels(peer);
    if (new_life) peer.heard_directly_at = ctx_.now - ctx_.options.timing.suspect_after;
    if (new_life || !was_live) {
        transitions_.push_back({Transition::Kind::up, id, peer.record.seq});
        ctx_.note(Note::Kind::node_up, id.name, "at " + peer.record.address);
        ctx_.journal.node(ctx_.now, Change::Kind::node_up, id.name, new_life ? "a new life" : why);
    }
    // After a death, true or not, this node's sockets to it may still wait for the end of ZeroMQ's backoff.
    if (peer.waits)
        connect_new_life(peer);
    else if (!peer.connected || (!was_live && !is_just_connected(peer)))
        connect(peer);
}

void Peers::went_away(Peer& peer, bool was_live, const std::string& why) {
    const NodeId& id = peer.record.id;
    const bool left = peer.record.state == NodeState::left;
    if (was_live) peer.came_up_in_vain = !peer.proven;
    if (was_live) transitions_.push_back({left ? Transition::Kind::left : Transition::Kind::down, id, {}});
    ctx_.note(left ? Note::Kind::node_left : Note::Kind::node_down, id.name, "");
    ctx_.journal.node(ctx_.now, left ? Change::Kind::node_left : Change::Kind::node_down, id.name, why);
    peer.knows_us = false;
    // A peer that is down stays connected: if that is wrong, its messages still arrive.
    if (left) disconnect(peer);
}

void Peers::confirm_alive(const NodeId& id, std::uint64_t refutation, const SignOfLife& sign) {
    Peer* peer = find(id.name);
    if (!peer || id.incarnation < peer->record.id.incarnation || peer->record.state == NodeState::left) return;
    if (id.incarnation > peer->record.id.incarnation) {
        peer->knows_us = false;  // the addresses of its new life are not known: Discovery asks its front door
        return;
    }
    set_told_of_by(*peer, {});
    peer->arrived_at = std::max(peer->arrived_at, ctx_.now - sign.age);
    if (sign.direct) peer->heard_directly_at = ctx_.now;
    if (peer->record.state == NodeState::down) {
        if (refutation <= peer->record.refutation) return send_death_report(*peer, peer->record);
        PeerRecord news = peer->record;
        news.state = NodeState::alive;
        news.refutation = refutation;
        if (revives_in_vain(*peer, news)) return ctx_.count("returns_disbelieved");
        apply(*peer, news, "it denies its death");
        news_[id.name] = peer->record;
    }
    peer->record.refutation = std::max(peer->record.refutation, refutation);
    if (!sign.relay.empty()) choose_relay(*peer, sign);
    // Only the time in which the peer is heard counts as time without its report.
    if (const Duration silence = ctx_.now - peer->heard_at; silence > ctx_.options.timing.suspect_after)
        peer->unconfirmed_since = std::min(ctx_.now, peer->unconfirmed_since + silence);
    peer->heard_at = std::max(peer->heard_at, ctx_.now - sign.age);
    if (sign.direct && is_reached(*peer, Channel::control))
        peer->control_opened.wait = ctx_.options.timing.reconnect_after;
    if (!peer->unreached) {
        peer->proven = true;
        peer->came_up_in_vain = false;
    }
    if (peer->record.state == NodeState::suspect && is_hearing(*peer)) {
        set_state(*peer, NodeState::alive);
        ctx_.journal.node(ctx_.now, Change::Kind::node_heard, id.name, sign.direct ? "" : "through others");
    }
}

void Peers::suspect(Peer& peer) {
    set_state(peer, NodeState::suspect);
    peer.renewed_at = kNever;
    ctx_.count("suspicions");
    if (peer.unreached) {
        ctx_.note(Note::Kind::node_suspect, peer.record.id.name, why_unreached(peer));
        return ctx_.journal.node(ctx_.now, Change::Kind::node_suspect, peer.record.id.name,
                                 std::string("it ") + why_unreached(peer) + ", neither directly nor through others");
    }
    ctx_.note(Note::Kind::node_suspect, peer.record.id.name, "silent");
    const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(ctx_.now - peer.heard_at).count();
    ctx_.journal.node(ctx_.now, Change::Kind::node_suspect, peer.record.id.name,
                      "nothing of it for " + std::to_string(silent) + " ms, neither directly nor through others");
}

/// Its channels get their time from now on: nothing can have arrived while it was not there.
void Peers::watch_channels(Peer& peer) const {
    peer.watched_since = peer.heard_gossip_at = peer.heard_control_at = ctx_.now;
}

void Peers::set_state(Peer& peer, NodeState state) const {
    peer.record.state = state;
    peer.state_since = ctx_.now;
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

void Peers::greet(const PeerRecord& record, const std::string& reporter) {
    const Peer* known = find(record.id.name);
    const bool returns = known && known->record.id == record.id && known->record.state == NodeState::down;
    if (returns && known->came_up_in_vain && record.state == NodeState::alive)
        ctx_.count("returns_disbelieved");
    else
        merge(record, reporter);
    Peer* peer = find(record.id.name);
    if (!peer || peer->record.id != record.id || reporter != record.id.name) return;
    peer->greeted_at = ctx_.now;
    set_told_of_by(*peer, {});
}

bool Peers::revives_in_vain(const Peer& peer, const PeerRecord& news) const {
    const bool doubted = peer.record.state == NodeState::down || peer.record.state == NodeState::suspect;
    return doubted && news.state == NodeState::alive && news.id == peer.record.id && peer.unreached;
}

void Peers::report_death_to(const NodeId& id) {
    Peer* peer = find(id.name);
    if (peer && peer->record.id == id && peer->record.state == NodeState::down) send_death_report(*peer, peer->record);
}

void Peers::tell_of_later_life(const NodeId& earlier) {
    Peer* known = find(earlier.name);
    if (!known || known->is_live() || known->record.id.incarnation <= earlier.incarnation) return;
    if (!may_report_death(*known, ctx_.now)) return;
    ctx_.emit(PublishTo{earlier, sealed(ctx_, ctx_.message(proto::PeerNews{{known->record}}))});
}

/// Reports its own death to a peer that lives, so that it refutes it.
void Peers::send_death_report(Peer& peer, const PeerRecord& report) {
    if (!may_report_death(peer, ctx_.now)) return;
    // The peer's messages arrive, so there is a path; this node's own socket may still wait for its backoff.
    if (!peer.is_live() && !is_just_connected(peer)) connect(peer);
    send(peer.record.id.name, proto::PeerNews{{report}});
}

void Peers::forget_old() {
    for (auto it = peers_.begin(); it != peers_.end();) {
        Peer& peer = it->second;
        const bool old = !peer.is_live() && ctx_.now - peer.state_since > ctx_.options.timing.forget_after;
        if (old) disconnect(peer);
        if (old) set_told_of_by(peer, {});
        it = old ? peers_.erase(it) : std::next(it);
    }
    let_sleep();
}

/// A connection to a peer that is down costs descriptors, and so does each hello. A peer that went down lately keeps
/// them, because a death may be wrong and restarts are quick. The others sleep: Discovery dials a few of them in turn.
void Peers::let_sleep() {
    std::vector<std::pair<Instant, Peer*>> awake;
    for (auto& [name, peer] : peers_) {
        const Instant since = std::max(peer.state_since, peer.heard_directly_at);
        const bool is_down = peer.record.state == NodeState::down;
        const bool is_unlikely = peer.has_moved || !peer.told_of_by.empty();
        peer.is_dormant = is_down && (is_unlikely || ctx_.now - since > ctx_.options.timing.sleep_after);
        if (is_down && !peer.is_dormant) awake.emplace_back(since, &peer);
        if (peer.is_dormant) disconnect(peer);
    }
    if (awake.size() <= kAwakeDead) return;
    std::sort(awake.begin(), awake.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = kAwakeDead; i < awake.size(); ++i) {
        awake[i].second->is_dormant = true;
        disconnect(*awake[i].second);
    }
}

bool Peers::forget(const NodeId& id) {
    Peer* peer = find(id.name);
    if (!peer || peer->record.id != id || peer->is_live()) return false;
    disconnect(*peer);
    set_told_of_by(*peer, {});
    news_.erase(id.name);
    peers_.erase(id.name);
    ctx_.count("nodes_forgotten");
    return true;
}

Result<NodeId> Peers::forget(const std::string& name) {
    const Peer* peer = find(name);
    if (name == ctx_.self.name)
        return Error{ErrorCode::bad_request,
                     "this is node '" + name + "' itself: give a node that is down or has left"};
    if (!peer) return Error{ErrorCode::bad_request, "no node of the name '" + name + "' is known: see muster nodes"};
    if (peer->is_live())
        return Error{ErrorCode::bad_request, "node '" + name + "' is " + std::string(to_string(peer->record.state)) +
                                                 ", not down or left: stop it first"};
    const NodeId id = peer->record.id;
    forget(id);
    return id;
}

void Peers::mark_moved(const std::string& name) {
    Peer* peer = find(name);
    if (!peer || std::exchange(peer->has_moved, true)) return;
    ctx_.count("addresses_forgotten");
    if (!peer->is_live()) disconnect(*peer);
}

std::vector<Transition> Peers::take_transitions() {
    return std::exchange(transitions_, {});
}

std::vector<PeerRecord> Peers::take_news() {
    std::vector<PeerRecord> news;
    for (auto& [name, record] : news_) news.push_back(std::move(record));
    news_.clear();
    return news;
}

std::vector<PeerRecord> Peers::records(bool all) const {
    std::vector<PeerRecord> records;
    for (const auto& [name, peer] : peers_) {
        if (!all && !peer.is_live()) continue;
        records.push_back(peer.record);
        if (peer.is_live()) records.back().state = NodeState::alive;  // a suspicion is no fact to pass on
    }
    return records;
}

std::uint64_t Peers::digest() const {
    const auto digest_of = [](const NodeId& id) { return mix64(proto::fnv1a(id.name) ^ mix64(id.incarnation.value)); };
    std::uint64_t sum = digest_of(ctx_.self);
    for (const auto& [name, peer] : peers_)
        if (peer.is_live()) sum += digest_of(peer.record.id);
    return sum;
}

}  // namespace muster::cluster
