// What lookups and watchers see: the members of all tables that are shown.
#pragma once

#include <muster/types.hpp>

#include <string>
#include <vector>

#include "cluster/replication/replicas.hpp"

namespace muster::cluster {

/// The members of a group by node name, then number; those of one node only if `node` is not empty.
std::vector<Member> members_of(const Replicas& replicas, const Group& group, const std::string& node = {});
/// Every group that has members, with their number, by store, then feature.
std::vector<GroupInfo> group_sizes(const Replicas& replicas);

}  // namespace muster::cluster
