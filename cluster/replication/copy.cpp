#include "cluster/replication/copy.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/base/share.hpp"
#include "cluster/base/work.hpp"
#include "cluster/check.hpp"
#include "proto/codec.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr unsigned kMaxDoublings = 4;     // of pull_retry: 4.8 s, so the sender does not drop the snapshot as stalled
constexpr unsigned kDoubtful = 2;         // pulls in vain: then the log may be shorter than somebody has said
constexpr unsigned kMaxPullsInVain = 16;  // then a snapshot that has begun is given up
constexpr Duration kFollowAgain = std::chrono::minutes(1);
constexpr std::size_t kFreedAtOnce = 1024;  // groups of a table that is used no more
constexpr std::size_t kVisits = 16;         // of copies with a backlog in one turn, at least

struct ChunkSize {
    std::uint64_t members = 0;
    std::size_t wire = 0;
};

ChunkSize size_of(const proto::SnapshotChunk& chunk) {
    ChunkSize size{0, kWireOverhead};
    for (const auto& part : chunk.groups) {
        size.wire += kWireOverhead + wire_size(part.group);
        for (const auto& run : part.joins) {
            size.members += run.count;
            size.wire += wire_size(run);
        }
    }
    return size;
}

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
    replica_->hide(reason);
    settle();
    pull_due_ = behind_since_ = kNever;
    end_snapshot();
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
    // Positions of a life never fall, but messages may overtake each other. So a lower one counts only after pulls have
    // been in vain.
    if (pulls_in_vain_ >= kDoubtful && position < known_) {
        drop_early_beyond(position);
        known_ = std::max(position, replica_->applied());
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
    replica_->show();
    settle();
}

void Copy::settle() {
    shared_.did(replica_->settle(shared_.work_left(), shared_.updates));
    shared_.has_backlog = shared_.has_backlog || !replica_->is_settled();
    if (!replica_->is_replacing() || !replica_->is_settled()) return;
    shared_.retire(replica_->take_replaced(), Reason::left);
    use_snapshot();  // one may have waited for this
}

// ---- tables that are used no more ------------------------------------------------

void Copy::Shared::retire(std::shared_ptr<Replica> table, Reason reason) {
    table->hide(reason);
    if (auto before = table->take_replaced()) retire(std::move(before), reason);
    if (table->is_settled() && table->parts().size() <= kFreedAtOnce) return;
    retired.push_back(std::move(table));
    has_backlog = true;
}

void Copy::Shared::work_off_retired() {
    for (std::size_t left = retired.size(); left > 0 && work_left() > 0; --left) {
        auto table = std::move(retired.front());
        retired.pop_front();
        did(table->settle(work_left(), updates));
        // An answer to a pull may still read it; then it is tried again at the next tick.
        const bool is_used = table.use_count() > 1;
        if (table->is_settled() && !is_used) {
            if (table->parts().size() <= kFreedAtOnce) continue;
            did(table->dissolve(work_left()));
        }
        has_backlog = has_backlog || !table->is_settled() || !is_used;
        retired.push_back(std::move(table));
    }
}

void Copy::Shared::hide_retired(const std::string& node) {
    for (const auto& table : retired)
        if (table->id().name == node) table->settle(UINT64_MAX, updates);
}

void Copy::drop_incoming() {
    if (incoming_) shared_.retire(incoming_->take_table(), Reason::left);
    incoming_.reset();
}

// ---- deltas ----------------------------------------------------------------------

Replica& Copy::target() {
    return is_snapshot_next() ? incoming_->table() : *replica_;
}

void Copy::apply(proto::Deltas deltas) {
    if (members_in(deltas) > limits::kMembersPerFrame) {
        refuse_deltas();
        return learn_position(deltas.first);
    }
    Seq seq = deltas.first;
    std::uint64_t applied = 0;
    for (auto& delta : deltas.deltas) {
        const Seq next = target().applied().next();
        if (seq == next && !is_frozen() && has_work_left()) {
            applied += apply_next(delta) ? 1 : 0;
        } else if (seq >= next) {
            keep(seq, delta);
        } else {
            shared_.ctx.count("deltas_repeated");
        }
        known_ = std::max(known_, seq);
        seq = seq.next();
    }
    if (applied > 0) shared_.ctx.count("deltas_applied", applied);
    apply_early(shared_.setup.bounds.table_work);
    reconsider();
}

