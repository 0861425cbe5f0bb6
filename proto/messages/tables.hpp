// Node to node: the members of each origin, as deltas and snapshots.
// PROTOCOL.md, "Replication" and "Snapshots".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster::proto {

/// Members that one owner joined with one call; their numbers are consecutive.
struct JoinRun {
    MemberNumber first;
    std::uint64_t count = 0;
    std::string worker;
    SharedMeta meta;

    bool operator==(const JoinRun&) const = default;
};

/// Consecutive member numbers.
struct NumberRun {
    MemberNumber first;
    std::uint64_t count = 0;

    bool operator==(const NumberRun&) const = default;
};

/// The change that one delta makes to one group: joins, or leaves with one reason, never both.
struct GroupDelta {
    Group group;
    Reason reason = Reason::left;  // of the leaves; of joins `moved` if the worker has joined again
    std::vector<JoinRun> joins;
    std::vector<NumberRun> leaves;

    bool operator==(const GroupDelta&) const = default;
};

/// One numbered entry of an origin's log: the effect of one call, or of the death of one worker.
struct Delta {
    std::vector<GroupDelta> changes;

    bool operator==(const Delta&) const = default;
};

/// One origin's members of one group.
struct GroupRuns {
    Group group;
    std::vector<JoinRun> joins;

    bool operator==(const GroupRuns&) const = default;
};

struct Deltas {
    NodeId about;  // whose log
    Seq first;     // number of deltas[0]
    std::vector<Delta> deltas;
    bool operator==(const Deltas&) const = default;
};

/// Requests the deltas after `have`, or with `snapshot` the whole table.
struct Pull {
    NodeId about;
    Seq have;
    bool snapshot = false;
    bool operator==(const Pull&) const = default;
};

struct SnapshotChunk {
    NodeId about;
    Seq as_of;
    std::uint64_t digest = 0;  // of the whole table at position header.seq
    std::uint64_t index = 0;
    std::uint64_t count = 0;  // number of chunks, in the last one; 0 in the others
    std::vector<GroupRuns> groups;
    std::uint64_t members = 0;  // of the whole table at position header.seq; 0: unknown
    bool operator==(const SnapshotChunk&) const = default;
};

/// All chunks before `next` have arrived.
struct SnapshotAck {
    NodeId about;
    Seq as_of;
    std::uint64_t next = 0;
    bool operator==(const SnapshotAck&) const = default;
};

}  // namespace muster::proto
