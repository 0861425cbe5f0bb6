#include "cluster/replication/copy.hpp"

#include <algorithm>
#include <utility>

#include "cluster/check.hpp"

namespace muster::cluster {
namespace {

constexpr unsigned kMaxDoublings = 4;     // of pull_retry: 4.8 s, so the sender does not drop the snapshot as stalled
constexpr unsigned kMaxPullsInVain = 16;  // then a snapshot that has begun is given up

}  // namespace

// ---- the origin ------------------------------------------------------------------

void Copy::origin_up(Seq position) {
    live_ = true;
    position_confirmed_ = !shared_.ctx.options.notary;
    show_at_ = known_ = std::max(known_, position);
    schedule_pull(pull_due_);  // while the origin was not live, it did not count for shared_.next_pull
    if (pull_due_ != kNever) behind_since_ = shared_.ctx.now;
    reconsider();
}

void Copy::origin_gone(Reason reason) {
    live_ = false;
    if (replica_->is_shown()) replica_->collect_all(WatchEvent::Kind::leave, reason, shared_.updates);
    replica_->show(false);
    pull_due_ = behind_since_ = kNever;
    incoming_.reset();
}

void Copy::learn_position(Seq position) {
    known_ = std::max(known_, position);
    reconsider();
}

void Copy::learn_digest(Seq position, std::uint64_t digest) {
    Context& ctx = shared_.ctx;
    // At different positions the digests differ, too, and say nothing.
    if (position == replica_->applied() && digest != replica_->digest() && !is_wrong_) {
        ctx.count("digest_mismatches");
        ctx.note(Note::Kind::digest_mismatch, origin().name, "at position " + std::to_string(position.value));
        ctx.journal.node(ctx.now, Change::Kind::table_wrong, origin().name, "");
        is_wrong_ = true;
    }
    learn_position(position);
}

void Copy::greet(Seq position) {
    if (!replica_->is_shown()) show_at_ = std::max(show_at_, position);
    learn_position(position);
}

void Copy::confirm_position(Seq position) {
    if (std::exchange(position_confirmed_, true)) return;
    show_at_ = position;
    learn_position(position);
}

void Copy::show_if_due() {
    const bool may_show = live_ && position_confirmed_ && !replica_->is_shown();
    if (!(may_show && replica_->applied() >= show_at_)) return;
    replica_->show(true);
    replica_->collect_all(WatchEvent::Kind::join, Reason::left, shared_.updates);
}

// ---- deltas ----------------------------------------------------------------------

Replica& Copy::target() {
    return incoming_ && incoming_->is_complete() ? incoming_->table() : *replica_;
}

void Copy::apply(proto::Deltas deltas) {
    Seq seq = deltas.first;
    std::uint64_t applied = 0;
    for (auto& delta : deltas.deltas) {
        const Seq next = target().applied().next();
        if (seq == next && !is_frozen()) {
            apply_next(delta);
            ++applied;
        } else if (seq >= next && early_.size() < shared_.setup.bounds.early_deltas) {
            early_.try_emplace(seq, std::move(delta));
        } else if (seq < next) {
            shared_.ctx.count("deltas_repeated");
        }
        known_ = std::max(known_, seq);
        seq = seq.next();
    }
    if (applied > 0) shared_.ctx.count("deltas_applied", applied);
    apply_early();
    reconsider();
}

void Copy::apply_early() {
    const auto next = [&] { return target().applied().next(); };
    while (!early_.empty() && !is_frozen() && early_.begin()->first <= next()) {
        const auto node = early_.extract(early_.begin());
        if (node.key() != next()) continue;  // a pull has brought it meanwhile
        apply_next(node.mapped());
        shared_.ctx.count("deltas_applied");
    }
}

void Copy::apply_next(const proto::Delta& delta) {
    Replica& table = target();
    table.apply(delta, table.is_shown() ? &shared_.updates : nullptr);
    if (!incoming_) return;
    if (incoming_->is_complete())
        replace_if_caught_up();
    else if (table.applied() >= incoming_->as_of())
        incoming_.reset();  // deltas have brought what the snapshot was to bring
}

// ---- snapshots -------------------------------------------------------------------

std::optional<proto::SnapshotAck> Copy::take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    // A snapshot that is older than the table would take back what has been applied since.
    if (pull_due_ == kNever || chunk.as_of < replica_->applied()) return std::nullopt;
    if (chunk.index == 0 && (!incoming_ || chunk.as_of >= incoming_->as_of())) {
        if (incoming_) ++restarts_;
        incoming_.emplace(from, chunk.as_of, std::make_unique<Replica>(origin(), shared_.setup));
        // What the snapshot already has makes room for what it will need.
        early_.erase(early_.begin(), early_.upper_bound(chunk.as_of));
    }
    if (!incoming_ || !incoming_->take(chunk, position, from)) return std::nullopt;
    pulls_in_vain_ = 0;
    // Another pull makes the answerer begin again. Without this back-off, a snapshot over a slow link would never end.
    schedule_pull(shared_.ctx.now + shared_.ctx.options.timing.pull_retry * (1u << std::min(restarts_, kMaxDoublings)));
    return proto::SnapshotAck{chunk.about, incoming_->as_of(), incoming_->next()};
}