void Copy::keep(Seq seq, proto::Delta& delta) {
    const std::size_t bytes = kMapNode + memory_of(delta);
    // What is next waits for a turn; what is later, for a pull. Without room both are pulled later.
    const bool is_next = seq == target().applied().next() && !is_frozen();
    const bool in_vain = !is_followed_ && !incoming_;
    if (in_vain || early_.size() >= shared_.setup.bounds.early_deltas || !has_room(bytes))
        return shared_.ctx.count("deltas_not_kept");
    if (!early_.try_emplace(seq, std::move(delta)).second) return;
    early_bytes_ += bytes;
    shared_.early_bytes += bytes;
    shared_.has_backlog = shared_.has_backlog || is_next;
}

bool Copy::has_work_left() const {
    return shared_.work_left() > 0;
}

bool Copy::has_room(std::size_t bytes) const {
    const Bounds& bounds = shared_.setup.bounds;
    const Share share{bounds.early_bytes, bounds.all_early_bytes};
    return share.allows(early_bytes_ + bytes, shared_.early_bytes - early_bytes_, shared_.copies);
}

void Copy::drop_early(Seq up_to) {
    while (!early_.empty() && early_.begin()->first <= up_to) drop_early(early_.begin());
}

void Copy::drop_early_beyond(Seq position) {
    while (!early_.empty() && early_.rbegin()->first > position) drop_early(std::prev(early_.end()));
}

proto::Delta Copy::drop_early(std::map<Seq, proto::Delta>::iterator at) {
    const std::size_t bytes = kMapNode + memory_of(at->second);
    early_bytes_ -= bytes;
    shared_.early_bytes -= bytes;
    return std::move(early_.extract(at).mapped());
}

void Copy::apply_early(std::uint64_t work) {
    const std::uint64_t until = std::min(shared_.work + work, shared_.setup.bounds.table_work);
    std::uint64_t applied = 0;
    while (can_apply_early() && !is_frozen() && shared_.work < until) {
        const Seq seq = early_.begin()->first;
        const proto::Delta delta = drop_early(early_.begin());
        if (seq != target().applied().next()) continue;  // a pull has brought it meanwhile
        applied += apply_next(delta) ? 1 : 0;
    }
    if (applied > 0) shared_.ctx.count("deltas_applied", applied);
    if (has_backlog()) shared_.has_backlog = true;
}

void Copy::apply_waiting() {
    apply_early(shared_.setup.bounds.table_work / kVisits);
    reconsider();
}

bool Copy::apply_next(const proto::Delta& delta) {
    Replica& table = target();
    if (!table.has_new_numbers(delta)) {
        refuse_deltas();
        return false;
    }
    if (const char* why = why_too_large(table, Replica::added_by(delta))) {
        unfollow(why);
        return false;
    }
    shared_.did(work_of(delta));
    table.apply(delta, shared_.updates);
    if (!incoming_) return true;
    if (incoming_->is_complete())
        replace_if_caught_up();
    else if (table.applied() >= incoming_->as_of())
        drop_incoming();  // deltas have brought what the snapshot was to bring
    return true;
}

// ---- what is refused ---------------------------------------------------------------

/// While a snapshot is put together, members may be in it that have left since, so it may have twice as much.
const char* Copy::why_too_large(const Replica& table, Replica::Size more) const {
    const Bounds& bounds = shared_.setup.bounds;
    const Replica::Total& total = shared_.setup.total;
    const Replica::Size has = table.size();
    const std::size_t times = &table == replica_.get() ? 1 : 2;
    const Share members{times * bounds.table_members, bounds.all_members};
    const Share bytes{times * bounds.table_bytes, bounds.all_table_bytes};
    if (!members.allows(has.members + more.members, total.members - has.members, total.tables)) return "members";
    if (!bytes.allows(has.bytes + more.bytes, total.bytes - has.bytes, total.tables)) return "bytes";
    return nullptr;
}

void Copy::refuse_deltas() {
    shared_.ctx.count("deltas_refused");
    if (incoming_ && incoming_->is_complete()) drop_incoming();
    if (is_wrong_) return;
    is_wrong_ = true;
    shared_.ctx.note(Note::Kind::deltas_refused, origin().name, "");
    shared_.ctx.journal.node(shared_.ctx.now, Change::Kind::table_wrong, origin().name, "");
}

void Copy::unfollow(const char* why) {
    Context& ctx = shared_.ctx;
    ctx.count("tables_refused");
    if (std::exchange(is_followed_, false))
        ctx.note(Note::Kind::table_refused, origin().name, std::string("too many ") + why);
    is_wrong_ = true;
    end_snapshot();
    const NodeId id = origin();
    shared_.retire(std::move(replica_), Reason::node_down);
    replica_ = std::make_shared<Replica>(id, shared_.setup);
    drop_early(Seq{UINT64_MAX});
    schedule_pull(ctx.now + kFollowAgain);
}

// ---- snapshots -------------------------------------------------------------------

