#include "cluster/replication/replicas.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/base/wire_size.hpp"
#include "cluster/check.hpp"
#include "cluster/membership/seal.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kSenders = 256;  // snapshots under way at once
constexpr Duration kSenderPatience = std::chrono::seconds(5);
constexpr unsigned kMostPatience = 4;  // doublings of pull_retry, within kSenderPatience
constexpr std::size_t kDeltaFramesPerPull = 64;
constexpr unsigned kTriesForDeltas = 16;  // in vain, then a snapshot is given up

}  // namespace

Replicas::Replicas(Context& context, Peers& peers)
    : ctx_(context),
      peers_(peers),
      groups_(context.options.key, mix64(~context.options.random_seed)),
      updates_(context.journal, context.now),
      salt_(mix64(context.options.random_seed)) {
    own_ = make_replica(ctx_.self);
    own_->show(true);
}

std::unique_ptr<Replica> Replicas::make_replica(const NodeId& id) {
    return std::make_unique<Replica>(id, groups_, ctx_.options.bounds, salt_);
}

// ---- this node's own table -----------------------------------------------------

void Replicas::commit(proto::Delta delta) {
    own_->apply(delta, &updates_);
    peers_.set_seq(own_->applied());
    ctx_.count("deltas_committed");
    const std::size_t size = wire_size(delta);
    committed_.push_back(std::move(delta));
    committed_size_ += size;
    if (committed_size_ >= limits::kChunkBytes) publish_committed();
}

void Replicas::publish_committed() {
    if (committed_.empty()) return;
    const Seq first{own_->applied().value - committed_.size() + 1};
    publish(ctx_, proto::Deltas{own_->id(), first, std::exchange(committed_, {})}, own_->applied().value);
    committed_size_ = 0;
    publish_at_ = ctx_.now + ctx_.options.timing.publish_gap;
}

// ---- copies of others --------------------------------------------------------

Replicas::Copy* Replicas::find(const NodeId& origin) {
    const auto it = copies_.find(origin.name);
    return it == copies_.end() || it->second.replica->id() != origin ? nullptr : &it->second;
}

Replica& Replicas::open_table(Copy& copy) {
    return copy.incoming && copy.incoming->is_complete() ? copy.incoming->table() : *copy.replica;
}

bool Replicas::is_frozen(const Copy& copy) {
    return copy.wants_snapshot && !(copy.incoming && copy.incoming->is_complete());
}

void Replicas::apply(Copy& copy, const proto::Delta& delta) {
    Replica& table = open_table(copy);
    table.apply(delta, table.is_shown() ? &updates_ : nullptr);
    if (!copy.incoming) return;
    if (copy.incoming->is_complete())
        end_snapshot(copy);
    else if (table.applied() >= copy.incoming->as_of())
        copy.incoming.reset();  // what it was to bring has come as deltas
}

void Replicas::deltas(proto::Deltas deltas) {
    Copy* copy = find(deltas.about);
    if (!copy) return ctx_.count("deltas_of_strangers");
    Seq seq = deltas.first;
    std::uint64_t applied = 0;
    for (auto& delta : deltas.deltas) {
        const Seq next = open_table(*copy).applied().next();
        if (seq == next && !is_frozen(*copy)) {
            apply(*copy, delta);
            ++applied;
        } else if (seq >= next && copy->early.size() < ctx_.options.bounds.early_deltas) {
            copy->early.try_emplace(seq, std::move(delta));
        } else if (seq < next) {
            ctx_.count("deltas_repeated");
        }
        copy->known = std::max(copy->known, seq);
        seq = seq.next();
    }
    if (applied > 0) ctx_.count("deltas_applied", applied);
    drain_early(*copy);
    settle(*copy);
}

void Replicas::drain_early(Copy& copy) {
    const auto next = [&] { return open_table(copy).applied().next(); };
    while (!copy.early.empty() && !is_frozen(copy) && copy.early.begin()->first <= next()) {
        const auto node = copy.early.extract(copy.early.begin());
        if (node.key() != next()) continue;
        apply(copy, node.mapped());
        ctx_.count("deltas_applied");
    }
}

