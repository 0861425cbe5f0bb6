#include "node/client/roster.hpp"

#include <utility>

#include "node/client/number_runs.hpp"

namespace muster::client {

std::vector<MemberId> Roster::add(Join join, const std::vector<proto::NumberRun>& runs) {
    std::vector<MemberId> ids;
    const auto numbers = expand(runs);
    if (numbers.empty()) return ids;
    const JoinId id = ++last_join_;
    Join& kept = joins_.emplace(id, std::move(join)).first->second;
    auto& group = groups_[kept.group];
    for (const auto number : numbers) {
        const Position position = ++last_position_;
        ids.push_back({node_, number});
        members_.emplace(position, Owned{ids.back(), number, id, false});
        kept.members.insert(position);
        group.insert(position);
        given_[ids.back()] = position;
        set_number(number, position, kept.handler);
    }
    return ids;
}

void Roster::set_number(MemberNumber number, Position position, const Handler& handler) {
    current_[number] = {position, &handler};
    drop_cache();
}

void Roster::drop_cache() {
    found_for_.clear();
    found_ = {};
}

const Roster::Addressees& Roster::find(const std::vector<MemberNumber>& numbers) {
    if (!found_for_.empty() && numbers == found_for_) return found_;
    found_for_ = numbers;
    auto targets = std::make_shared<Targets>();
    found_.all_known = true;
    for (const auto number : numbers) {
        const auto found = current_.find(number);
        const Handler* handler = found == current_.end() ? nullptr : found->second.handler;
        found_.all_known = found_.all_known && handler != nullptr;
        if (handler != nullptr && *handler && **handler) targets->push_back({number, *handler});
    }
    found_.targets = std::move(targets);
    return found_;
}

void Roster::pick_one(Position position, std::vector<Position>& picked) {
    Owned& member = members_.at(position);
    if (member.leaving) return;
    member.leaving = true;
    picked.push_back(position);
}

std::vector<Roster::Position> Roster::pick(const Group& group, std::uint64_t count) {
    std::vector<Position> picked;
    const auto found = groups_.find(group);
    if (found == groups_.end()) return picked;
    for (auto at = found->second.rbegin(); at != found->second.rend() && picked.size() < count; ++at)
        pick_one(*at, picked);
    return picked;
}

std::vector<Roster::Position> Roster::pick(const Group& group, const std::vector<MemberId>& ids) {
    std::vector<Position> picked;
    for (const auto& id : ids) {
        Position position = 0;
        if (const auto given = given_.find(id); given != given_.end()) {
            position = given->second;
        } else if (const auto now = current_.find(id.number); now != current_.end() && id.node == node_) {
            position = now->second.position;
        }
        if (position != 0 && joins_.at(members_.at(position).join).group == group) pick_one(position, picked);
    }
    return picked;
}

void Roster::put_back(const std::vector<Position>& positions) {
    for (const auto position : positions)
        if (const auto found = members_.find(position); found != members_.end()) found->second.leaving = false;
}

std::vector<MemberNumber> Roster::numbers(const std::vector<Position>& positions) const {
    std::vector<MemberNumber> numbers;
    for (const auto position : positions)
        if (const auto found = members_.find(position); found != members_.end() && found->second.now)
            numbers.push_back(found->second.now);
    return numbers;
}

std::vector<MemberId> Roster::remove(const std::vector<Position>& positions) {
    std::vector<MemberId> ids;
    for (const auto position : positions) {
        const auto found = members_.find(position);
        if (found == members_.end()) continue;
        const auto join = joins_.find(found->second.join);
        const auto group = groups_.find(join->second.group);
        group->second.erase(position);
        if (group->second.empty()) groups_.erase(group);
        current_.erase(found->second.now);
        drop_cache();
        given_.erase(found->second.given);
        join->second.members.erase(position);
        if (join->second.members.empty()) joins_.erase(join);
        ids.push_back(std::move(found->second.given));
        members_.erase(found);
    }
    return ids;
}

void Roster::session_ended() {
    current_.clear();
    drop_cache();
    for (auto& [position, member] : members_) member.now = {};
}

std::vector<Roster::Absent> Roster::absent() const {
    std::vector<Absent> list;
    for (const auto& [id, join] : joins_) {
        std::uint64_t count = 0;
        for (const auto position : join.members) count += members_.at(position).now ? 0 : 1;
        if (count > 0) list.push_back({id, join.group, join.meta, count});
    }
    return list;
}

void Roster::rejoined(JoinId join, const std::vector<proto::NumberRun>& runs) {
    const auto found = joins_.find(join);
    if (found == joins_.end()) return;
    const auto numbers = expand(runs);
    auto number = numbers.begin();
    for (const auto position : found->second.members) {
        Owned& member = members_.at(position);
        if (member.now || number == numbers.end()) continue;
        member.now = *number++;
        set_number(member.now, position, found->second.handler);
    }
}

}  // namespace muster::client
