#include "cluster/tables/replica.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/base/share.hpp"
#include "cluster/base/work.hpp"
#include "cluster/check.hpp"

namespace muster::cluster {
namespace {

using Kind = WatchEvent::Kind;

bool by_origin(const Replica* a, const Replica* b) {
    return a->id().name < b->id().name;
}

/// A member's share of the digest: PROTOCOL.md, "Snapshots". The digest is a sum, so joins and leaves update it in any
/// order.
std::uint64_t digest_of_member(GroupKey group, MemberNumber number, std::uint64_t owner_hash) {
    return mix64(mix64(group.value ^ mix64(number.value)) + owner_hash);
}

/// Whether all numbers are above `newest` and ascend. Then `newest` is the last.
bool ascend_from(MemberNumber& newest, const std::vector<proto::JoinRun>& runs) {
    for (const auto& run : runs) {
        if (run.first <= newest) return false;
        newest = run.first.plus(run.count - 1);
    }
    return true;
}

/// The numbers of `here` that are not in `there` with the same owner.
std::vector<Run> missing_from(const MemberList& there, const OwnerTable& owners_there, const MemberList& here,
                              const OwnerTable& owners_here) {
    std::vector<Run> missing;
    here.for_each_run([&](const Run& run) {
        for (std::uint32_t i = 0; i < run.count;) {
            const Run from{run.first.plus(i), run.count - i, run.tag};
            const Run other = there.find(from.first);
            const bool same = other.count > 0 && owners_there.hash(other.tag) == owners_here.hash(run.tag);
            // One step takes all numbers that are in one run there. Numbers that are not there are few: one by one.
            const auto known = other.count > 0 ? other.last().value - from.first.value + 1 : 1;
            const auto step = static_cast<std::uint32_t>(std::min<std::uint64_t>(from.count, known));
            if (!same) missing.push_back({from.first, step, run.tag});
            i += step;
        }
    });
    return missing;
}

}  // namespace

Replica::Replica(NodeId origin, const Setup& setup)
    : id_(std::move(origin)),
      index_(setup.groups),
      bounds_(setup.bounds),
      total_(setup.total),
      owners_(setup.secret),
      log_(index_, owners_, setup.bounds.log_deltas) {
    ++total_.tables;
}

Replica::~Replica() {
    for (std::size_t i = 0; i < visible_; ++i) index_.remove_shown(parts_[i].group);
    --total_.tables;
    total_.members -= counted_.members;
    total_.bytes -= counted_.bytes;
    total_.log_bytes -= counted_log_bytes_;
    for (const Part& part : parts_) {
        index_.remove_holder(part.group, *this);
        index_.release(part.group);
    }
}

// ---- groups ------------------------------------------------------------------------

std::uint32_t Replica::find_part(GroupRef group) const {
    return part_by_group_.find(mix64(group), [&](std::uint32_t at) { return parts_[at].group == group; });
}

const MemberList* Replica::find(GroupRef group) const {
    const std::uint32_t at = find_part(group);
    return at == FlatIndex::kNone ? nullptr : &parts_[at].members;
}

const MemberList* Replica::find_visible(GroupRef group) const {
    const std::uint32_t at = visible_ == 0 ? FlatIndex::kNone : find_part(group);
    return at == FlatIndex::kNone || at >= visible_ ? nullptr : &parts_[at].members;
}

std::uint32_t Replica::make_part(GroupRef group) {
    std::uint32_t at = find_part(group);
    if (at != FlatIndex::kNone) return at;
    at = static_cast<std::uint32_t>(parts_.size());
    const bool visible = is_fully_shown();
    parts_.push_back({group, {}});
    part_by_group_.insert(mix64(group), at);
    index_.use(group);
    group_bytes_ += index_.cost(group);
    index_.add_holder(group, *this, by_origin);
    if (visible) {
        set_visible(parts_[at], true);
        ++visible_;
    }
    return at;
}

void Replica::drop_part_if_empty(GroupRef group) {
    std::uint32_t at = find_part(group);
    if (at == FlatIndex::kNone || !parts_[at].members.empty()) return;
    part_by_group_.erase(mix64(group), at);
    // The last part moves into the gap: removing a group takes the same time however many there are. Visible parts stay
    // before the others.
    if (at < visible_) {
        set_visible(parts_[at], false);
        move_part(static_cast<std::uint32_t>(--visible_), at);
        at = static_cast<std::uint32_t>(visible_);
    }
    move_part(static_cast<std::uint32_t>(parts_.size() - 1), at);
    parts_.pop_back();
    group_bytes_ -= index_.cost(group);
    index_.remove_holder(group, *this);
    index_.release(group);
}

void Replica::move_part(std::uint32_t from, std::uint32_t to) {
    if (from == to) return;
    part_by_group_.replace(mix64(parts_[from].group), from, to);
    parts_[to] = std::move(parts_[from]);
}

// ---- what others see -----------------------------------------------------------------

void Replica::set_visible(const Part& part, bool visible) {
    visible ? index_.add_shown(part.group) : index_.remove_shown(part.group);
    visible ? visible_members_ += part.members.size() : visible_members_ -= part.members.size();
}

void Replica::hide(Reason reason) {
    if (std::exchange(shown_, false)) hidden_for_ = reason;
    if (replaced_) replaced_->hidden_for_ = reason;
}

void Replica::replace(std::shared_ptr<Replica> before) {
    MUSTER_CHECK(!before->is_replacing() && visible_ == 0);
    before->hide(Reason::left);
    replaced_ = std::move(before);
    show();
}

std::uint64_t Replica::settle(std::uint64_t most, GroupUpdates& updates) {
    std::uint64_t work = 0;
    while (work < most && visible_ != (shown_ ? parts_.size() : 0))
        work += shown_ ? show_next(updates) : hide_last(updates);
    if (replaced_ && work < most) work += replaced_->settle(most - work, updates);
    return work;
}

std::uint64_t Replica::show_next(GroupUpdates& updates) {
    const Part& part = parts_[visible_++];
    set_visible(part, true);
    const std::uint64_t work = kGroupWork + part.members.runs() * kWireRun;
    const MemberList* before = replaced_ ? replaced_->find_visible(part.group) : nullptr;
    if (!before) {
        collect(part, Kind::join, Reason::left, updates);
        return work;
    }
    const auto gone = missing_from(part.members, owners_, *before, replaced_->owners_);
    if (!gone.empty()) replaced_->collect(part.group, Kind::leave, Reason::left, gone, updates);
    if (std::any_of(gone.begin(), gone.end(), [this](const Run& run) { return replaced_->is_of_worker(run); }))
        updates.lost(index_.name(part.group));  // perhaps: the reasons are not known
    const auto fresh = missing_from(*before, replaced_->owners_, part.members, owners_);
    if (!fresh.empty()) collect(part.group, Kind::join, Reason::left, fresh, updates);
    const std::uint64_t compared = before->runs() * kWireRun;
    replaced_->hide_silently(replaced_->find_part(part.group));
    return work + compared;
}

std::uint64_t Replica::hide_last(GroupUpdates& updates) {
    const Part& part = parts_[--visible_];
    set_visible(part, false);
    collect(part, Kind::leave, hidden_for_, updates);
    return kGroupWork + part.members.runs() * kWireRun;
}

void Replica::hide_silently(std::uint32_t at) {
    set_visible(parts_[at], false);
    const auto last = static_cast<std::uint32_t>(--visible_);
    if (at == last) return;
    // The last visible one changes places with it: visible parts stay before the others.
    part_by_group_.erase(mix64(parts_[at].group), at);
    part_by_group_.replace(mix64(parts_[last].group), last, at);
    part_by_group_.insert(mix64(parts_[at].group), last);
    std::swap(parts_[at], parts_[last]);
}

std::uint64_t Replica::dissolve(std::uint64_t most) {
    MUSTER_CHECK(visible_ == 0);
    std::uint64_t work = 0;
    while (work < most && !parts_.empty()) {
        const Part& part = parts_.back();
        work += kGroupWork + part.members.runs() * kWireRun;
        part.members.for_each_run([&](const Run& run) {
            digest_ -= digest_of(part.group, run);
            member_count_ -= run.count;
            owners_.release(run.tag, run.count);
        });
        runs_ -= part.members.runs();
        parts_.back().members = {};
        drop_part_if_empty(part.group);
    }
    count_in_total();
    return work;
}

std::uint64_t Replica::digest_of(GroupRef group, const Run& run) const {
    const GroupKey key = index_.key(group);
    const std::uint64_t owner = owners_.hash(run.tag);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < run.count; ++i) sum += digest_of_member(key, run.first.plus(i), owner);
    return sum;
}

