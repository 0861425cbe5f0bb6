// What lookups and watchers see: the members of all tables that are shown.
#pragma once

#include <muster/insight.hpp>
#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

/// The members of a group by node name, then number; those of one node only if `node` is not empty.
std::vector<Member> members_of(const Replicas& replicas, const Group& group, const std::string& node = {});
/// A place in the members of a group: before the member `number` of a node. It stays valid while tables change.
struct MembersPlace {
    std::string node;
    MemberNumber number;
};
/// Adds members from `place` on, in the same order, until their bytes on the wire, which are added to `size`, exceed
/// `most`. Moves `place` behind them. Returns whether these were the last ones. Members that are there during all calls
/// are added exactly once.
bool add_members(const Replicas& replicas, const Group& group, const std::string& node, MembersPlace& place,
                 std::size_t most, std::size_t& size, std::vector<Member>& members);
bool add_members(const Replicas& replicas, GroupRef ref, MembersPlace& place, std::size_t most, std::size_t& size,
                 GroupRuns& runs);

/// At most `most` of the members of a group, in the same order, after the first `from`. Copies no others.
MembersPart members_part(const Replicas& replicas, const Group& group, std::uint64_t from, std::uint64_t most);
/// Every group that has members, with their number, by store, then feature.
std::vector<GroupInfo> group_sizes(const Replicas& replicas);

}  // namespace muster::cluster
