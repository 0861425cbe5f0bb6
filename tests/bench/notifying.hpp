// What the rows of notifying measure: the same for an embedded node and a worker.
#pragma once

#include <functional>
#include <string_view>

#include <muster/tracker.hpp>

#include "tests/bench/page.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {

/// Who notifies whom, with what.
struct Notifying {
    Tracker& notifier;
    Page& page;  // the members count in its first slots
    Group group;
    std::size_t members = 0;
    Data data;
    std::size_t threads = 1;                // that notify
    std::function<double()> cpu_seconds{};  // of all processes that take part, so far
    /// How to notify so many times; empty: one call after the other. May throw.
    std::function<void(std::uint64_t times)> send{};
};

/// Prints deliveries_s and cpu_ns, the processor time of one delivery. See flow.hpp for what is thrown.
void measure_sustained(std::string_view row, const Settings& settings, const Case& one, const Notifying& what);

/// Prints p50_us and p99_us of one call that returns when every member's handler has.
/// Throws std::runtime_error when a member is missing in a report.
void measure_acknowledged(std::string_view row, const Settings& settings, const Case& one, const Notifying& what);

}  // namespace muster::bench
