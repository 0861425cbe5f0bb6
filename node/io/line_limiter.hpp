// So that a storm among a thousand workers does not become a storm in the log.
#pragma once

#include <muster/log_line.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cluster/time.hpp"

namespace muster::node {

/// Lets through kBurst lines of an event in ten seconds; how many were held back is told with the next one. What others
/// say in a line makes no lines of its own.
class LineLimiter {
public:
    static constexpr std::uint64_t kBurst = 20;

    /// Empty when the line is to be held back.
    std::optional<LogLine> take(LogLine line, cluster::Instant now);

private:
    struct Window {
        cluster::Instant start{};
        std::uint64_t lines = 0;
        std::uint64_t held_back = 0;
    };
    std::map<std::string, Window> windows_;  // by event
};

/// Says in the line that so many more were held back.
void add_held_back(LogLine& line, std::uint64_t count);

}  // namespace muster::node