void Replica::count_joined(GroupRef group, const Run& run) {
    digest_ += digest_of(group, run);
    member_count_ += run.count;
    owners_.use(run.tag, run.count);
}

// ---- deltas ------------------------------------------------------------------------

void Replica::apply(const proto::Delta& delta, GroupUpdates& updates) {
    applied_ = applied_.next();
    log_.begin(applied_);
    for (const auto& change : delta.changes) {
        const GroupRef group = index_.acquire(change.group);  // the log takes over this use
        log_.add_change(group, change.reason);
        if (!change.joins.empty()) join(group, change, updates);
        if (!change.leaves.empty()) leave(group, change, updates);
    }
    trim_log();
    count_in_total();
}

Replica::Size Replica::added_by(const proto::Delta& delta) {
    Size size;
    for (const auto& change : delta.changes) {
        size.bytes += (change.joins.size() + change.leaves.size()) * kRunBytes;
        if (!change.joins.empty()) size.bytes += GroupIndex::cost(change.group);
        for (const auto& run : change.joins) {
            size.members += run.count;
            size.bytes += OwnerTable::cost(run.worker, run.meta, OwnerTable::bytes_of(run.meta));
        }
    }
    return size;
}

bool Replica::has_new_numbers(const proto::Delta& delta) const {
    MemberNumber newest = newest_;
    return std::all_of(delta.changes.begin(), delta.changes.end(),
                       [&](const auto& change) { return ascend_from(newest, change.joins); });
}

