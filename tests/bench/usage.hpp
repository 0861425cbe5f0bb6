// What processes take while something, or nothing, goes on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <vector>

#include "tests/bench/samples.hpp"

namespace muster::bench {

/// Bytes that each process has sent over its present TCP connections, as `ss` tells.
std::map<pid_t, double> bytes_sent();

/// One value for each process.
struct Usage {
    std::vector<double> cpu_percent;  // of one core
    std::vector<double> bytes_s;      // sent
    std::vector<double> resident_mb;
};
/// Over `period`, in which no connection ends.
Usage watch_usage(const std::vector<pid_t>& processes, std::chrono::seconds period);

void print(std::string_view row, const Case& one, const Usage& usage);

}  // namespace muster::bench
