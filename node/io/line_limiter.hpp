// Limits the rate of log lines.
#pragma once

#include <muster/log_line.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace muster::node {

/// Lets kBurst lines of each event through in ten seconds, so that a thousand workers that reconnect do not flood the
/// log. The next line that is let through says how many were held back. Control characters in texts that come from
/// others are replaced, so that a text cannot forge a line.
class LineLimiter {
public:
    using Instant = std::chrono::steady_clock::time_point;
    static constexpr std::uint64_t kBurst = 20;

    /// The line to log; empty if it is held back.
    std::optional<LogLine> take(LogLine line, Instant now);

private:
    struct Window {
        Instant start{};
        std::uint64_t lines = 0;
        std::uint64_t held_back = 0;
    };
    std::map<std::string, Window> windows_;  // by event
};

/// Adds to the line that `count` lines like it were held back.
void add_held_back(LogLine& line, std::uint64_t count);

}  // namespace muster::node
