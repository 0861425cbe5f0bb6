#include "cluster/tables/replica.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/check.hpp"

namespace muster::cluster {
namespace {

using Kind = WatchEvent::Kind;

bool by_origin(const Replica* a, const Replica* b) {
    return a->id().name < b->id().name;
}

/// A member's share of the digest; shares are added, so their order is free.
std::uint64_t weight_of_member(GroupKey group, MemberNumber number, std::uint64_t owner_hash) {
    return mix64(mix64(group.value ^ mix64(number.value)) + owner_hash);
}

/// What stands in `here` and not, with the same owner, in `there`.
std::vector<Run> missing_from(const MemberList* there, const OwnerTable& owners_there, const MemberList& here,
                              const OwnerTable& owners_here) {
    std::vector<Run> missing;
    here.for_each_run([&](const Run& run) {
        for (std::uint32_t i = 0; i < run.count;) {
            const Run from{run.first.plus(i), run.count - i, run.tag};
            const Run other = there ? there->find(from.first) : Run{};
            const bool same = other.count > 0 && owners_there.hash(other.tag) == owners_here.hash(run.tag);
            // As many at once as stand in one run there; those that do not stand there are few.
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
      owners_(setup.salt),
      log_(index_, owners_, setup.bounds.log_deltas, setup.bounds.log_items) {}

Replica::~Replica() {
    for (const Part& part : parts_) {
        index_.remove_holder(part.group, *this);
        index_.release(part.group);
    }
}

// ---- groups ------------------------------------------------------------------------

std::uint32_t Replica::place_of(GroupRef group) const {
    return place_by_group_.find(mix64(group), [&](std::uint32_t at) { return parts_[at].group == group; });
}

const MemberList* Replica::find(GroupRef group) const {
    const std::uint32_t at = place_of(group);
    return at == FlatIndex::kNone ? nullptr : &parts_[at].members;
}

Replica::Part& Replica::acquire(GroupRef group) {
    std::uint32_t at = place_of(group);
    if (at == FlatIndex::kNone) {
        at = static_cast<std::uint32_t>(parts_.size());
        parts_.push_back({group, {}});
        place_by_group_.insert(mix64(group), at);
        index_.use(group);
        index_.add_holder(group, *this, by_origin);
    }
    return parts_[at];
}

void Replica::drop_if_empty(GroupRef group) {
    const std::uint32_t at = place_of(group);
    if (at == FlatIndex::kNone || !parts_[at].members.empty()) return;
    place_by_group_.erase(mix64(group), at);
    if (const auto last = static_cast<std::uint32_t>(parts_.size() - 1); at != last) {
        place_by_group_.replace(mix64(parts_[last].group), last, at);
        parts_[at] = std::move(parts_[last]);
    }
    parts_.pop_back();
    index_.remove_holder(group, *this);
    index_.release(group);
}

std::uint64_t Replica::weight(GroupRef group, const Run& run) const {
    const GroupKey key = index_.key(group);
    const std::uint64_t owner = owners_.hash(run.tag);
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < run.count; ++i) sum += weight_of_member(key, run.first.plus(i), owner);
    return sum;
}

void Replica::account(GroupRef group, const Run& joined) {
    digest_ += weight(group, joined);
    member_count_ += joined.count;
    owners_.use(joined.tag, joined.count);
}

// ---- deltas ------------------------------------------------------------------------

void Replica::apply(const proto::Delta& delta, GroupUpdates* updates) {
    applied_ = applied_.next();
    log_.begin(applied_);
    for (const auto& change : delta.changes) {
        const GroupRef group = index_.acquire(change.group);
        log_.change(group, change.reason);
        if (!change.joins.empty()) join(group, change, updates);
        if (!change.leaves.empty()) leave(group, change, updates);
    }
    log_.trim();
}

void Replica::join(GroupRef group, const proto::GroupDelta& change, GroupUpdates* updates) {
    Part& part = acquire(group);
    touched_.clear();
    for (const auto& run : change.joins) {
        const Run joined{run.first, static_cast<std::uint32_t>(run.count), owners_.acquire(run.worker, run.meta, 1)};
        log_.joined(joined);
        part.members.add(joined, [&](const Run& piece) {
            account(group, piece);
            if (updates) touched_.push_back(piece);
        });
    }
    if (part.members.empty()) drop_if_empty(group);
    if (!touched_.empty()) tell(group, Kind::join, Reason::left, touched_, *updates);
}

void Replica::leave(GroupRef group, const proto::GroupDelta& change, GroupUpdates* updates) {
    for (const auto& run : change.leaves) log_.left(run);
    const std::uint32_t at = place_of(group);
    if (at == FlatIndex::kNone) return;
    touched_.clear();
    for (const auto& run : change.leaves) {
        parts_[at].members.remove(run.first, run.first.plus(run.count - 1), [&](const Run& piece) {
            digest_ -= weight(group, piece);
            member_count_ -= piece.count;
            touched_.push_back(piece);
        });
    }
    if (updates && !touched_.empty()) tell(group, Kind::leave, change.reason, touched_, *updates);
    for (const Run& piece : touched_) owners_.release(piece.tag, piece.count);
    drop_if_empty(group);
}

// ---- snapshots ---------------------------------------------------------------------

void Replica::begin_at(Seq as_of) {
    MUSTER_CHECK(applied_ == Seq{} && parts_.empty());
    applied_ = as_of;
}

void Replica::add(const proto::GroupRuns& from) {
    if (from.joins.empty()) return;
    const GroupRef group = index_.acquire(from.group);
    Part& part = acquire(group);
    for (const auto& run : from.joins) {
        const Run joined{run.first, static_cast<std::uint32_t>(run.count), owners_.acquire(run.worker, run.meta, 1)};
        part.members.add(joined, [&](const Run& piece) { account(group, piece); });
        owners_.release(joined.tag);
    }
    index_.release(group);
}

// ---- telling -----------------------------------------------------------------------

void Replica::append_members(const Run& run, std::vector<Member>& members) const {
    for (std::uint32_t i = 0; i < run.count; ++i)
        members.push_back({{id_, run.first.plus(i)}, owners_.worker(run.tag), owners_.meta(run.tag)});
}

void Replica::tell(GroupRef group, Kind kind, Reason reason, const std::vector<Run>& runs,
                   GroupUpdates& updates) const {
    std::uint64_t members = 0;
    for (const Run& run : runs) members += run.count;
    updates.changed(index_.name(group), kind, id_.name, reason, members);
    if (index_.is_watched(group)) tell_watchers(group, kind, reason, runs, updates);
}

void Replica::tell_watchers(GroupRef group, Kind kind, Reason reason, const std::vector<Run>& runs,
                            GroupUpdates& updates) const {
    const Group& name = index_.name(group);
    GroupUpdate update{group, name, kind, reason, {}};
    for (const Run& run : runs) append_members(run, update.members);
    updates.add(std::move(update));
}

void Replica::tell_all(Kind kind, Reason reason, GroupUpdates& updates) const {
    std::vector<Run> runs;
    for (const Part& part : parts_) {
        updates.changed(index_.name(part.group), kind, id_.name, reason, part.members.size());
        if (!index_.is_watched(part.group)) continue;
        runs.clear();
        part.members.for_each_run([&](const Run& run) { runs.push_back(run); });
        tell_watchers(part.group, kind, reason, runs, updates);
    }
}

void Replica::tell_difference(const Replica& next, GroupUpdates& updates) const {
    for (const Part& part : parts_) {
        const auto gone = missing_from(next.find(part.group), next.owners_, part.members, owners_);
        if (!gone.empty()) tell(part.group, Kind::leave, Reason::left, gone, updates);
    }
    for (const Part& part : next.parts_) {
        const auto fresh = missing_from(find(part.group), owners_, part.members, next.owners_);
        if (!fresh.empty()) next.tell(part.group, Kind::join, Reason::left, fresh, updates);
    }
}

// ---- the rest ----------------------------------------------------------------------

void Replica::adopt(Incarnation incarnation) {
    MUSTER_CHECK(applied_ == Seq{} && parts_.empty());
    id_.incarnation = incarnation;
}

void Replica::check() const {
    std::uint64_t digest = 0;
    std::uint64_t count = 0;
    for (const Part& part : parts_) {
        MUSTER_CHECK(!part.members.empty() && find(part.group) == &part.members);
        part.members.check();
        part.members.for_each_run([&](const Run& run) { digest += weight(part.group, run); });
        count += part.members.size();
        const auto& holders = index_.holders(part.group);
        MUSTER_CHECK(std::find(holders.begin(), holders.end(), this) != holders.end());
    }
    MUSTER_CHECK(place_by_group_.size() == parts_.size());
    MUSTER_CHECK(digest == digest_);
    MUSTER_CHECK(count == member_count_);
    MUSTER_CHECK(log_.size() == 0 || log_.last() == applied_);
}

}  // namespace muster::cluster
