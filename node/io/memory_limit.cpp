#include "node/io/memory_limit.hpp"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>

namespace muster::node {
namespace {

std::size_t clamped(std::uint64_t bytes) {
    return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, std::numeric_limits<std::size_t>::max()));
}

/// The path in the line "0::PATH" of /proc/self/cgroup; empty without cgroup v2.
std::string own_cgroup() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::")) return line.substr(3);
    return {};
}

}  // namespace

std::size_t memory_limit(const std::string& root, const std::string& cgroup, std::size_t machine) {
    std::size_t limit = machine;
    for (std::string path = cgroup; !path.empty(); path.resize(path.rfind('/'))) {
        for (const char* name : {"/memory.max", "/memory.high"}) {
            std::uint64_t bytes = 0;  // "max" is no number, and no limit
            std::ifstream file(root + path + name);
            if (file >> bytes && bytes > 0) limit = std::min(limit, clamped(bytes));
        }
    }
    return limit;
}

std::size_t memory_limit() {
    struct sysinfo machine {};
    if (::sysinfo(&machine) != 0) return std::size_t{1} << 31;
    return memory_limit("/sys/fs/cgroup", own_cgroup(), clamped(std::uint64_t{machine.totalram} * machine.mem_unit));
}

}  // namespace muster::node