void Replicas::settle(Copy& copy) {
    const Seq applied = copy.replica->applied();
    const bool may_show = copy.live && copy.position_told && !copy.replica->is_shown();
    if (may_show && applied >= copy.reveal_at) reveal(copy);
    if (applied >= copy.known && !copy.wants_snapshot) {
        if (copy.behind_since != kNever) ctx_.durations.repair.add(ctx_.now - copy.behind_since);
        copy.pull_due = copy.behind_since = kNever;
        copy.tries = 0;
        copy.incoming.reset();
    } else if (copy.pull_due == kNever) {
        if (applied < copy.known) ctx_.count("gaps");
        copy.behind_since = ctx_.now;
        pull_at(copy, ctx_.now);
    }
}

void Replicas::want(Copy& copy, Seq position) {
    copy.known = std::max(copy.known, position);
    settle(copy);
}

void Replicas::heard_position(const NodeId& origin, Seq seq) {
    if (Copy* copy = find(origin)) want(*copy, seq);
}

void Replicas::heard_position(const NodeId& origin, Seq seq, std::uint64_t digest) {
    Copy* copy = find(origin);
    if (!copy) return;
    if (seq == copy->replica->applied() && digest != copy->replica->digest() && !copy->wants_snapshot) {
        ctx_.count("digest_mismatches");
        ctx_.note(Note::Kind::digest_mismatch, origin.name, "at position " + std::to_string(seq.value));
        ctx_.journal.node(ctx_.now, Change::Kind::table_wrong, origin.name, "");
        copy->wants_snapshot = true;
    }
    want(*copy, seq);
}

void Replicas::position_told(const NodeId& origin, Seq seq) {
    Copy* copy = find(origin);
    if (!copy || std::exchange(copy->position_told, true)) return;
    copy->reveal_at = seq;
    want(*copy, seq);
}

void Replicas::greeted(const NodeId& origin, Seq seq) {
    Copy* copy = find(origin);
    if (!copy) return;
    if (!copy->replica->is_shown()) copy->reveal_at = std::max(copy->reveal_at, seq);
    want(*copy, seq);
}

void Replicas::reveal(Copy& copy) {
    copy.replica->show(true);
    copy.replica->tell_all(WatchEvent::Kind::join, Reason::left, updates_);
}

void Replicas::hide(Copy& copy, Reason reason) {
    copy.live = false;
    if (copy.replica->is_shown()) copy.replica->tell_all(WatchEvent::Kind::leave, reason, updates_);
    copy.replica->show(false);
    copy.pull_due = copy.behind_since = kNever;
    copy.incoming.reset();
}

void Replicas::on(const Transition& transition) {
    const NodeId& id = transition.id;
    if (transition.kind != Transition::Kind::up) {
        const bool left = transition.kind == Transition::Kind::left;
        if (Copy* copy = find(id)) hide(*copy, left ? Reason::node_left : Reason::node_down);
        if (left && find(id)) copies_.erase(id.name);
        return;
    }
    Copy& copy = copies_[id.name];
    if (!copy.replica || copy.replica->id() != id) {
        MUSTER_CHECK(!copy.replica || !copy.replica->is_shown());
        copy = {};
        copy.replica = make_replica(id);
    }
    copy.live = true;
    copy.position_told = !ctx_.options.notary;  // else the news may be another's, who is not believed about it
    copy.reveal_at = copy.known = std::max(copy.known, transition.seq);
    pull_at(copy, copy.pull_due);  // one that came due while it was not live
    if (copy.pull_due != kNever) copy.behind_since = ctx_.now;
    settle(copy);
}

// ---- pulls ---------------------------------------------------------------------

void Replicas::pull_at(Copy& copy, Instant due) {
    copy.pull_due = due;
    next_pull_ = std::min(next_pull_, due);
}

void Replicas::send_pull(Copy& copy) {
    const NodeId& about = copy.replica->id();
    std::string from = about.name;
    if (copy.tries >= kTriesForDeltas) copy.incoming.reset();
    // The origin first; when it does not answer, anyone who may have it. Where there are keys, only the origin is
    // believed: then another way to it.
    const bool elsewhere = copy.tries % 2 == 1 && !is_frozen(copy) && !ctx_.options.notary;
    const bool detour = copy.tries % 2 == 1 && ctx_.options.notary;
    if (elsewhere)
        if (const auto others = peers_.others(about.name, 1); !others.empty()) from = others.front();
    ctx_.count("pulls_sent");
    peers_.send(from, proto::Pull{about, open_table(copy).applied(), is_frozen(copy)}, 0, detour);
    ++copy.tries;
    copy.pull_due = ctx_.now + ctx_.options.timing.pull_retry;
}

