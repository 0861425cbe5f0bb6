// The rows of the table of speed. Each prints one line for each of its cases; see samples.hpp.
#pragma once

#include <string_view>
#include <vector>

#include "tests/bench/settings.hpp"

namespace muster::bench {

/// members() of a group of 1 to 1000, local or remote, by 1 or 2 threads: ns_op.
void lookup(const Settings& settings);
/// join and leave, two peers connected: memberships_s of the calls, and until both peers have caught up.
void join(const Settings& settings);
/// join at A, watch event at B, reply at A: microseconds.
void propagate(const Settings& settings);
/// A fresh node learns 100,000 or 1,000,000 members: milliseconds from Node::start.
void sync(const Settings& settings);
/// Members evenly on three nodes: deliveries_s sustained, and microseconds of one notification acknowledged by all.
void fanout(const Settings& settings);
/// The same from a worker at A to workers at B and C, all nodes being musterd.
void workers(const Settings& settings);
/// A node with 10,000 members is killed: milliseconds until another shows none.
void killed(const Settings& settings);
/// Resident bytes for a remote member.
void memory(const Settings& settings);
/// Ten nodes with nothing to do: cpu_percent of a core and bytes_s sent, median and bounds over the nodes.
void idle(const Settings& settings);
/// The same with a million members, a thousand workers at one node, and fifty nodes; and resident megabytes.
void scale(const Settings& settings);

struct Row {
    std::string_view name;
    void (*run)(const Settings&);
    std::string_view what;
};
extern const std::vector<Row> kRows;

}  // namespace muster::bench
