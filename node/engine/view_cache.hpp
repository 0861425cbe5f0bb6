// Immutable views of groups, kept by the engine until the group changes.
#pragma once

#include <muster/members.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "node/io/group_hash.hpp"

namespace muster::node {

/// The members of one group at one moment. Shared by all threads that look the group up before it changes.
struct alignas(64) GroupView {
    GroupView(Group name, std::vector<Member> list) : group(std::move(name)), members(std::move(list)) {}

    [[nodiscard]] bool is_current() const { return !outdated.load(std::memory_order_acquire); }

    const Group group;
    const std::vector<Member> members;
    std::atomic<bool> outdated =
        false;  // set once, never cleared; threads check it before they use a view that they have kept
};

using View = std::shared_ptr<const GroupView>;

/// Holds every current view. Removing a view marks it as outdated, which threads that have kept it see. Not
/// thread-safe.
///
/// Bounded: groups with members and groups without are counted apart, so that lookups of groups that do not exist
/// cannot evict those that do. When either has `max_groups` views, all of that sort are dropped and made again on
/// demand.
class ViewCache {
public:
    explicit ViewCache(std::size_t max_groups = 65536) : max_groups_(max_groups) {}

    /// nullptr if there is none.
    [[nodiscard]] View get(const Group& group) const {
        for (const Views* views : {&present_, &absent_})
            if (const auto found = views->find(group); found != views->end()) return found->second;
        return nullptr;
    }

    /// Adds a view. The cache must not have one of this group.
    View put(const Group& group, std::vector<Member> members) {
        Views& views = members.empty() ? absent_ : present_;
        if (views.size() >= max_groups_) clear(views);
        return views.emplace(group, std::make_shared<GroupView>(group, std::move(members))).first->second;
    }

    void drop(const Group& group) {
        for (Views* views : {&present_, &absent_}) {
            if (views->empty()) continue;
            const auto found = views->find(group);
            if (found == views->end()) continue;
            found->second->outdated.store(true, std::memory_order_release);
            views->erase(found);
        }
    }

    void clear() {
        clear(present_);
        clear(absent_);
    }

    [[nodiscard]] std::size_t size() const { return present_.size() + absent_.size(); }

private:
    using Views = std::unordered_map<Group, std::shared_ptr<GroupView>, HashGroup>;

    static void clear(Views& views) {
        for (const auto& [group, view] : views) view->outdated.store(true, std::memory_order_release);
        views.clear();
    }

    std::size_t max_groups_;
    Views present_;
    Views absent_;
};

}  // namespace muster::node
