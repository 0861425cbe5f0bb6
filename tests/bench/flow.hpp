// Notifications to members that count them: a sustained stream of them, and the data that they carry.
#pragma once

#include <cstdint>
#include <functional>

#include <muster/types.hpp>

#include "tests/bench/page.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {

struct Flow {
    double deliveries_s = 0;
    double seconds = 0;  // until the last was counted
    std::uint64_t notifications = 0;
};

inline constexpr std::uint64_t kBatch = 64;  // notifications between two looks at the counts

struct Stream {
    std::size_t members = 1;      // the page's first so many slots
    std::uint64_t window = 1024;  // notifications ahead of the slowest member, about
    std::size_t threads = 1;      // that notify
    Clock::duration duration{};
};

/// Has `send` notify so many times as it is told, a batch at a time, for the duration; then waits until every member
/// has counted every notification, exactly once. Throws std::runtime_error when one is missing ten seconds after the
/// last that came in, or came twice.
Flow flow(Page& page, const Stream& stream, const std::function<void(std::uint64_t times)>& send);

/// A msgpack byte string that takes `bytes` bytes, 3 to 65538.
Data data_of(std::size_t bytes);

}  // namespace muster::bench
