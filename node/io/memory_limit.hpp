// How much memory this process may use.
#pragma once

#include <cstddef>
#include <string>

namespace muster::node {

/// The limit of this process's cgroup or of one above it (cgroup v2: memory.max and memory.high), or the memory of the
/// machine, whichever is less. Bytes. Reads files, so it is for the start of a program.
std::size_t memory_limit();
/// The same, for a process that /proc/self/cgroup says is in `cgroup` below the folder `root`, on a machine with
/// `machine` bytes. For tests.
std::size_t memory_limit(const std::string& root, const std::string& cgroup, std::size_t machine);

}  // namespace muster::node
