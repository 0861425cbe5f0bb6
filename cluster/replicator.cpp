#include "cluster/replicator.hpp"

#include <algorithm>
#include <utility>

#include "cluster/check.hpp"
#include "cluster/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kSenders = 256;  // snapshots under way at once
constexpr Duration kSenderPatience = std::chrono::seconds(5);
constexpr std::size_t kDeltaFramesPerPull = 64;

}  // namespace

Replicator::Replicator(Context& context, Peers& peers)
    : ctx_(context),
      peers_(peers),
      groups_(context.options.key),
      own_(std::make_unique<Replica>(context.self, groups_, context.options.bounds)) {}

// ---- this node's own table -----------------------------------------------------

void Replicator::commit(proto::Delta delta) {
    own_->apply(std::move(delta), merges_);
    peers_.set_seq(own_->applied());
    ctx_.count("deltas_committed");
}

std::vector<proto::Delta> Replicator::cut(const Replica& replica, Seq& from) const {
    std::vector<proto::Delta> deltas;
    std::size_t size = 0;
    while (from <= replica.applied() && (deltas.empty() || size < limits::kChunkBytes)) {
        const auto& delta = replica.log().at(from);
        const auto more = wire_size(delta);
        if (!deltas.empty() && size + more > limits::kFrame / 2) break;
        size += more;
        deltas.push_back(delta);
        from = from.next();
    }
    return deltas;
}

void Replicator::publish_committed() {
    // What has already left the log again is pulled as a snapshot by whoever misses it.
    if (!own_->log().covers(published_)) published_ = own_->applied();
    Seq next = published_.next();
    while (next <= own_->applied()) {
        const Seq first = next;
        auto deltas = cut(*own_, next);
        ctx_.emit(Publish{ctx_.message(proto::Deltas{own_->id(), first, std::move(deltas)}, own_->applied().value)});
    }
    published_ = own_->applied();
}

// ---- copies of others --------------------------------------------------------

Replicator::Copy* Replicator::find(const NodeId& origin) {
    const auto it = copies_.find(origin.name);
    return it == copies_.end() || it->second.replica->id() != origin ? nullptr : &it->second;
}

void Replicator::apply(Copy& copy, proto::Delta delta) {
    std::vector<Merge> hidden;
    copy.replica->apply(std::move(delta), copy.shown ? merges_ : hidden);
    ctx_.count("deltas_applied");
}

void Replicator::deltas(proto::Deltas deltas) {
    Copy* copy = find(deltas.about);
    if (!copy) return ctx_.count("deltas_of_strangers");
    Seq seq = deltas.first;
    for (auto& delta : deltas.deltas) {
        const Seq next = copy->replica->applied().next();
        if (seq == next)
            apply(*copy, std::move(delta));
        else if (seq > next && copy->early.size() < ctx_.options.bounds.early_deltas)
            copy->early.try_emplace(seq, std::move(delta));
        else if (seq < next)
            ctx_.count("deltas_repeated");
        copy->known = std::max(copy->known, seq);
        seq = seq.next();
    }
    drain_early(*copy);
    settle(*copy);
}

void Replicator::drain_early(Copy& copy) {
    const Replica& replica = *copy.replica;
    while (!copy.early.empty() && copy.early.begin()->first <= replica.applied().next()) {
        auto node = copy.early.extract(copy.early.begin());
        if (node.key() == replica.applied().next()) apply(copy, std::move(node.mapped()));
    }
}

void Replicator::settle(Copy& copy) {
    const Seq applied = copy.replica->applied();
    if (copy.live && !copy.shown && applied >= copy.reveal_at) reveal(copy);
    if (applied >= copy.known && !copy.wants_snapshot) {
        copy.pull_due = kNever;
        copy.tries = 0;
        copy.incoming.reset();
    } else if (copy.pull_due == kNever) {
        if (applied < copy.known) ctx_.count("gaps");
        copy.pull_due = ctx_.now;
    }
}

void Replicator::want(Copy& copy, Seq position) {
    copy.known = std::max(copy.known, position);
    settle(copy);
}

