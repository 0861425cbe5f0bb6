#include "cluster/local_members.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/check.hpp"
#include "cluster/wire_size.hpp"
#include "proto/limits.hpp"
#include "proto/utf8.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kRunsPerChange = 16384;  // one delta must fit one frame

std::string why_invalid(const Group& group, std::uint64_t count, const Meta& meta) {
    if (const auto why = why_invalid_part(group.store); !why.empty()) return "the store's name " + std::string(why);
    if (const auto why = why_invalid_part(group.feature); !why.empty()) return "the feature's name " + std::string(why);
    if (count == 0 || count > limits::kMembersPerCall)
        return "count must be 1 to " + std::to_string(limits::kMembersPerCall);
    if (meta.size() > limits::kMetaEntries) return "metadata has more than 16 entries";
    for (const auto& [key, value] : meta)
        if (key.size() > limits::kMetaBytes || value.size() > limits::kMetaBytes || !is_utf8(key) || !is_utf8(value))
            return "metadata must be UTF-8 of at most 255 bytes each";
    return {};
}

}  // namespace

Result<proto::NumberRun> LocalMembers::join(const Owner& owner, const std::string& worker, const Group& group,
                                            std::uint64_t count, const Meta& meta) {
    if (const auto why = why_invalid(group, count, meta); !why.empty()) return Error{ErrorCode::bad_request, why};
    Owned& owned = by_owner_[owner];
    if (owned.members + count > ctx_.options.bounds.members_per_owner) {
        if (owned.members == 0) by_owner_.erase(owner);
        return Error{ErrorCode::overloaded, "one owner may have " +
                                                std::to_string(ctx_.options.bounds.members_per_owner) +
                                                " members: leave some first"};
    }
    const proto::NumberRun run{last_.next(), count};
    last_ = last_.plus(count);
    Numbers& numbers = by_group_[group][owner];
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(run.first.plus(i));
    owned.groups.insert(group);
    owned.members += count;
    replicator_.commit({{{group, Reason::left, {{run.first, count, worker, meta}}, {}}}});
    return run;
}

LocalMembers::Numbers LocalMembers::choose(const Numbers& joined, const std::vector<MemberNumber>& members,
                                           std::uint64_t count) {
    if (members.empty()) {
        const auto n = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(count, joined.size()));
        return {joined.end() - n, joined.end()};
    }
    Numbers wanted = members;
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    Numbers chosen;
    std::set_intersection(joined.begin(), joined.end(), wanted.begin(), wanted.end(), std::back_inserter(chosen));
    return chosen;
}

LocalMembers::Numbers LocalMembers::joined(const Owner& owner, const std::map<Owner, Numbers>& in_group) {
    if (owner != Owner(kAnyHandler)) {
        const auto it = in_group.find(owner);
        return it == in_group.end() ? Numbers{} : it->second;
    }
    Numbers all;
    for (const auto& [each, numbers] : in_group)
        if (std::holds_alternative<HandlerId>(each)) all.insert(all.end(), numbers.begin(), numbers.end());
    std::sort(all.begin(), all.end());
    return all;
}

Result<std::vector<MemberNumber>> LocalMembers::leave(const Owner& owner, const Group& group,
                                                      const std::vector<MemberNumber>& members, std::uint64_t count) {
    if (const auto why = why_invalid(group, members.empty() ? count : 1, {}); !why.empty())
        return Error{ErrorCode::bad_request, why};
    const auto in_group = by_group_.find(group);
    Numbers leaving;
    if (in_group != by_group_.end()) leaving = choose(joined(owner, in_group->second), members, count);
    if (leaving.empty())
        return Error{ErrorCode::not_joined,
                     "not joined in " + group.store + "/" + group.feature + ": nothing to leave"};

    std::vector<Owner> owners;
    for (const auto& [each, numbers] : in_group->second)
        if (owner == each || owner == Owner(kAnyHandler)) owners.push_back(each);
    for (const auto& each : owners) remove(each, group, leaving);
    replicator_.commit({{{group, Reason::left, {}, runs_of(leaving)}}});
    return leaving;
}

void LocalMembers::remove(const Owner& owner, const Group& group, const Numbers& leaving) {
    Numbers& numbers = by_group_[group][owner];
    Numbers staying;
    std::set_difference(numbers.begin(), numbers.end(), leaving.begin(), leaving.end(), std::back_inserter(staying));
    by_owner_[owner].members -= numbers.size() - staying.size();
    numbers = std::move(staying);
    drop_if_empty(owner, group);
}

void LocalMembers::drop_if_empty(const Owner& owner, const Group& group) {
    const auto in_group = by_group_.find(group);
    const auto it = in_group->second.find(owner);
    if (!it->second.empty()) return;
    in_group->second.erase(it);
    if (in_group->second.empty()) by_group_.erase(in_group);
    Owned& owned = by_owner_[owner];
    owned.groups.erase(group);
    if (owned.members == 0) by_owner_.erase(owner);
}

void LocalMembers::owner_gone(const Owner& owner, Reason reason) {
    const auto it = by_owner_.find(owner);
    if (it == by_owner_.end()) return;
    const Owned owned = std::move(it->second);
    by_owner_.erase(it);

    proto::Delta delta;
    std::size_t size = 0;
    for (const auto& group : owned.groups) {
        const auto in_group = by_group_.find(group);
        const auto runs = runs_of(in_group->second.at(owner));
        in_group->second.erase(owner);
        if (in_group->second.empty()) by_group_.erase(in_group);
        for (std::size_t at = 0; at < runs.size(); at += kRunsPerChange) {
            const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(at);
            const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kRunsPerChange, runs.size() - at));
            delta.changes.push_back({group, reason, {}, {begin, end}});
            size += wire_size(delta.changes.back());
            if (size > limits::kChunkBytes) {
                replicator_.commit(std::exchange(delta, {}));
                size = 0;
            }
        }
    }
    if (!delta.changes.empty()) replicator_.commit(std::move(delta));
}

void LocalMembers::for_each_owner(const Group& group,
                                  const std::function<void(const Owner&, const Numbers&)>& visit) const {
    const auto it = by_group_.find(group);
    if (it == by_group_.end()) return;
    for (const auto& [owner, numbers] : it->second) visit(owner, numbers);
}

void LocalMembers::check() const {
    std::uint64_t owned = 0;
    std::uint64_t grouped = 0;
    for (const auto& [owner, entry] : by_owner_) owned += entry.members;
    for (const auto& [group, owners] : by_group_) {
        for (const auto& [owner, numbers] : owners) {
            MUSTER_CHECK(!numbers.empty() && std::is_sorted(numbers.begin(), numbers.end()));
            MUSTER_CHECK(by_owner_.at(owner).groups.contains(group));
            grouped += numbers.size();
        }
    }
    MUSTER_CHECK(owned == grouped && grouped == replicator_.own().member_count());
}

}  // namespace muster::cluster
