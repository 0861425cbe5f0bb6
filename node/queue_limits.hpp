// The smallest values that limits and queues may be set to.
#pragma once

#include <cstddef>

namespace muster::node {

/// Half of a worker's backlog may be in flight. Items in flight can neither be dropped nor be reported in a gap, so a
/// backlog of a few items could not work.
inline constexpr std::size_t kLeastQueueItems = 16;
/// Room for a few of the largest notifications (512 KiB), in flight and waiting.
inline constexpr std::size_t kLeastQueueBytes = std::size_t{4} << 20;

/// Room for one largest backlog with the default limits.
inline constexpr std::size_t kLeastMemory = std::size_t{64} << 20;

/// Enough for the peers of a small cluster and a few observers.
inline constexpr std::size_t kLeastConnections = 16;
/// A Worker may have this many requests in flight.
inline constexpr std::size_t kLeastRequests = 1024;

}  // namespace muster::node
