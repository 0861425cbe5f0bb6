#include "node/client/unclaimed.hpp"

#include <algorithm>
#include <utility>

namespace muster::client {

Unclaimed::Unclaimed(SavedSession::Joins joins) : joins_(std::move(joins)) {
    for (const auto& [key, join] : joins_) numbers_.insert(join.members.begin(), join.members.end());
}

void Unclaimed::wait_until(Instant deadline) {
    if (!empty() && deadline_ == Instant::max()) deadline_ = deadline;
}

std::optional<SavedSession::Join> Unclaimed::claim(const proto::JoinRequest& request) {
    const auto found = std::find_if(joins_.begin(), joins_.end(), [&](const auto& entry) {
        const auto& join = entry.second;
        return join.request.group == request.group && join.request.meta == request.meta &&
               join.members.size() == request.count;
    });
    if (found == joins_.end()) return std::nullopt;
    auto join = std::move(found->second);
    joins_.erase(found);
    for (const auto member : join.members) numbers_.erase(member);
    if (empty()) deadline_ = Instant::max();
    return join;
}

void Unclaimed::remove(const std::vector<MemberNumber>& members) {
    for (const auto member : members) numbers_.erase(member);
    for (auto& [key, join] : joins_) std::erase_if(join.members, [this](MemberNumber member) { return !has(member); });
    std::erase_if(joins_, [](const auto& entry) { return entry.second.members.empty(); });
}

std::vector<SavedSession::Join> Unclaimed::take_all() {
    std::vector<SavedSession::Join> list;
    for (auto& [key, join] : joins_) list.push_back(std::move(join));
    joins_.clear();
    numbers_.clear();
    deadline_ = Instant::max();
    return list;
}

}  // namespace muster::client