void Replica::trim_log() {
    const Share share{bounds_.log_bytes, bounds_.all_log_bytes};
    const std::size_t others = total_.log_bytes - counted_log_bytes_;
    log_.trim([&](std::size_t bytes) { return share.allows(bytes, others, total_.tables); });
}

void Replica::count_in_total() {
    total_.members += member_count_ - counted_.members;
    total_.bytes += bytes() - counted_.bytes;
    total_.log_bytes += log_.bytes() - counted_log_bytes_;
    counted_ = size();
    counted_log_bytes_ = log_.bytes();
}

void Replica::join(GroupRef group, const proto::GroupDelta& change, GroupUpdates& updates) {
    const std::uint32_t at = make_part(group);
    Part& part = parts_[at];
    changed_runs_.clear();
    runs_ -= part.members.runs();
    for (const auto& run : change.joins) {
        newest_ = std::max(newest_, run.first.plus(run.count - 1));
        const Run joined{run.first, static_cast<std::uint32_t>(run.count), owners_.acquire(run.worker, run.meta, 1)};
        log_.add_join(joined);
        part.members.add(joined, [&](const Run& piece) {
            count_joined(group, piece);
            if (at >= visible_) return;
            visible_members_ += piece.count;
            changed_runs_.push_back(piece);
        });
    }
    runs_ += part.members.runs();
    if (part.members.empty()) drop_part_if_empty(group);
    if (changed_runs_.empty()) return;
    collect(group, Kind::join, change.reason == Reason::moved ? Reason::moved : Reason::left, changed_runs_, updates);
}

void Replica::leave(GroupRef group, const proto::GroupDelta& change, GroupUpdates& updates) {
    for (const auto& run : change.leaves) log_.add_leave(run);
    const std::uint32_t at = find_part(group);
    if (at == FlatIndex::kNone) return;
    changed_runs_.clear();
    runs_ -= parts_[at].members.runs();
    for (const auto& run : change.leaves) {
        parts_[at].members.remove(run.first, run.first.plus(run.count - 1), [&](const Run& piece) {
            digest_ -= digest_of(group, piece);
            member_count_ -= piece.count;
            if (at < visible_) visible_members_ -= piece.count;
            changed_runs_.push_back(piece);
        });
    }
    runs_ += parts_[at].members.runs();
    if (at < visible_ && !changed_runs_.empty()) collect(group, Kind::leave, change.reason, changed_runs_, updates);
    // Not before: the update takes the owners of those that left.
    for (const Run& piece : changed_runs_) owners_.release(piece.tag, piece.count);
    drop_part_if_empty(group);
}

// ---- snapshots ---------------------------------------------------------------------

void Replica::begin_at(Seq as_of) {
    MUSTER_CHECK(applied_ == Seq{} && parts_.empty());
    applied_ = as_of;
}