const Replica* Replicas::table_of(const NodeId& origin) const {
    if (origin == own_->id()) return own_.get();
    const auto it = copies_.find(origin.name);
    return it == copies_.end() || it->second.replica->id() != origin ? nullptr : it->second.replica.get();
}

Seq Replicas::known(const NodeId& origin) const {
    const auto it = copies_.find(origin.name);
    return it == copies_.end() || it->second.replica->id() != origin ? Seq{} : it->second.known;
}

void Replicas::pull(const proto::Pull& pull, const std::string& from) {
    const Replica* replica = table_of(pull.about);
    if (!replica) return;
    if (ctx_.options.notary && replica != own_.get()) return ctx_.count("pulls_refused");
    ctx_.count("pulls_answered");
    if (!pull.snapshot && pull.have >= replica->applied()) return;
    if (!pull.snapshot && replica->log().covers(pull.have))
        send_deltas(*replica, pull.have, from);
    else
        send_snapshot(*replica, from);
}

Replicas::Cut Replicas::cut(const Replica& replica, Seq& from) const {
    Cut cut;
    auto& [deltas, size] = cut;
    while (from <= replica.applied() && (deltas.empty() || size < limits::kChunkBytes)) {
        auto delta = replica.log().at(from);
        const auto more = wire_size(delta);
        if (!deltas.empty() && size + more > limits::kFrame / 2) break;
        size += more;
        deltas.push_back(std::move(delta));
        from = from.next();
    }
    return cut;
}

void Replicas::send_deltas(const Replica& replica, Seq have, const std::string& to) {
    Seq next = have.next();
    for (std::size_t i = 0; i < kDeltaFramesPerPull && next <= replica.applied(); ++i) {
        const Seq first = next;
        auto [deltas, size] = cut(replica, next);
        ctx_.count("repair_bytes_sent", size);
        peers_.send(to, proto::Deltas{replica.id(), first, std::move(deltas)}, replica.applied().value);
    }
}

// ---- snapshots -------------------------------------------------------------------

void Replicas::send_snapshot(const Replica& replica, const std::string& to) {
    const std::pair key(to, replica.id().name);
    senders_.erase(key);
    if (senders_.size() >= kSenders) return ctx_.count("snapshots_refused");
    ctx_.count("snapshots_sent");
    const auto [it, fresh] = senders_.try_emplace(key, replica, ctx_.options.bounds.chunk_bytes, ctx_.now);
    pump(to, it->second);
}

bool Replicas::pump(const std::string& to, SnapshotSender& sender) {
    const Replica* replica = table_of(sender.about());
    if (!replica || sender.is_done()) return false;
    while (auto chunk = sender.next(*replica)) {
        ctx_.count("repair_bytes_sent", sender.size());
        peers_.send(to, std::move(*chunk), replica->applied().value);
    }
    return true;
}

void Replicas::chunk_acked(const proto::SnapshotAck& ack, const std::string& from) {
    const auto it = senders_.find({from, ack.about.name});
    if (it == senders_.end()) return;
    it->second.acked(ack, ctx_.now);
    if (!pump(from, it->second)) senders_.erase(it);
}

void Replicas::begin_snapshot(Copy& copy, Seq as_of, const std::string& from) {
    copy.incoming.emplace(from, as_of, make_replica(copy.replica->id()));
    // What it has already makes room for what it will need.
    copy.early.erase(copy.early.begin(), copy.early.upper_bound(as_of));
}

void Replicas::chunk(const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    Copy* copy = find(chunk.about);
    if (!copy || copy->pull_due == kNever || chunk.as_of < copy->replica->applied()) return;
    auto& incoming = copy->incoming;
    if (chunk.index == 0 && (!incoming || chunk.as_of >= incoming->as_of())) {
        if (incoming) ++copy->begun_anew;
        begin_snapshot(*copy, chunk.as_of, from);
    }
    if (!incoming || !incoming->take(chunk, position, from)) return;
    copy->tries = 0;
    // Another pull makes it begin anew: over a slow link it would never come to its end.
    pull_at(*copy, ctx_.now + ctx_.options.timing.pull_retry * (1u << std::min(copy->begun_anew, kMostPatience)));
    peers_.send(from, proto::SnapshotAck{chunk.about, incoming->as_of(), incoming->next()});
    if (!incoming->is_complete()) return;
    copy->known = std::max(copy->known, incoming->end());
    end_snapshot(*copy);
    drain_early(*copy);
    // The deltas since it was begun are what is missing now.
    if (incoming && incoming->is_complete()) pull_at(*copy, ctx_.now);
    settle(*copy);
}

