#include "tests/sim/continuity.hpp"

namespace muster::sim {

void Continuity::rejoins(const std::string& worker, std::uint64_t token, const Group& group,
                         std::vector<MemberKey> before) {
    auto& asked = asked_[{worker, token, group}];
    asked.insert(asked.end(), before.begin(), before.end());
}

void Continuity::rejoined(const std::string& worker, std::uint64_t token, const Group& group, MemberKey member,
                          Duration now) {
    const auto asked = asked_.find({worker, token, group});
    if (asked == asked_.end() || asked->second.empty()) return;
    const MemberKey before = asked->second.front();
    asked->second.pop_front();
    joined_at_[member] = now;
    if (before.second == 0) return;
    root_[member] = root_of(before);
    next_[before] = {member, now};
}

MemberKey Continuity::root_of(MemberKey member) const {
    const auto found = root_.find(member);
    return found == root_.end() ? member : found->second;
}

MemberKey Continuity::latest_of(MemberKey member) const {
    for (auto next = next_.find(member); next != next_.end(); next = next_.find(member)) member = next->second.first;
    return member;
}

std::optional<Duration> Continuity::moved_at(MemberKey member) const {
    const auto found = next_.find(member);
    return found == next_.end() ? std::nullopt : std::optional(found->second.second);
}

void Continuity::lost(std::uint64_t origin, MemberKey member, const Group& group, Duration now) {
    lost_[origin][group][member] = now;
}

void Continuity::shown(std::uint64_t origin, MemberKey member, Duration now) {
    first_shown_[origin].emplace(member, now);
    const auto of = lost_.find(origin);
    if (of == lost_.end()) return;
    for (auto& [group, members] : of->second)
        if (members.erase(member) > 0) shown_[origin][member] = now;
}

std::vector<MemberKey> Continuity::away(std::uint64_t origin, const Group& group, Duration now) const {
    std::vector<MemberKey> members;
    const auto of = lost_.find(origin);
    const auto in =
        of == lost_.end() ? std::map<Group, std::map<MemberKey, Duration>>::const_iterator{} : of->second.find(group);
    if (of == lost_.end() || in == of->second.end()) return members;
    for (const auto& [member, since] : in->second)
        if (now - since < window_) members.push_back(member);
    return members;
}

bool Continuity::is_followed(std::uint64_t origin, MemberKey member, Duration at) const {
    const auto next = next_.find(member);
    const auto of = first_shown_.find(origin);
    if (next == next_.end() || of == first_shown_.end()) return false;
    const auto seen = of->second.find(next->second.first);
    return seen != of->second.end() && seen->second <= at;
}

bool Continuity::is_fresh(MemberKey member, Duration sent_at) const {
    const auto found = joined_at_.find(member);
    return found != joined_at_.end() && sent_at <= found->second + kReplayTakes;
}

bool Continuity::returned_since(std::uint64_t origin, MemberKey member, Duration since) const {
    const auto of = shown_.find(origin);
    if (of == shown_.end()) return false;
    const auto found = of->second.find(member);
    return found != of->second.end() && found->second >= since;
}

}  // namespace muster::sim
