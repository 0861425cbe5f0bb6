#include "node/handlers/own_members.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace muster::node {
namespace {

constexpr std::size_t kFewJoins = 16;  // up to this many are not compacted, and a spare keeps their memory

}  // namespace

void OwnMembers::add(const Group& group, cluster::HandlerId handler, const proto::NumberRun& run) {
    auto found = groups_.find(group);
    if (found == groups_.end()) {
        if (spare_) {
            spare_.key() = group;
            found = groups_.insert(std::move(spare_)).position;
        } else {
            found = groups_.try_emplace(group).first;
        }
    }
    auto& all = found->second.all;
    // A join that waited to be visible is added after joins that were made later.
    auto position = all.end();
    while (position != all.begin() && std::prev(position)->first > run.first) --position;
    all.insert(position, {run.first, run.count, run.count, handler, {}});
}

OwnMembers::Taken OwnMembers::take(const Group& group, const Wanted& wanted) {
    Taken taken;
    const auto found = groups_.find(group);
    if (found == groups_.end()) return taken;
    if (const auto* count = std::get_if<std::uint64_t>(&wanted))
        take_latest(found->second, *count, taken);
    else
        take_these(found->second, std::get<std::vector<MemberNumber>>(wanted), taken);
    tidy(found);
    return taken;
}

bool OwnMembers::Join::take(std::uint64_t index) {
    const auto at = static_cast<std::size_t>(index);  // a join has at most limits::kMembersPerCall
    if (index >= count || (!gone.empty() && gone[at])) return false;
    --held;
    if (at + 1 == count) {
        --count;  // leaving in the reverse order of joining needs no marks
        if (!gone.empty()) gone.pop_back();
        while (count != 0 && !gone.empty() && gone.back()) {
            --count;
            gone.pop_back();
        }
    } else {
        if (gone.empty()) gone.resize(static_cast<std::size_t>(count));
        gone[at] = true;
    }
    return true;
}

void OwnMembers::take_one(Joins& joins, Join& join, std::uint64_t at, Taken& taken) {
    const MemberNumber number = join.first.plus(at);
    if (!join.take(at)) return;
    if (taken.members.empty())
        taken.owner = join.handler;
    else if (taken.owner != join.handler)  // the core then looks up the owner of each member
        taken.owner = cluster::kAnyHandler;
    taken.members.push_back(number);
    if (join.held != 0) return;
    ++joins.ended;
    if (!is_idle(join.handler)) taken.ended.push_back(join.handler);
}

void OwnMembers::take_latest(Joins& joins, std::uint64_t count, Taken& taken) {
    for (auto join = joins.all.rbegin(); join != joins.all.rend() && taken.members.size() < count; ++join)
        while (join->held != 0 && taken.members.size() < count) take_one(joins, *join, join->count - 1, taken);
    std::reverse(taken.members.begin(), taken.members.end());
}

void OwnMembers::take_these(Joins& joins, const std::vector<MemberNumber>& members, Taken& taken) {
    for (const MemberNumber number : members) {
        auto after = std::upper_bound(joins.all.begin(), joins.all.end(), number,
                                      [](MemberNumber n, const Join& join) { return n < join.first; });
        if (after != joins.all.begin()) {
            Join& join = *std::prev(after);
            take_one(joins, join, number.value - join.first.value, taken);
        }
    }
    std::sort(taken.members.begin(), taken.members.end());
}

void OwnMembers::tidy(Groups::iterator group) {
    Joins& joins = group->second;
    // Removing from the end is cheap, and is all that leaving in reverse order needs.
    while (!joins.all.empty() && joins.all.back().held == 0) {
        joins.all.pop_back();
        --joins.ended;
    }
    if (joins.all.empty()) {
        spare_ = groups_.extract(group);
        if (spare_.mapped().all.capacity() > kFewJoins) spare_.mapped() = {};
    } else if (joins.all.size() > kFewJoins && joins.ended * 2 > joins.all.size()) {
        std::erase_if(joins.all, [](const Join& join) { return join.held == 0; });
        joins.all.shrink_to_fit();
        joins.ended = 0;
    }
}

}  // namespace muster::node
