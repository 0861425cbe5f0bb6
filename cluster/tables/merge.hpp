// What merges of tables have changed, for those who are to know.
#pragma once

#include <muster/types.hpp>

#include <utility>
#include <vector>

#include "cluster/base/journal.hpp"
#include "cluster/tables/group_index.hpp"

namespace muster::cluster {

/// What a merge has changed in one group: what watchers hear, and all they hear.
struct Merge {
    GroupRef ref = kNoGroup;  // its number at that time
    Group group;
    WatchEvent::Kind kind = WatchEvent::Kind::join;
    Reason reason = Reason::left;  // of a leave
    std::vector<Member> members;
};

/// Gathers the names of groups that have changed, and of groups that are watched the members too.
class Merges {
public:
    Merges() = default;
    /// Tells the journal as well, as of the time that stands at `now`. Both outlive this.
    Merges(Journal& journal, const Instant& now) : journal_(journal.is_kept() ? &journal : nullptr), now_(&now) {}

    /// So many of the node's members of this group have come or gone.
    void changed(const Group& group, WatchEvent::Kind kind, const std::string& node, Reason reason,
                 std::uint64_t members) {
        if (changed_.empty() || changed_.back() != group) changed_.push_back(group);
        if (!journal_) return;
        const auto what = kind == WatchEvent::Kind::join ? Change::Kind::joined : Change::Kind::left;
        journal_->members(*now_, what, node, reason, group, members);
    }
    void tell(Merge merge) { told_.push_back(std::move(merge)); }

    /// Since the last call, in order; one that changed again and again stands there at least once.
    std::vector<Group>& changed_groups() { return changed_; }
    std::vector<Merge> take_told() { return std::exchange(told_, {}); }

private:
    Journal* journal_ = nullptr;  // nobody is to read one
    const Instant* now_ = nullptr;
    std::vector<Group> changed_;
    std::vector<Merge> told_;
};

}  // namespace muster::cluster
