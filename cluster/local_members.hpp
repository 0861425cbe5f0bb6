// Which of this node's members belongs to whom. The table that is replicated
// does not know owners; this does.
#pragma once

#include <muster/types.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/caller.hpp"
#include "cluster/context.hpp"
#include "cluster/replicator.hpp"

namespace muster::cluster {

class LocalMembers {
public:
    LocalMembers(Context& context, Replicator& replicator) : ctx_(context), replicator_(replicator) {}

    /// New members with consecutive numbers, in one delta.
    /// Errors: bad_request (count, names, metadata), overloaded (members_per_owner).
    Result<proto::NumberRun> join(const Owner& owner, const std::string& worker, const Group& group,
                                  std::uint64_t count, const Meta& meta);
    /// The given members, or when none is given the latest `count`, leave in one delta.
    /// Errors: not_joined when the owner has none of them.
    Result<std::vector<MemberNumber>> leave(const Owner& owner, const Group& group,
                                            const std::vector<MemberNumber>& members, std::uint64_t count);
    /// All members of the owner leave, each once: in one delta, but for more than fit a frame.
    void owner_gone(const Owner& owner, Reason reason);

    /// Owners in the group, with their members in ascending order.
    void for_each_owner(const Group& group,
                        const std::function<void(const Owner&, const std::vector<MemberNumber>&)>& visit) const;
    void check() const;

private:
    using Numbers = std::vector<MemberNumber>;

    static Numbers choose(const Numbers& joined, const std::vector<MemberNumber>& members, std::uint64_t count);
    /// What the owner (or any handler) has in the group, ascending.
    static Numbers joined(const Owner& owner, const std::map<Owner, Numbers>& in_group);
    void remove(const Owner& owner, const Group& group, const Numbers& leaving);
    void drop_if_empty(const Owner& owner, const Group& group);

    Context& ctx_;
    Replicator& replicator_;
    MemberNumber last_;
    std::map<Group, std::map<Owner, Numbers>> by_group_;
    struct Owned {
        std::set<Group> groups;
        std::uint64_t members = 0;
    };
    std::map<Owner, Owned> by_owner_;
};

}  // namespace muster::cluster