void Replicas::end_snapshot(Copy& copy) {
    if (!copy.incoming->is_caught_up()) return;
    auto fresh = copy.incoming->take_table();
    const auto digest = copy.incoming->digest();
    const auto begun = copy.incoming->as_of();
    copy.incoming.reset();
    if (fresh->digest() != digest) return ctx_.count("snapshots_broken");
    const NodeId id = fresh->id();
    fresh->show(copy.replica->is_shown());
    if (fresh->is_shown()) copy.replica->tell_difference(*fresh, updates_);
    copy.replica = std::move(fresh);
    std::erase_if(senders_, [&](const auto& entry) { return entry.second.about() == id; });
    ctx_.count("snapshots_taken");
    ctx_.note(Note::Kind::snapshot_taken, id.name, "as of " + std::to_string(begun.value));
    ctx_.journal.node(ctx_.now, Change::Kind::table_taken, id.name, "");
    copy.wants_snapshot = false;
    copy.tries = copy.begun_anew = 0;
}

// ---- time ------------------------------------------------------------------------

void Replicas::tick() {
    std::erase_if(copies_, [&](const auto& entry) { return !entry.second.live && !peers_.find(entry.first); });
    std::erase_if(senders_, [&](const auto& entry) { return ctx_.now - entry.second.moved() > kSenderPatience; });
}

bool Replicas::wants_flush() const {
    return next_publish() <= ctx_.now || next_pull_ <= ctx_.now;
}

void Replicas::flush(bool at_once) {
    if (at_once || next_publish() <= ctx_.now) publish_committed();
    if (next_pull_ > ctx_.now) return;
    next_pull_ = kNever;
    for (auto& [name, copy] : copies_) {
        if (!copy.live) continue;
        if (copy.pull_due <= ctx_.now) send_pull(copy);
        next_pull_ = std::min(next_pull_, copy.pull_due);
    }
}

// ---- what is shown -----------------------------------------------------------------

Replicas::Totals Replicas::totals() const {
    Totals totals;
    for (GroupRef group = 0; group < groups_.limit(); ++group) {
        std::uint64_t members = 0;
        for_each_shown_in(group, [&](const Replica&, const MemberList& list) { members += list.size(); });
        totals.groups += members > 0 ? 1 : 0;
        totals.members += members;
    }
    return totals;
}

const Replica* Replicas::shown(const std::string& node) const {
    if (node == own_->id().name) return own_.get();
    const auto it = copies_.find(node);
    return it != copies_.end() && it->second.replica->is_shown() ? it->second.replica.get() : nullptr;
}

Seq Replicas::applied(const std::string& node) const {
    if (node == own_->id().name) return own_->applied();
    const auto it = copies_.find(node);
    return it == copies_.end() ? Seq{} : it->second.replica->applied();
}

SyncProgress Replicas::progress() const {
    SyncProgress progress;
    for (const auto& [name, copy] : copies_) {
        if (!copy.live) continue;
        const Seq applied = copy.replica->applied();
        const bool is_whole = copy.replica->is_shown() && applied >= copy.reveal_at;
        if (is_whole)
            progress.add(true, copy.replica->member_count(), copy.replica->member_count());
        else if (copy.incoming)
            progress.add(false, copy.incoming->table().member_count(), copy.incoming->members());
        else
            progress.add(false, applied.value, std::max(copy.known, copy.reveal_at).value);
    }
    return progress;
}

void Replicas::check() const {
    own_->check();
    for (const auto& [name, copy] : copies_) {
        copy.replica->check();
        MUSTER_CHECK(copy.replica->id().name == name);
        MUSTER_CHECK(!copy.replica->is_shown() || copy.live);
        const Seq next = copy.replica->applied().next();
        MUSTER_CHECK(copy.early.empty() || copy.wants_snapshot || copy.early.begin()->first > next);
        if (copy.incoming) copy.incoming->table().check();
    }
}

std::optional<std::string> Replicas::over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    if (own_->log().size() > bounds.log_deltas) return "own log";
    if (senders_.size() > kSenders) return "snapshot senders";
    for (const auto& [name, copy] : copies_) {
        if (copy.replica->log().size() > bounds.log_deltas) return "log of " + name;
        if (copy.early.size() > bounds.early_deltas) return "early deltas of " + name;
    }
    return std::nullopt;
}

}  // namespace muster::cluster
