// Immutable views of groups, kept until the group changes.
#pragma once

#include <muster/types.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

namespace muster::node {

using View = std::shared_ptr<const std::vector<Member>>;

/// Thread-safe. Whoever puts a view or drops one holds the engine's lock, so
/// that a view can never be put after the change that made it out of date.
/// Bounded: when `max_groups` views are kept, all are dropped and made anew on demand.
class ViewCache {
public:
    explicit ViewCache(std::size_t max_groups = 65536) : max_groups_(max_groups) {}

    /// nullptr when there is none.
    [[nodiscard]] View get(const Group& group) const {
        const std::shared_lock lock(mutex_);
        const auto found = views_.find(group);
        return found == views_.end() ? nullptr : found->second;
    }

    void put(const Group& group, View view) {
        const std::unique_lock lock(mutex_);
        if (views_.size() >= max_groups_ && !views_.contains(group)) views_.clear();
        views_.insert_or_assign(group, std::move(view));
    }

    void drop(const Group& group) {
        const std::unique_lock lock(mutex_);
        views_.erase(group);
    }

    void clear() {
        const std::unique_lock lock(mutex_);
        views_.clear();
    }

    [[nodiscard]] std::size_t size() const {
        const std::shared_lock lock(mutex_);
        return views_.size();
    }

private:
    std::size_t max_groups_;
    mutable std::shared_mutex mutex_;
    std::map<Group, View> views_;
};

}  // namespace muster::node
