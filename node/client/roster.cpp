#include "node/client/roster.hpp"

#include <utility>

#include "proto/limits.hpp"

namespace muster::client {
namespace {

/// The numbers of all runs, at most `most`.
std::vector<MemberNumber> expand(const std::vector<proto::NumberRun>& runs, std::uint64_t most) {
    std::vector<MemberNumber> numbers;
    for (const auto& run : runs)
        for (std::uint64_t i = 0; i < run.count && numbers.size() < most; ++i) numbers.push_back(run.first.plus(i));
    return numbers;
}

}  // namespace

std::vector<MemberId> Roster::add(Join join, const std::vector<proto::NumberRun>& runs) {
    std::vector<MemberId> ids;
    const auto numbers = expand(runs, limits::kMembersPerCall);
    if (numbers.empty()) return ids;
    const JoinId id = ++last_join_;
    Join& kept = joins_.emplace(id, std::move(join)).first->second;
    auto& group = groups_[kept.group];
    for (const auto number : numbers) {
        const Place place = ++last_place_;
        ids.push_back({node_, number});
        members_.emplace(place, Owned{ids.back(), number, id, false});
        kept.members.insert(place);
        group.insert(place);
        given_[ids.back()] = place;
        set_number(number, place, kept.handler);
    }
    return ids;
}

void Roster::set_number(MemberNumber number, Place place, const Handler& handler) {
    now_[number] = {place, &handler};
    forget_found();
}

void Roster::forget_found() {
    asked_.clear();
    found_ = {};
}

const Roster::Addressees& Roster::find(const std::vector<MemberNumber>& numbers) {
    if (!asked_.empty() && numbers == asked_) return found_;
    asked_ = numbers;
    auto targets = std::make_shared<Targets>();
    found_.all_known = true;
    for (const auto number : numbers) {
        const auto found = now_.find(number);
        const Handler* handler = found == now_.end() ? nullptr : found->second.handler;
        found_.all_known = found_.all_known && handler != nullptr;
        if (handler != nullptr && *handler && **handler) targets->push_back({number, *handler});
    }
    found_.targets = std::move(targets);
    return found_;
}

void Roster::take(Place place, std::vector<Place>& picked) {
    Owned& member = members_.at(place);
    if (member.leaving) return;
    member.leaving = true;
    picked.push_back(place);
}

std::vector<Roster::Place> Roster::pick(const Group& group, std::uint64_t count) {
    std::vector<Place> picked;
    const auto found = groups_.find(group);
    if (found == groups_.end()) return picked;
    for (auto at = found->second.rbegin(); at != found->second.rend() && picked.size() < count; ++at) take(*at, picked);
    return picked;
}

std::vector<Roster::Place> Roster::pick(const Group& group, const std::vector<MemberId>& ids) {
    std::vector<Place> picked;
    for (const auto& id : ids) {
        Place place = 0;
        if (const auto given = given_.find(id); given != given_.end()) {
            place = given->second;
        } else if (const auto now = now_.find(id.number); now != now_.end() && id.node == node_) {
            place = now->second.place;
        }
        if (place != 0 && joins_.at(members_.at(place).join).group == group) take(place, picked);
    }
    return picked;
}

void Roster::put_back(const std::vector<Place>& places) {
    for (const auto place : places)
        if (const auto found = members_.find(place); found != members_.end()) found->second.leaving = false;
}

std::vector<MemberNumber> Roster::numbers(const std::vector<Place>& places) const {
    std::vector<MemberNumber> numbers;
    for (const auto place : places)
        if (const auto found = members_.find(place); found != members_.end() && found->second.now)
            numbers.push_back(found->second.now);
    return numbers;
}

std::vector<MemberId> Roster::remove(const std::vector<Place>& places) {
    std::vector<MemberId> ids;
    for (const auto place : places) {
        const auto found = members_.find(place);
        if (found == members_.end()) continue;
        const auto join = joins_.find(found->second.join);
        const auto group = groups_.find(join->second.group);
        group->second.erase(place);
        if (group->second.empty()) groups_.erase(group);
        now_.erase(found->second.now);
        forget_found();
        given_.erase(found->second.given);
        join->second.members.erase(place);
        if (join->second.members.empty()) joins_.erase(join);
        ids.push_back(std::move(found->second.given));
        members_.erase(found);
    }
    return ids;
}

void Roster::session_ended() {
    now_.clear();
    forget_found();
    for (auto& [place, member] : members_) member.now = {};
}

std::vector<Roster::Absent> Roster::absent() const {
    std::vector<Absent> list;
    for (const auto& [id, join] : joins_) {
        std::uint64_t count = 0;
        for (const auto place : join.members) count += members_.at(place).now ? 0 : 1;
        if (count > 0) list.push_back({id, join.group, join.meta, count});
    }
    return list;
}

void Roster::rejoined(JoinId join, const std::vector<proto::NumberRun>& runs) {
    const auto found = joins_.find(join);
    if (found == joins_.end()) return;
    const auto numbers = expand(runs, limits::kMembersPerCall);
    auto number = numbers.begin();
    for (const auto place : found->second.members) {
        Owned& member = members_.at(place);
        if (member.now || number == numbers.end()) continue;
        member.now = *number++;
        set_number(member.now, place, found->second.handler);
    }
}

}  // namespace muster::client