void Replicator::heard_position(const NodeId& origin, Seq seq) {
    if (Copy* copy = find(origin)) want(*copy, seq);
}

void Replicator::heard_position(const NodeId& origin, Seq seq, std::uint64_t digest) {
    Copy* copy = find(origin);
    if (!copy) return;
    if (seq == copy->replica->applied() && digest != copy->replica->digest() && !copy->wants_snapshot) {
        ctx_.count("digest_mismatches");
        ctx_.note(Note::Kind::digest_mismatch, origin.name, "at position " + std::to_string(seq.value));
        copy->wants_snapshot = true;
    }
    want(*copy, seq);
}

void Replicator::greeted(const NodeId& origin, Seq seq) {
    Copy* copy = find(origin);
    if (!copy) return;
    if (!copy->shown) copy->reveal_at = std::max(copy->reveal_at, seq);
    want(*copy, seq);
}

void Replicator::reveal(Copy& copy) {
    copy.shown = true;
    copy.replica->tell_all(WatchEvent::Kind::join, Reason::left, merges_);
}

void Replicator::hide(Copy& copy, Reason reason) {
    copy.live = false;
    if (std::exchange(copy.shown, false)) copy.replica->tell_all(WatchEvent::Kind::leave, reason, merges_);
    copy.pull_due = kNever;
    copy.incoming.reset();
}

void Replicator::on(const Transition& transition) {
    const NodeId& id = transition.id;
    if (transition.kind != Transition::Kind::up) {
        const bool left = transition.kind == Transition::Kind::left;
        if (Copy* copy = find(id)) hide(*copy, left ? Reason::node_left : Reason::node_down);
        if (left && find(id)) copies_.erase(id.name);
        return;
    }
    Copy& copy = copies_[id.name];
    if (!copy.replica || copy.replica->id() != id) {
        MUSTER_CHECK(!copy.shown);
        copy = {};
        copy.replica = std::make_unique<Replica>(id, groups_, ctx_.options.bounds);
    }
    copy.live = true;
    copy.reveal_at = copy.known = std::max(copy.known, transition.seq);
    settle(copy);
}

// ---- pulls ---------------------------------------------------------------------

void Replicator::send_pull(Copy& copy) {
    const NodeId& about = copy.replica->id();
    std::string from = about.name;
    // The origin first; when it does not answer, anyone who may have it.
    const bool elsewhere = copy.tries % 2 == 1 && !copy.wants_snapshot;
    if (elsewhere)
        if (const auto others = peers_.others(about.name, 1); !others.empty()) from = others.front();
    ctx_.count("pulls_sent");
    peers_.send(from, proto::Pull{about, copy.replica->applied(), copy.wants_snapshot});
    ++copy.tries;
    copy.pull_due = ctx_.now + ctx_.options.timing.pull_retry;
}

void Replicator::pull(const proto::Pull& pull, const std::string& from) {
    const bool own = pull.about == own_->id();
    const Copy* copy = own ? nullptr : find(pull.about);
    if (!own && !copy) return;
    const Replica& replica = own ? *own_ : *copy->replica;
    ctx_.count("pulls_answered");
    if (!pull.snapshot && pull.have >= replica.applied()) return;
    if (!pull.snapshot && replica.log().covers(pull.have))
        send_deltas(replica, pull.have, from);
    else
        send_snapshot(replica, from);
}

void Replicator::send_deltas(const Replica& replica, Seq have, const std::string& to) {
    Seq next = have.next();
    for (std::size_t i = 0; i < kDeltaFramesPerPull && next <= replica.applied(); ++i) {
        const Seq first = next;
        auto deltas = cut(replica, next);
        peers_.send(to, proto::Deltas{replica.id(), first, std::move(deltas)}, replica.applied().value);
    }
}

void Replicator::send_snapshot(const Replica& replica, const std::string& to) {
    const std::pair key(to, replica.id().name);
    senders_.erase(key);
    if (senders_.size() >= kSenders) return ctx_.count("snapshots_refused");
    ctx_.count("snapshots_sent");
    const auto [it, fresh] = senders_.try_emplace(key, cut_snapshot(replica), ctx_.now);
    pump(to, it->second);
}

