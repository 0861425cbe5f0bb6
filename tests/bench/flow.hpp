// A sustained stream of notifications to members that count them, never too far ahead of the slowest.
#pragma once

#include <cstdint>
#include <functional>

#include "tests/bench/page.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {

struct Flow {
    double deliveries_s = 0;
    double seconds = 0;  // until the last was counted
    std::uint64_t notifications = 0;
};

/// Calls `send_one` for `duration`, at most `window` calls ahead of the slowest of the page's first `members` slots,
/// then waits until every member has counted every notification, exactly once. Throws std::runtime_error when one
/// is missing ten seconds after the last that came in, or came twice.
Flow flow(Page& page, std::size_t members, std::uint64_t window, Clock::duration duration,
          const std::function<void()>& send_one);

}  // namespace muster::bench
