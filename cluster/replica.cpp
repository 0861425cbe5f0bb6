#include "cluster/replica.hpp"

#include <algorithm>
#include <utility>

#include "cluster/check.hpp"
#include "cluster/random.hpp"

namespace muster::cluster {
namespace {

/// A member's share of the digest; shares are added, so their order is free.
std::uint64_t weight_of_member(GroupKey group, MemberNumber number, std::uint64_t owner_hash) {
    return mix64(mix64(group.value ^ mix64(number.value)) + owner_hash);
}

}  // namespace

Replica::Replica(NodeId origin, GroupIndex& groups, const Bounds& bounds)
    : id_(std::move(origin)), index_(groups), log_(bounds.log_deltas, bounds.log_items) {}

Replica::~Replica() {
    for (const auto& [group, members] : groups_) index_.release(group);
}

std::uint64_t Replica::weight(GroupRef group, const Entry& entry) const {
    // The published key, not the index's: the digest is compared between nodes.
    return weight_of_member(group_key(index_.name(group)), entry.number, owners_.hash(entry.owner));
}

Member Replica::member(const Entry& entry) const {
    return {{id_, entry.number}, owners_.worker(entry.owner), owners_.meta(entry.owner)};
}

void Replica::apply(proto::Delta delta, std::vector<Merge>& merges) {
    for (const auto& change : delta.changes) {
        if (!change.joins.empty()) {
            Merge merge{change.group, WatchEvent::Kind::join, Reason::left, {}};
            join(change, merge);
            if (!merge.members.empty()) merges.push_back(std::move(merge));
        }
        if (!change.leaves.empty()) {
            Merge merge{change.group, WatchEvent::Kind::leave, change.reason, {}};
            leave(change, merge);
            if (!merge.members.empty()) merges.push_back(std::move(merge));
        }
    }
    applied_ = applied_.next();
    log_.append(applied_, std::move(delta));
}

void Replica::join(const proto::Change& change, Merge& merge) {
    GroupRef group = index_.find(change.group);
    if (group == kNoGroup || !groups_.contains(group)) group = index_.acquire(change.group);
    MemberList& list = groups_[group];
    for (const auto& run : change.joins) {
        const OwnerRef owner = owners_.acquire(run.worker, run.meta, run.count);
        std::uint64_t known = 0;
        for (std::uint64_t i = 0; i < run.count; ++i) {
            const Entry entry{run.first.plus(i), owner};
            if (!list.add(entry)) {
                ++known;
                continue;
            }
            digest_ += weight(group, entry);
            ++member_count_;
            merge.members.push_back(member(entry));
        }
        if (known > 0) owners_.release(owner, known);
    }
    drop_if_empty(group);
}

void Replica::leave(const proto::Change& change, Merge& merge) {
    const GroupRef group = index_.find(change.group);
    const auto it = groups_.find(group);
    if (group == kNoGroup || it == groups_.end()) return;
    for (const auto& run : change.leaves) {
        for (std::uint64_t i = 0; i < run.count; ++i) {
            Entry entry{run.first.plus(i), 0};
            if (!it->second.remove(entry.number, entry.owner)) continue;
            digest_ -= weight(group, entry);
            --member_count_;
            merge.members.push_back(member(entry));
            owners_.release(entry.owner);
        }
    }
    drop_if_empty(group);
}

void Replica::drop_if_empty(GroupRef group) {
    const auto it = groups_.find(group);
    if (!it->second.empty()) return;
    groups_.erase(it);
    index_.release(group);
}

proto::Delta Replica::missing_from(const std::vector<proto::GroupRuns>& table) const {
    std::map<Group, std::vector<MemberNumber>> wanted;
    for (const auto& part : table)
        for (const auto& run : part.joins)
            for (std::uint64_t i = 0; i < run.count; ++i) wanted[part.group].push_back(run.first.plus(i));

    proto::Delta leaves;
    for (const auto& [group, list] : groups_) {
        auto& numbers = wanted[index_.name(group)];
        std::sort(numbers.begin(), numbers.end());
        std::vector<MemberNumber> gone;
        for (const Entry& entry : list.entries())
            if (!std::binary_search(numbers.begin(), numbers.end(), entry.number)) gone.push_back(entry.number);
        if (!gone.empty()) leaves.changes.push_back({index_.name(group), Reason::left, {}, runs_of(gone)});
    }
    return leaves;
}

void Replica::become(const std::vector<proto::GroupRuns>& table, Seq as_of, std::uint64_t digest,
                     std::vector<Merge>& merges) {
    proto::Delta joins;
    for (const auto& part : table) joins.changes.push_back({part.group, Reason::left, part.joins, {}});

    apply(missing_from(table), merges);
    apply(joins, merges);
    if (digest_ != digest) {  // a number stands with another owner: only a table that began wrong gets here
        apply(missing_from({}), merges);
        apply(std::move(joins), merges);
    }
    // None of these deltas is one of the origin's: the log begins anew at the snapshot.
    applied_ = as_of;
    log_.clear();
}

void Replica::tell_all(WatchEvent::Kind kind, Reason reason, std::vector<Merge>& merges) const {
    for (const auto& [group, list] : groups_) {
        Merge merge{index_.name(group), kind, reason, {}};
        for (const Entry& entry : list.entries()) merge.members.push_back(member(entry));
        merges.push_back(std::move(merge));
    }
}

std::vector<proto::GroupRuns> Replica::table() const {
    std::vector<proto::GroupRuns> table;
    table.reserve(groups_.size());
    for (const auto& [group, list] : groups_) table.push_back({index_.name(group), runs_of(list.entries(), owners_)});
    std::sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.group < b.group; });
    return table;
}

void Replica::adopt(Incarnation incarnation) {
    MUSTER_CHECK(applied_ == Seq{} && groups_.empty());
    id_.incarnation = incarnation;
}

void Replica::check() const {
    std::uint64_t digest = 0;
    std::uint64_t count = 0;
    for (const auto& [group, list] : groups_) {
        MUSTER_CHECK(!list.empty());
        for (const Entry& entry : list.entries()) digest += weight(group, entry);
        count += list.size();
    }
    MUSTER_CHECK(digest == digest_);
    MUSTER_CHECK(count == member_count_);
    MUSTER_CHECK(log_.size() == 0 || log_.last() == applied_);
}

std::uint64_t Replica::digest_of(const std::vector<proto::GroupRuns>& table) {
    GroupIndex index([](const Group& group) { return group_key(group); });
    Replica scratch({}, index, Bounds{});
    std::vector<Merge> ignored;
    proto::Delta joins;
    for (const auto& part : table) joins.changes.push_back({part.group, Reason::left, part.joins, {}});
    scratch.apply(std::move(joins), ignored);
    return scratch.digest_;
}

}  // namespace muster::cluster
