#include "cluster/replication/lookups.hpp"

#include <algorithm>

#include "cluster/base/wire_size.hpp"

namespace muster::cluster {
namespace {

/// Calls `visit(const Replica&, const Run&)` for pieces of runs from `place` on. See add_members().
template <class Visit>
bool visit_from(const Replicas& replicas, GroupRef ref, const std::string& node, MembersPlace& place, std::size_t most,
                std::size_t& size, Visit visit) {
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        const std::string& name = replica.id().name;
        if (name < place.node || (!node.empty() && name != node) || size > most) return;
        if (name > place.node) place = {name, {}};
        list.for_each_run_from(place.number, [&](Run run) {
            const auto& owners = replica.owners();
            const std::size_t each = wire_size(replica.id(), owners.worker(run.tag), owners.meta(run.tag));
            const std::size_t room = size > most ? 0 : (most - size) / each + 1;
            run.count = static_cast<std::uint32_t>(std::min<std::size_t>(run.count, room));
            if (run.count > 0) visit(replica, run);
            size += run.count * each;
            place.number = run.first.plus(run.count);
            return size <= most;
        });
    });
    return size <= most;
}

}  // namespace

std::vector<Member> members_of(const Replicas& replicas, const Group& group, const std::string& node) {
    std::vector<Member> members;
    const GroupRef ref = replicas.groups().find(group);
    if (ref == kNoGroup) return members;
    const auto is_wanted = [&](const Replica& replica) { return node.empty() || replica.id().name == node; };
    std::uint64_t count = 0;
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        if (is_wanted(replica)) count += list.size();
    });
    members.reserve(static_cast<std::size_t>(count));
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        if (is_wanted(replica)) list.for_each_run([&](const Run& run) { replica.append_members(run, members); });
    });
    return members;
}

bool add_members(const Replicas& replicas, const Group& group, const std::string& node, MembersPlace& place,
                 std::size_t most, std::size_t& size, std::vector<Member>& members) {
    const GroupRef ref = replicas.groups().find(group);
    if (ref == kNoGroup) return true;
    return visit_from(replicas, ref, node, place, most, size,
                      [&](const Replica& replica, const Run& run) { replica.append_members(run, members); });
}

bool add_members(const Replicas& replicas, GroupRef ref, MembersPlace& place, std::size_t most, std::size_t& size,
                 GroupRuns& runs) {
    return visit_from(replicas, ref, {}, place, most, size,
                      [&](const Replica& replica, const Run& run) { runs.add(replica.id(), run, replica.owners()); });
}

MembersPart members_part(const Replicas& replicas, const Group& group, std::uint64_t from, std::uint64_t most) {
    MembersPart part;
    const GroupRef ref = replicas.groups().find(group);
    if (ref == kNoGroup) return part;
    std::uint64_t skip = from;
    replicas.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& list) {
        part.total += list.size();
        if (skip >= list.size()) {
            skip -= list.size();
            return;
        }
        list.for_each_run_from(MemberNumber{}, [&](Run run) {
            const auto passed = static_cast<std::uint32_t>(std::min<std::uint64_t>(skip, run.count));
            skip -= passed;
            const auto room = most - part.members.size();
            const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(run.count - passed, room));
            if (taken > 0) replica.append_members({run.first.plus(passed), taken, run.tag}, part.members);
            return part.members.size() < most;
        });
    });
    return part;
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
