// What a run of the benchmark was asked to do.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace muster::bench {

using Clock = std::chrono::steady_clock;

/// What tells one case of a row from the others, in the order in which it is printed.
using Case = std::vector<std::pair<std::string, std::string>>;

struct Settings {
    std::size_t reps = 5;
    std::chrono::milliseconds duration{2000};  // of one measurement of a rate
    std::size_t calls = 2000;                  // of one measurement of a latency
    std::size_t window = 16384;                // notifications that may be under way
    bool quick = false;                        // the cases that matter most, and smaller ones of the slow rows
    std::multimap<std::string, std::string> only;

    /// Whether `one` is to be run: for each of its keys that `only` names, its value is among those named.
    [[nodiscard]] bool wants(const Case& one) const;
};

}  // namespace muster::bench