void Copy::use_snapshot() {
    if (!incoming_ || !incoming_->is_complete()) return;
    known_ = std::max(known_, incoming_->end());
    replace_if_caught_up();
    apply_early();
    // What is still missing are deltas since the first chunk: they can be pulled now.
    if (incoming_ && incoming_->is_complete()) schedule_pull(shared_.ctx.now);
    reconsider();
}

void Copy::replace_if_caught_up() {
    if (!incoming_->is_caught_up()) return;
    std::shared_ptr<Replica> fresh = incoming_->take_table();
    const auto digest = incoming_->digest();
    const auto begun = incoming_->as_of();
    incoming_.reset();
    Context& ctx = shared_.ctx;
    if (fresh->digest() != digest) return ctx.count("snapshots_broken");
    fresh->show(replica_->is_shown());
    if (fresh->is_shown()) replica_->collect_difference(*fresh, shared_.updates);
    replica_ = std::move(fresh);
    ctx.count("snapshots_taken");
    ctx.note(Note::Kind::snapshot_taken, origin().name, "as of " + std::to_string(begun.value));
    ctx.journal.node(ctx.now, Change::Kind::table_taken, origin().name, "");
    is_wrong_ = false;
    pulls_in_vain_ = restarts_ = 0;
}

// ---- the repair ------------------------------------------------------------------

void Copy::reconsider() {
    show_if_due();
    Context& ctx = shared_.ctx;
    const Seq applied = replica_->applied();
    if (applied >= known_ && !is_wrong_) {
        if (behind_since_ != kNever) ctx.durations.repair.add(ctx.now - behind_since_);
        pull_due_ = behind_since_ = kNever;
        pulls_in_vain_ = 0;
        incoming_.reset();
    } else if (pull_due_ == kNever) {
        if (applied < known_) ctx.count("gaps");
        behind_since_ = ctx.now;
        schedule_pull(ctx.now);
    }
}

void Copy::schedule_pull(Instant due) {
    pull_due_ = due;
    shared_.next_pull = std::min(shared_.next_pull, due);
}

proto::Pull Copy::next_pull() {
    if (pulls_in_vain_ >= kMaxPullsInVain) incoming_.reset();
    ++pulls_in_vain_;
    pull_due_ = shared_.ctx.now + shared_.ctx.options.timing.pull_retry;
    return {origin(), target().applied(), is_frozen()};
}

// ---- for status and tests --------------------------------------------------------

void Copy::add_to(SyncProgress& progress) const {
    const Seq applied = replica_->applied();
    if (replica_->is_shown() && applied >= show_at_)
        progress.add(true, replica_->member_count(), replica_->member_count());
    else if (incoming_)
        progress.add(false, incoming_->table().member_count(), incoming_->members());
    else
        progress.add(false, applied.value, std::max(known_, show_at_).value);
}

void Copy::check() const {
    replica_->check();
    MUSTER_CHECK(!replica_->is_shown() || live_);
    MUSTER_CHECK(early_.empty() || is_wrong_ || early_.begin()->first > replica_->applied().next());
    if (incoming_) incoming_->table().check();
}

std::optional<std::string> Copy::over_bounds() const {
    const Bounds& bounds = shared_.setup.bounds;
    if (replica_->log().size() > bounds.log_deltas) return "log of " + origin().name;
    if (early_.size() > bounds.early_deltas) return "early deltas of " + origin().name;
    return std::nullopt;
}

}  // namespace muster::cluster
