// The members of this node by owner: the session or handler that joined them. The replicated tables do not know owners.
#pragma once

#include <muster/types.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/base/caller.hpp"
#include "cluster/base/context.hpp"
#include "cluster/replication/replicas.hpp"
#include "cluster/tables/flat_index.hpp"
#include "cluster/tables/member_list.hpp"
#include "cluster/tables/slab.hpp"

namespace muster::cluster {

/// Numbers the members, commits their deltas to this node's table, and bounds what one owner may have.
///
/// An owner's members in one group are a Membership. It is found by number (`all_`), by owner and group (`by_pair_`),
/// and in a list of its owner and one of its group. So a join, a leave, the end of an owner and a route take time for
/// the members that they concern, whatever else this node has.
class LocalMembers {
public:
    LocalMembers(Context& context, Replicas& replicas) : ctx_(context), replicas_(replicas) {}

    /// `count` new members with consecutive numbers, in one delta. `worker` is empty for a handler. What they cost is
    /// drawn from `share`. `again`: the worker had them at another node, or in an earlier session.
    /// Errors: bad_request (count, names, metadata), overloaded (bounds of one owner: members, groups, bytes; bounds of
    /// this node's table; the budget).
    Result<proto::NumberRun> join(const Owner& owner, const std::string& worker, const Group& group,
                                  std::uint64_t count, const Meta& meta, const SharedShare& share, bool again = false);
    /// The given members leave; without any, the latest `count`: in one delta, or in several if they do not fit one
    /// frame. Members that the owner does not have are ignored. Owner kAnyHandler means all handlers.
    /// Errors: bad_request (count, names), not_joined (the owner has none of them).
    Result<std::vector<MemberNumber>> leave(const Owner& owner, const Group& group,
                                            const std::vector<MemberNumber>& members, std::uint64_t count);
    /// All members of the owner leave: in one delta, or in several if they do not fit one frame. What exceeds the work
    /// of a turn leaves in the next ones: see flush().
    void owner_gone(const Owner& owner, Reason reason);
    /// Begins the work of another turn.
    void flush();
    [[nodiscard]] bool wants_flush() const { return !gone_.empty(); }

    /// Calls `visit(const Owner&, const std::vector<MemberNumber>&)` for each owner that has members in the group, with
    /// these members in ascending order.
    template <class Visit>
    void for_each_owner(GroupRef group, Visit visit) const {
        const std::uint32_t in = find_group(group);
        if (in == kNone) return;
        Numbers numbers;
        for (const std::uint32_t at : groups_[in].memberships) {
            numbers.clear();
            memberships_[at].numbers.for_each_run([&](const Run& run) {
                for (std::uint32_t i = 0; i < run.count; ++i) numbers.push_back(run.first.plus(i));
            });
            visit(owners_[memberships_[at].owner].owner, numbers);
        }
    }
    /// What the owners of members have drawn from Context::memory. In time linear in the owners.
    [[nodiscard]] std::size_t memory() const;
    /// Asserts that all indexes agree with each other and with the replicated table.
    void check() const;

private:
    void check_bytes() const;
    static constexpr std::uint32_t kNone = FlatIndex::kNone;
    using Numbers = std::vector<MemberNumber>;

    /// The members of one owner in one group.
    struct Membership {
        std::uint32_t owner = kNone;
        std::uint32_t group = kNone;
        std::uint32_t in_owner = 0;  // this membership's position in LocalOwner::memberships
        std::uint32_t in_group = 0;  // and in LocalGroup::memberships
        MemberList numbers;          // the tag of each run: bytes of one member's metadata
    };
    struct LocalOwner {
        Owner owner;
        std::uint64_t members = 0;
        std::size_t bytes = 0;  // of its groups at every node, and of its members' metadata where it is sent
        Drawn drawn;            // for both
        std::vector<std::uint32_t> memberships;
    };
    /// Holds a use of the group.
    struct LocalGroup {
        GroupRef ref = kNoGroup;
        std::vector<std::uint32_t> memberships;
    };

    [[nodiscard]] std::uint32_t find_owner(const Owner& owner) const;
    [[nodiscard]] std::uint32_t find_group(GroupRef ref) const;
    [[nodiscard]] std::uint32_t find_membership(std::uint32_t owner, std::uint32_t group) const;
    std::uint32_t make_owner(const Owner& owner, const SharedShare& share);
    std::uint32_t make_group(const Group& group);
    std::uint32_t make_membership(std::uint32_t owner, std::uint32_t group);
    /// Removes also its owner and its group, if they have no other membership.
    void drop_membership(std::uint32_t at);

    /// Those of `members` that the owner (or any handler) has in the group, ascending.
    [[nodiscard]] Numbers standing(const Owner& owner, GroupRef group, const Numbers& members) const;
    /// The highest `count` numbers that the owner (or any handler) has in the group, ascending.
    [[nodiscard]] Numbers latest(const Owner& owner, GroupRef group, std::uint64_t count) const;
    void remove(const proto::NumberRun& leaving);
    void remove_gone();
    /// Members of the owner leave, in about the work that `most` leaves of this turn. Whether all have.
    bool remove_all(const Owner& owner, Reason reason, std::uint64_t most);
    /// The owner joins again: those of its members that have yet to leave do so before.
    void finish(const Owner& owner);
    /// The bound that the owner would exceed with this join, if any.
    [[nodiscard]] std::optional<Error> why_too_much(const Owner& owner, const Group& group, std::uint64_t count,
                                                    const Meta& meta, const Budget::Account& account) const;
    void charge(LocalOwner& owner, std::uint64_t members, std::size_t bytes) const;
    void discharge(LocalOwner& owner, std::uint64_t members, std::size_t bytes) const;
    [[nodiscard]] std::size_t bytes_of(GroupRef group) const;

    Context& ctx_;
    Replicas& replicas_;
    MemberNumber last_;
    MemberList all_;  // the membership of every member
    Slab<Membership> memberships_;
    Slab<LocalOwner> owners_;
    Slab<LocalGroup> groups_;
    FlatIndex by_pair_;
    FlatIndex by_owner_;
    FlatIndex by_group_;
    std::deque<std::pair<Owner, Reason>> gone_;  // owners whose members have yet to leave
    std::uint64_t work_ = 0;                     // of this turn, for them
};

}  // namespace muster::cluster
