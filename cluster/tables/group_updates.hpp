// What deltas and snapshots have changed in the tables that are shown.
#pragma once

#include <muster/types.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/base/journal.hpp"
#include "cluster/tables/group_index.hpp"
#include "cluster/tables/watch_update.hpp"

namespace muster::cluster {

/// Members that joined or left one group: one event for the group's watchers. Watchers hear of nothing else.
struct GroupUpdate {
    GroupRef ref = kNoGroup;  // the group's number when it changed; may belong to another group by now
    std::shared_ptr<const WatchUpdate> event;
    [[nodiscard]] const Group& group() const { return event->groups[0].group(); }
};

/// Gathers the names of all groups that have changed, and the members only for groups that are watched: most groups are
/// not, and listing members costs a copy of each.
class GroupUpdates {
public:
    GroupUpdates() = default;
    /// Also writes to the journal, if that is kept, with the time that `now` has at each call. Both must outlive this.
    GroupUpdates(Journal& journal, const Instant& now)
        : journal_(journal.is_enabled() ? &journal : nullptr), now_(&now) {}

    /// `members` of the node's members joined or left the group.
    void changed(const Group& group, WatchEvent::Kind kind, const std::string& node, Reason reason,
                 std::uint64_t members) {
        if (changed_.size() < kMostNamed && (changed_.empty() || changed_.back() != group)) changed_.push_back(group);
        if (!journal_) return;
        const auto what = kind == WatchEvent::Kind::join ? Change::Kind::joined : Change::Kind::left;
        journal_->members(*now_, what, node, reason, group, members);
    }
    /// Members of workers have gone, and not because their owners wanted it: they may join again at another node.
    void lost(const Group& group) {
        if (lost_.size() < kMostNamed && (lost_.empty() || lost_.back() != group)) lost_.push_back(group);
    }
    /// For groups that are watched, after `changed`.
    void add(GroupUpdate update) { updates_.push_back(std::move(update)); }

    /// Calls `visit` for each group that has changed since the last call, at least once. If there are very many, as
    /// when a large table is hidden, it is called once, with nullopt.
    template <class Visit>
    void visit_changed(Visit visit) {
        visit_all(changed_, visit);
    }
    /// The same for the groups that have lost members.
    template <class Visit>
    void visit_lost(Visit visit) {
        visit_all(lost_, visit);
    }
    /// The updates since the last call, in order.
    std::vector<GroupUpdate> take() { return std::exchange(updates_, {}); }

private:
    static constexpr std::size_t kMostNamed = 4096;

    template <class Visit>
    static void visit_all(std::vector<Group>& groups, Visit visit) {
        if (groups.size() == kMostNamed) {
            visit(std::optional<Group>{});
        } else {
            for (Group& group : groups) visit(std::optional<Group>(std::move(group)));
        }
        groups.clear();
    }

    Journal* journal_ = nullptr;  // nullptr: no journal is kept
    const Instant* now_ = nullptr;
    std::vector<Group> changed_;
    std::vector<Group> lost_;
    std::vector<GroupUpdate> updates_;
};

}  // namespace muster::cluster
