// What this node has sent lately: its notices have numbers in their groups, and the latest of them are remembered for
// members whose node has died. README.md, "Handover".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "cluster/base/context.hpp"
#include "proto/ring.hpp"

namespace muster::cluster {

/// Remembers notices of groups that have members owned by workers, or had within Timing::handover_window. A handler
/// inside a node dies with its node, so groups with handlers alone are numbered and not remembered.
///
/// Bounded by that time, by Bounds::recent_items and Bounds::recent_bytes; the oldest are forgotten first. Groups
/// without members are at most twice Bounds::recent_items.
class Recent {
public:
    struct Kept {
        proto::SharedNotice notice;
        Instant at;
        std::size_t size = 0;  // on the wire
    };
    /// One group.
    struct Numbered {
        std::uint64_t first = 0;          // the numbers of this group begin above
        std::uint64_t last = 0;           // number of the latest notice
        proto::Ring<Kept> kept;           // the latest, without a hole, up to `last`
        Instant needed_until = kLongAgo;  // a member of a worker was lost lately: remember without one
        Instant forgotten_at = kLongAgo;  // when the latest notice was taken that a bound made this node forget

        /// All notices up to this number are not remembered.
        [[nodiscard]] std::uint64_t forgotten() const { return last - kept.size(); }
    };
    using SharedNumbered = std::shared_ptr<Numbered>;

    using HasMembers = std::function<bool(const Group&)>;

    Recent(Context& context, HasMembers has_members)
        : ctx_(context),
          has_members_(std::move(has_members)),
          bytes_(context.memory, memory_of(context.own_share)),
          group_bytes_(bytes_.fresh()) {}

    /// The group's numbers. They begin above the number of all notices, so that they never repeat in this life.
    SharedNumbered of(const Group& group);
    /// The same for a group without members: nullptr if nothing has to be remembered for it.
    SharedNumbered needed(const Group& group);
    /// nullptr if nothing is known of the group.
    [[nodiscard]] const Numbered* find(const Group& group) const;
    /// When the latest notice of this group was taken that a bound made this node forget, or later.
    [[nodiscard]] Instant forgotten_at(const Numbered* group) const;

    /// Gives the group's next notice its number. Returns whether it must be kept. `for_workers`: the group has members
    /// of workers.
    [[nodiscard]] bool number_next(Numbered& group, bool for_workers);
    /// Remembers the notice that has just been numbered.
    void keep(const SharedNumbered& group, const proto::SharedNotice& notice, std::size_t size);
    /// Members of workers have gone from this group (nullopt: from very many), and may join again elsewhere.
    void lost_members(const std::optional<Group>& group);

    /// Forgets what is older than the window, and groups that have neither notices nor members.
    void tick();
    /// This node has a new incarnation, with numbers of its own.
    void begin_life();

    /// The number of all notices of this node, of any group.
    std::uint64_t last_seq = 0;

    [[nodiscard]] std::size_t items() const { return order_.size(); }
    [[nodiscard]] std::size_t memory() const { return bytes_.amount() + group_bytes_.amount(); }
    [[nodiscard]] bool is_over_bounds() const;

private:
    using Groups = std::map<Group, SharedNumbered>;

    void forget_oldest(bool by_bound);
    void forget_all_of(Numbered& group);
    Groups::iterator forget(Groups::iterator group);
    /// A notice that was kept, and may have been forgotten with all of its group.
    struct Place {
        SharedNumbered group;
        std::uint64_t number = 0;
        Instant at;
    };

    Context& ctx_;
    HasMembers has_members_;
    Groups groups_;
    std::deque<Place> order_;  // oldest first
    Drawn bytes_;              // of notices
    Drawn group_bytes_;        // of groups_
    Instant all_needed_until_ = kLongAgo;
    Instant forgotten_with_group_ = kLongAgo;  // Numbered::forgotten_at of groups that a bound made this node forget
    Group swept_;                              // the group at which the last sweep ended
};

}  // namespace muster::cluster
