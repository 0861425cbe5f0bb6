#include "cluster/replication/lookups.hpp"

#include <algorithm>

namespace muster::cluster {

std::vector<Member> members_of(const Replicas& replicas, const Group& group, const std::string& node) {
    std::vector<Member> members;
    const GroupRef ref = replicas.groups().find(group);
    if (ref == kNoGroup) return members;
    const auto is_wanted = [&](const Replica& replica) { return node.empty() || replica.id().name == node; };
    std::size_t count = 0;
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        if (is_wanted(replica)) count += list.size();
    });
    members.reserve(count);
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        if (is_wanted(replica)) list.for_each_run([&](const Run& run) { replica.append_members(run, members); });
    });
    return members;
}

std::vector<GroupInfo> group_sizes(const Replicas& replicas) {
    std::vector<GroupInfo> sizes;
    const GroupIndex& groups = replicas.groups();
    for (GroupRef ref = 0; ref < groups.limit(); ++ref) {
        std::uint64_t members = 0;
        replicas.for_each_shown_in(ref, [&](const Replica&, const MemberList& list) { members += list.size(); });
        if (members > 0) sizes.push_back({groups.name(ref), members});
    }
    std::sort(sizes.begin(), sizes.end(), [](const GroupInfo& a, const GroupInfo& b) { return a.group < b.group; });
    return sizes;
}

}  // namespace muster::cluster