void Replicator::pump(const std::string& to, SnapshotSender& sender) {
    while (auto chunk = sender.next()) peers_.send(to, std::move(*chunk));
}

void Replicator::chunk_acked(const proto::SnapshotAck& ack, const std::string& from) {
    const auto it = senders_.find({from, ack.about.name});
    if (it == senders_.end()) return;
    it->second.acked(ack, ctx_.now);
    pump(from, it->second);
    if (it->second.is_done()) senders_.erase(it);
}

void Replicator::chunk(proto::SnapshotChunk chunk, const std::string& from) {
    Copy* copy = find(chunk.about);
    if (!copy || copy->pull_due == kNever || chunk.as_of < copy->replica->applied()) return;
    if (!copy->incoming) copy->incoming.emplace();
    SnapshotReceiver& incoming = *copy->incoming;
    const auto about = chunk.about;
    if (!incoming.take(std::move(chunk))) return;
    copy->pull_due = ctx_.now + ctx_.options.timing.pull_retry;
    peers_.send(from, proto::SnapshotAck{about, incoming.as_of(), incoming.next()});
    if (!incoming.is_complete()) return;

    const auto done = std::exchange(copy->incoming, std::nullopt);
    if (Replica::digest_of(done->table()) != done->digest()) return ctx_.count("snapshots_broken");
    std::vector<Merge> hidden;
    copy->replica->become(done->table(), done->as_of(), done->digest(), copy->shown ? merges_ : hidden);
    ctx_.count("snapshots_taken");
    ctx_.note(Note::Kind::snapshot_taken, about.name, "as of " + std::to_string(done->as_of().value));
    copy->wants_snapshot = false;
    copy->known = std::max(copy->known, done->as_of());
    copy->tries = 0;
    drain_early(*copy);
    settle(*copy);
}

// ---- time ------------------------------------------------------------------------

void Replicator::tick() {
    std::erase_if(copies_, [&](const auto& entry) { return !entry.second.live && !peers_.find(entry.first); });
    std::erase_if(senders_, [&](const auto& entry) { return ctx_.now - entry.second.moved() > kSenderPatience; });
}

bool Replicator::wants_flush() const {
    return published_ != own_->applied() || std::any_of(copies_.begin(), copies_.end(), [&](const auto& entry) {
               return entry.second.live && entry.second.pull_due <= ctx_.now;
           });
}

void Replicator::flush() {
    publish_committed();
    for (auto& [name, copy] : copies_)
        if (copy.live && copy.pull_due <= ctx_.now) send_pull(copy);
}

// ---- what is shown -----------------------------------------------------------------

void Replicator::for_each_shown(const std::function<void(const Replica&)>& visit) const {
    visit(*own_);
    for (const auto& [name, copy] : copies_)
        if (copy.shown) visit(*copy.replica);
}

const Replica* Replicator::shown(const std::string& node) const {
    if (node == own_->id().name) return own_.get();
    const auto it = copies_.find(node);
    return it != copies_.end() && it->second.shown ? it->second.replica.get() : nullptr;
}

Seq Replicator::applied(const std::string& node) const {
    if (node == own_->id().name) return own_->applied();
    const auto it = copies_.find(node);
    return it == copies_.end() ? Seq{} : it->second.replica->applied();
}

bool Replicator::is_synced() const {
    return std::all_of(copies_.begin(), copies_.end(), [](const auto& entry) {
        const Copy& copy = entry.second;
        return !copy.live || (copy.shown && copy.replica->applied() >= copy.reveal_at);
    });
}

std::vector<Merge> Replicator::take_merges() {
    return std::exchange(merges_, {});
}

void Replicator::check() const {
    own_->check();
    for (const auto& [name, copy] : copies_) {
        copy.replica->check();
        MUSTER_CHECK(copy.replica->id().name == name);
        MUSTER_CHECK(!copy.shown || copy.live);
        MUSTER_CHECK(copy.early.empty() || copy.early.begin()->first > copy.replica->applied().next());
    }
}

std::optional<std::string> Replicator::over_bounds() const {
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