bool Replica::add(const proto::GroupRuns& from) {
    if (from.joins.empty()) return true;
    const GroupRef group = index_.acquire(from.group);
    Part& part = parts_[make_part(group)];
    MemberNumber newest = part.members.empty() ? MemberNumber{} : part.members.newest();
    if (!ascend_from(newest, from.joins)) {
        drop_part_if_empty(group);
        index_.release(group);
        return false;
    }
    newest_added_ = std::max(newest_added_, newest);
    runs_ -= part.members.runs();
    for (const auto& run : from.joins) {
        const Run joined{run.first, static_cast<std::uint32_t>(run.count), owners_.acquire(run.worker, run.meta, 1)};
        part.members.add(joined, [&](const Run& piece) { count_joined(group, piece); });
        owners_.release(joined.tag);  // now the members hold the uses
    }
    runs_ += part.members.runs();
    index_.release(group);
    count_in_total();
    return true;
}

// ---- updates -----------------------------------------------------------------------

void Replica::append_members(const Run& run, std::vector<Member>& members) const {
    for (std::uint32_t i = 0; i < run.count; ++i)
        members.push_back({{id_, run.first.plus(i)}, owners_.worker(run.tag), owners_.meta(run.tag)});
}

void Replica::collect(GroupRef group, Kind kind, Reason reason, const std::vector<Run>& runs,
                      GroupUpdates& updates) const {
    std::uint64_t members = 0;
    for (const Run& run : runs) members += run.count;
    updates.changed(index_.name(group), kind, id_.name, reason, members);
    if (kind == Kind::leave && reason != Reason::left &&
        std::any_of(runs.begin(), runs.end(), [this](const Run& run) { return is_of_worker(run); }))
        updates.lost(index_.name(group));
    if (index_.is_watched(group)) collect_members(group, kind, reason, runs, updates);
}

void Replica::collect_members(GroupRef group, Kind kind, Reason reason, const std::vector<Run>& runs,
                              GroupUpdates& updates) const {
    WatchUpdate update{kind, reason, {}};
    GroupRuns& members = update.groups.emplace_back(index_.name(group));
    for (const Run& run : runs) members.add(id_, run, owners_);
    updates.add({group, std::make_shared<const WatchUpdate>(std::move(update))});
}

void Replica::collect(const Part& part, Kind kind, Reason reason, GroupUpdates& updates) const {
    updates.changed(index_.name(part.group), kind, id_.name, reason, part.members.size());
    if (kind == Kind::leave && reason != Reason::left) {
        bool lost = false;
        part.members.for_each_run_from({}, [&](const Run& run) { return !(lost = is_of_worker(run)); });
        if (lost) updates.lost(index_.name(part.group));
    }
    if (!index_.is_watched(part.group)) return;
    std::vector<Run> runs;
    part.members.for_each_run([&](const Run& run) { runs.push_back(run); });
    collect_members(part.group, kind, reason, runs, updates);
}

// ---- the rest ----------------------------------------------------------------------

void Replica::adopt(Incarnation incarnation, GroupUpdates& updates) {
    for (std::size_t i = 0; i < visible_; ++i) collect(parts_[i], Kind::leave, Reason::node_left, updates);
    id_.incarnation = incarnation;
    for (std::size_t i = 0; i < visible_; ++i) collect(parts_[i], Kind::join, Reason::left, updates);
}

void Replica::check() const {
    std::uint64_t digest = 0;
    std::uint64_t count = 0;
    std::size_t runs = 0;
    std::size_t group_bytes = 0;
    std::uint64_t visible_members = 0;
    for (const Part& part : parts_) {
        if (static_cast<std::size_t>(&part - parts_.data()) < visible_) visible_members += part.members.size();
        runs += part.members.runs();
        group_bytes += index_.cost(part.group);
        MUSTER_CHECK(!part.members.empty() && find(part.group) == &part.members);
        part.members.check();
        part.members.for_each_run([&](const Run& run) { digest += digest_of(part.group, run); });
        count += part.members.size();
        const auto& holders = index_.holders(part.group);
        MUSTER_CHECK(std::find(holders.begin(), holders.end(), this) != holders.end());
    }
    MUSTER_CHECK(part_by_group_.size() == parts_.size());
    MUSTER_CHECK(digest == digest_);
    MUSTER_CHECK(count == member_count_ && visible_members == visible_members_ && visible_ <= parts_.size());
    MUSTER_CHECK(runs == runs_ && group_bytes == group_bytes_);
    MUSTER_CHECK(counted_.members == member_count_ && counted_.bytes == bytes());
    MUSTER_CHECK(log_.size() == 0 || log_.last() == applied_);
    if (replaced_) replaced_->check();
}

}  // namespace muster::cluster