std::optional<proto::SnapshotAck> Copy::take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    // A snapshot that is older than the table would take back what has been applied since.
    if (pull_due_ == kNever || chunk.as_of < replica_->applied()) return std::nullopt;
    const ChunkSize size = size_of(chunk);
    if (size.members > limits::kMembersPerFrame) {
        shared_.ctx.count("snapshots_broken");
        drop_incoming();
        return std::nullopt;
    }
    shared_.did(size.wire + size.members + chunk.groups.size() * kGroupWork);
    if (chunk.members > shared_.setup.bounds.table_members) {
        unfollow("members");
        return std::nullopt;
    }
    if (chunk.index == 0 && (!incoming_ || chunk.as_of >= incoming_->as_of())) {
        if (incoming_) ++restarts_;
        drop_incoming();
        incoming_.emplace(from, chunk.as_of, std::make_unique<Replica>(origin(), shared_.setup));
        // What the snapshot already has makes room for what it will need.
        drop_early(chunk.as_of);
    }
    if (!incoming_ || !incoming_->take(chunk, position, from)) return std::nullopt;
    if (incoming_->is_broken()) {
        shared_.ctx.count("snapshots_broken");
        drop_incoming();
        return std::nullopt;
    }
    if (const char* why = why_too_large(incoming_->table(), {})) {
        unfollow(why);
        return std::nullopt;
    }
    pulls_in_vain_ = 0;
    shared_.has_backlog = shared_.has_backlog || due_chunk() != chunks_.end();
    // Another pull makes the answerer begin again. Without this back-off, a snapshot over a slow link would never end.
    schedule_pull(shared_.ctx.now + shared_.ctx.options.timing.pull_retry * (1u << std::min(restarts_, kMaxDoublings)));
    return proto::SnapshotAck{chunk.about, incoming_->as_of(), incoming_->next()};
}

void Copy::use_snapshot() {
    if (!incoming_ || !incoming_->is_complete()) return;
    known_ = std::max(known_, incoming_->end());
    replace_if_caught_up();
    apply_early(shared_.setup.bounds.table_work);
    // What is still missing are deltas since the first chunk: they can be pulled now.
    if (incoming_ && incoming_->is_complete()) schedule_pull(shared_.ctx.now);
    reconsider();
}

void Copy::replace_if_caught_up() {
    if (!incoming_->is_caught_up() || replica_->is_replacing()) return;
    std::shared_ptr<Replica> fresh = incoming_->take_table();
    const auto digest = incoming_->digest();
    const auto begun = incoming_->as_of();
    incoming_.reset();
    Context& ctx = shared_.ctx;
    if (fresh->digest() != digest) {
        shared_.retire(std::move(fresh), Reason::left);
        return ctx.count("snapshots_broken");
    }
    if (const Replica::Size size = fresh->size();
        size.members > shared_.setup.bounds.table_members || size.bytes > shared_.setup.bounds.table_bytes) {
        shared_.retire(std::move(fresh), Reason::left);
        return unfollow(size.members > shared_.setup.bounds.table_members ? "members" : "bytes");
    }
    fresh->end_snapshot();
    is_followed_ = true;
    auto before = std::exchange(replica_, std::move(fresh));
    before->is_shown() ? replica_->replace(std::move(before)) : shared_.retire(std::move(before), Reason::left);
    ctx.count("snapshots_taken");
    ctx.note(Note::Kind::snapshot_taken, origin().name, "as of " + std::to_string(begun.value));
    ctx.journal.node(ctx.now, Change::Kind::table_taken, origin().name, "");
    is_wrong_ = false;
    pulls_in_vain_ = restarts_ = 0;
    settle();
}

bool Copy::is_early(const ChunkId& chunk) const {
    if (incoming_ && chunk.as_of < incoming_->as_of()) return false;
    const bool goes_on = incoming_ && incoming_->as_of() == chunk.as_of && incoming_->from() == chunk.from;
    return chunk.index > (goes_on ? incoming_->next() : 0);
}

Copy::Chunks::iterator Copy::due_chunk() {
    return std::find_if(chunks_.begin(), chunks_.end(),
                        [&](const WaitingChunk& waiting) { return !is_early(waiting.id); });
}

