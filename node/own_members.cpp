#include "node/own_members.hpp"

#include <algorithm>
#include <iterator>

namespace muster::node {

void OwnMembers::add(const Group& group, cluster::HandlerId handler, const std::vector<proto::NumberRun>& runs) {
    const std::lock_guard lock(mutex_);
    ByNumber& members = groups_[group];
    std::uint64_t added = 0;
    for (const auto& run : runs) {
        for (std::uint64_t i = 0; i < run.count; ++i) members.emplace_hint(members.end(), run.first.plus(i), handler);
        added += run.count;
    }
    held_[handler] += added;
}

std::vector<OwnMembers::Taken> OwnMembers::take_latest(const Group& group, std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find(group);
    if (found == groups_.end()) return {};
    ByHandler taken;
    for (; count != 0 && !found->second.empty(); --count) {
        const auto latest = std::prev(found->second.end());
        taken[latest->second].push_back(latest->first);
        found->second.erase(latest);
    }
    return finish(std::move(taken), found);
}

std::vector<OwnMembers::Taken> OwnMembers::take(const Group& group, const std::vector<MemberNumber>& members) {
    const std::lock_guard lock(mutex_);
    const auto found = groups_.find(group);
    if (found == groups_.end()) return {};
    ByHandler taken;
    for (const MemberNumber number : members) {
        const auto member = found->second.find(number);
        if (member == found->second.end()) continue;
        taken[member->second].push_back(number);
        found->second.erase(member);
    }
    return finish(std::move(taken), found);
}

std::vector<OwnMembers::Taken> OwnMembers::finish(ByHandler taken, std::map<Group, ByNumber>::iterator group) {
    if (group->second.empty()) groups_.erase(group);
    std::vector<Taken> result;
    for (auto& [handler, members] : taken) {
        std::sort(members.begin(), members.end());
        const auto held = held_.find(handler);
        held->second -= members.size();
        const bool last = held->second == 0;
        if (last) held_.erase(held);
        result.push_back({handler, std::move(members), last});
    }
    return result;
}

}  // namespace muster::node
