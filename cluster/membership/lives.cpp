// Peers, the part about which lives are believed: those that a clock can have begun and, with keys, those that their
// node has signed with a key that is trusted now. PROTOCOL.md, "What is known of a node" and "Seals".
#include <algorithm>
#include <utility>

#include "cluster/membership/peers.hpp"
#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

using proto::PeerRecord;

constexpr std::uint64_t kYear = std::uint64_t{365} * 24 * 3600 * 1'000'000;  // in incarnations
// A host without a battery starts in 1970, or in the year in which its system was built, and works all the same.
constexpr std::uint64_t kEarliestClock = 56 * kYear;  // late in 2025
constexpr std::uint64_t kClockTolerance = 20 * kYear;
// A node outbids a known life by less: see Namesakes. So it has always a number for its next life.
constexpr std::uint64_t kMaxIncarnationStep = 1u << 21;
constexpr std::uint64_t kMaxRefutationStep = 1u << 20;  // far more than any node refutes between two records of it
constexpr std::size_t kProofsPerTick = 64;              // signatures, of some 0.1 ms each
constexpr Duration kProofsAgain = std::chrono::seconds(1);

}  // namespace

bool Peers::is_beyond_clocks(const NodeId& life) const {
    const auto running = std::chrono::duration_cast<std::chrono::microseconds>(ctx_.now - ctx_.started_at).count();
    const auto clock = ctx_.options.self.incarnation.value + static_cast<std::uint64_t>(running);
    const Peer* peer = find(life.name);
    const Incarnation known = life.name == ctx_.self.name ? ctx_.self.incarnation
                              : peer                      ? peer->record.id.incarnation
                                                          : Incarnation{};
    return life.incarnation.value > std::max(clock, kEarliestClock) + kClockTolerance &&
           (life.incarnation < known || life.incarnation.value - known.value > kMaxIncarnationStep);
}

void Peers::merge(const PeerRecord& news, const std::string& reporter) {
    if (is_beyond_clocks(news.id)) return ctx_.count("incarnations_unbelieved");
    // A liar could report a death with the highest refutation, above which the accused has no number to refute it.
    const Peer* peer = find(news.id.name);
    const bool is_known = peer && peer->record.id == news.id;
    const auto refutation = news.id == ctx_.self ? refutation_ : is_known ? peer->record.refutation : 0;
    if (news.refutation > refutation && news.refutation - refutation > kMaxRefutationStep)
        return ctx_.count("refutations_unbelieved");
    if (!ctx_.options.notary) return merge_believed(news, reporter);
    renew_proof(news, reporter);
    if (const auto believed = believable(news, reporter)) merge_believed(*believed, reporter);
}

/// A signature takes some 0.1 ms, and one frame can have thousands. What is dropped is told again, because the digests
/// of the membership differ.
bool Peers::may_check(const std::string& reporter) {
    if (checked_[reporter]++ < ctx_.options.bounds.proofs_per_tick) return true;
    ctx_.count("proofs_unchecked");
    return false;
}

std::optional<PeerRecord> Peers::believable(PeerRecord news, const std::string& reporter) {
    const PeerRecord own = self_record(seq_);
    const Peer* peer = find(news.id.name);
    const PeerRecord* known = news.id.name == own.id.name ? &own : peer ? &peer->record : nullptr;
    const bool same_life = known && known->id == news.id;
    const bool later_life = !known || known->id.incarnation < news.id.incarnation;
    if (later_life && !may_check(reporter)) return std::nullopt;
    if (later_life && !is_proven(ctx_, news)) {
        ctx_.count("lives_unproven");
        return std::nullopt;
    }
    if (same_life) {  // the addresses of a life never change
        news.address = known->address;
        news.control = known->control;
        news.gossip = known->gossip;
        news.proof = known->proof;
    }
    if (reporter == news.id.name) return news;
    if (news.state == NodeState::left) news.state = NodeState::down;  // `left` is final, `down` can be refuted
    news.seq = {};
    return news;
}

// ---- keys that are replaced or removed -------------------------------------------------

/// A key that was stolen may have proven any life. Once the key has been replaced, such a life must not keep the node
/// from coming up, so it is forgotten. A node that lives has the new key, and proves its life again when it is asked.
bool Peers::check_proofs() {
    checked_.clear();
    if (!ctx_.options.notary) return false;
    const auto removals = ctx_.options.notary->removals();
    const bool changed = std::exchange(removals_, removals) != removals;
    if (changed) {
        proofs_due_ = ctx_.now;
        last_checked_.clear();
        found_unproven_ = false;
    }
    if (ctx_.now < proofs_due_) return changed;
    std::vector<NodeId> unproven;
    auto it = peers_.upper_bound(last_checked_);
    for (std::size_t i = 0; i < kProofsPerTick && it != peers_.end(); ++i, ++it) {
        last_checked_ = it->first;
        if (!is_proven(ctx_, it->second.record)) unproven.push_back(it->second.record.id);
    }
    const bool is_done = it == peers_.end();
    for (const NodeId& id : unproven) found_unproven_ |= !forget_without_key(id);
    if (!is_done) return changed;
    last_checked_.clear();
    proofs_due_ = std::exchange(found_unproven_, false) ? ctx_.now + kProofsAgain : kNever;
    return changed;
}

/// False if the peer is heard: then it is asked for a proof with the key that it has now.
bool Peers::forget_without_key(const NodeId& id) {
    Peer& peer = *find(id.name);
    if (is_hearing(peer)) {
        peer.has_lost_key = true;
        peer.knows_us = false;  // Discovery says hello, and the welcome has the proof
        return false;
    }
    declare(id, NodeState::down, "the key that proved it is not trusted any more");
    forget(id);
    ctx_.count("lives_without_key");
    return true;
}

void Peers::renew_proof(const PeerRecord& news, const std::string& reporter) {
    Peer* peer = find(news.id.name);
    if (!peer || !peer->has_lost_key || peer->record.id != news.id || reporter != news.id.name) return;
    PeerRecord renewed = peer->record;
    renewed.proof = news.proof;
    if (!may_check(reporter) || !is_proven(ctx_, renewed)) return;
    peer->record.proof = news.proof;
    peer->has_lost_key = false;
}

}  // namespace muster::cluster