bool Copy::postpone(proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    ChunkId id{chunk.as_of, chunk.index, from};
    const bool early = is_early(id);
    if (!early && due_chunk() == chunks_.end() && has_work_left()) return false;
    // The same chunk of an earlier attempt.
    const auto same =
        std::find_if(chunks_.begin(), chunks_.end(), [&](const WaitingChunk& waiting) { return waiting.id == id; });
    if (same != chunks_.end()) take_out(same);
    const bool full = chunks_.size() >= SnapshotSender::kWindow;
    if (full && is_early(chunks_.front().id)) take_out(chunks_.begin());
    const bool in_vain = pull_due_ == kNever || chunks_.size() >= SnapshotSender::kWindow;
    WaitingChunk waiting{std::move(id), position, {}};
    // With the shortest header, because a frame may already be as long as frames can be.
    if (!in_vain) waiting.bytes = proto::encode({{"s", "n", 1, 0}, std::move(chunk)});
    const std::size_t bytes = waiting.memory();
    // Deltas can be pulled one by one, but without this chunk the snapshot begins again.
    while (!in_vain && !has_room(bytes) && !early_.empty()) drop_early(std::prev(early_.end()));
    if (in_vain || !has_room(bytes)) {
        shared_.ctx.count("chunks_not_kept");
        return true;
    }
    early_bytes_ += bytes;
    shared_.early_bytes += bytes;
    chunks_.push_back(std::move(waiting));
    shared_.has_backlog = shared_.has_backlog || !early;
    return true;
}

std::optional<Copy::DueChunk> Copy::next_chunk() {
    const auto due = due_chunk();
    if (due == chunks_.end()) return std::nullopt;
    WaitingChunk waiting = take_out(due);
    auto message = proto::decode(waiting.bytes);
    MUSTER_CHECK(message && std::holds_alternative<proto::SnapshotChunk>(message->body));
    return DueChunk{std::get<proto::SnapshotChunk>(std::move(message->body)), waiting.position,
                    std::move(waiting.id.from)};
}

Copy::WaitingChunk Copy::take_out(const Chunks::iterator& at) {
    WaitingChunk waiting = std::move(*at);
    chunks_.erase(at);
    const std::size_t bytes = waiting.memory();
    early_bytes_ -= bytes;
    shared_.early_bytes -= bytes;
    return waiting;
}

void Copy::end_snapshot() {
    drop_incoming();
    while (!chunks_.empty()) take_out(chunks_.begin());
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
        end_snapshot();
    } else if (pull_due_ == kNever) {
        const bool waits = is_waiting();  // for a turn: what is missing is here
        if (applied < known_ && !waits) ctx.count("gaps");
        behind_since_ = ctx.now;
        schedule_pull(waits ? ctx.now + ctx.options.timing.pull_retry : ctx.now);
    }
}

void Copy::schedule_pull(Instant due) {
    pull_due_ = due;
    shared_.next_pull = std::min(shared_.next_pull, due);
}

proto::Pull Copy::next_pull() {
    if (pulls_in_vain_ >= kMaxPullsInVain) drop_incoming();
    ++pulls_in_vain_;
    const bool soon = is_followed_ || incoming_;
    pull_due_ = shared_.ctx.now + (soon ? shared_.ctx.options.timing.pull_retry : kFollowAgain);
    return {origin(), target().applied(), is_frozen()};
}

// ---- for status and tests --------------------------------------------------------

void Copy::add_to(SyncProgress& progress) const {
    if (!is_followed_) return;
    const Seq applied = replica_->applied();
    if (replica_->is_fully_shown() && applied >= show_at_)
        progress.add(true, replica_->member_count(), replica_->member_count());
    else if (incoming_)
        progress.add(false, incoming_->table().member_count(), incoming_->members());
    else
        progress.add(false, applied.value, std::max(known_, show_at_).value);
}

void Copy::check() const {
    replica_->check();
    MUSTER_CHECK(!replica_->is_shown() || live_);
    MUSTER_CHECK(early_.empty() || is_wrong_ || shared_.has_backlog ||
                 early_.begin()->first > replica_->applied().next());
    if (incoming_) incoming_->table().check();
}

std::optional<std::string> Copy::over_bounds() const {
    const Bounds& bounds = shared_.setup.bounds;
    const Replica::Size size = replica_->size();
    if (replica_->log().size() > bounds.log_deltas) return "log of " + origin().name;
    if (replica_->log().size() > 1 && replica_->log().bytes() > bounds.log_bytes)
        return "bytes of the log of " + origin().name;
    if (early_.size() > bounds.early_deltas) return "early deltas of " + origin().name;
    if (early_bytes_ > bounds.early_bytes) return "bytes of early deltas of " + origin().name;
    if (size.members > bounds.table_members) return "members of " + origin().name;
    if (size.bytes > bounds.table_bytes) return "bytes of the table of " + origin().name;
    if (incoming_ && incoming_->table().size().members > 2 * bounds.table_members)
        return "members of a snapshot of " + origin().name;
    return std::nullopt;
}

}  // namespace muster::cluster
