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
    OfGroup& group = group_of(kept.group);
    for (const auto number : numbers) {
        const Place place = ++last_place_;
        ids.push_back({node_, number});
        members_.emplace(place, Owned{ids.back(), number, id, false});
        kept.members.insert(place);
        group.members.insert(place);
        given_[ids.back()] = place;
        set_number(number, place, kept.handler, group);
    }
    return ids;
}

Roster::OfGroup& Roster::group_of(const Group& group) {
    OfGroup& found = groups_[group];
    if (found.number == 0) found.number = ++last_group_;
    return found;
}

void Roster::set_number(MemberNumber number, Place place, const Handler& handler, OfGroup& group) {
    current_[number] = {place, &handler, &group};
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
        if (handler == nullptr) continue;
        found_.group = found->second.group;
        if (*handler && **handler) targets->push_back({number, *handler});
    }
    found_.targets = std::move(targets);
    return found_;
}

proto::Copy Roster::accept(const Addressees& addressees, const proto::Notice& notice) {
    if (addressees.group == nullptr) return proto::Copy::fresh;
    addressees.group->positions.advance(notice.from_node, notice.group_seq);
    return lives_.accept(addressees.group->number, notice);
}

void Roster::pick_one(Place place, std::vector<Place>& picked) {
    Owned& member = members_.at(place);
    if (member.leaving) return;
    member.leaving = true;
    picked.push_back(place);
}

std::vector<Roster::Place> Roster::pick(const Group& group, std::uint64_t count) {
    std::vector<Place> picked;
    const auto found = groups_.find(group);
    if (found == groups_.end()) return picked;
    for (auto at = found->second.members.rbegin(); at != found->second.members.rend() && picked.size() < count; ++at)
        pick_one(*at, picked);
    return picked;
}

std::vector<Roster::Place> Roster::pick(const Group& group, const std::vector<MemberId>& ids) {
    std::vector<Place> picked;
    for (const auto& id : ids) {
        Place place = 0;
        if (const auto given = given_.find(id); given != given_.end()) {
            place = given->second;
        } else if (const auto now = current_.find(id.number); now != current_.end() && id.node == node_) {
            place = now->second.place;
        }
        if (place != 0 && joins_.at(members_.at(place).join).group == group) pick_one(place, picked);
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
        group->second.members.erase(place);
        if (group->second.members.empty()) {
            lives_.forget(group->second.number);
            groups_.erase(group);
        }
        current_.erase(found->second.now);
        drop_cache();
        given_.erase(found->second.given);
        join->second.members.erase(place);
        if (join->second.members.empty()) joins_.erase(join);
        ids.push_back(std::move(found->second.given));
        members_.erase(found);
    }
    return ids;
}

void Roster::session_ended() {
    current_.clear();
    drop_cache();
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
    OfGroup& group = group_of(found->second.group);
    const auto numbers = expand(runs);
    auto number = numbers.begin();
    for (const auto place : found->second.members) {
        Owned& member = members_.at(place);
        if (member.now || number == numbers.end()) continue;
        member.now = *number++;
        set_number(member.now, place, found->second.handler, group);
    }
}

Instant Roster::asked_at(JoinId join) const {
    const auto found = joins_.find(join);
    return found == joins_.end() ? Instant::max() : found->second.asked_at;
}

std::vector<proto::RejoinRequest::Position> Roster::positions(const Group& group) const {
    const auto found = groups_.find(group);
    return found == groups_.end() ? std::vector<proto::RejoinRequest::Position>() : found->second.positions.list();
}

}  // namespace muster::client
