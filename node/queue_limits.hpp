// How small what is bounded may be made.
#pragma once

#include <cstddef>

namespace muster::node {

/// Of a worker's backlog, half may be on its way, and then neither dropped nor told in a gap.
inline constexpr std::size_t kLeastQueueItems = 16;
/// Room for some of the largest notifications (512 KiB), on their way and behind.
inline constexpr std::size_t kLeastQueueBytes = std::size_t{4} << 20;

/// A node's own peers, and who looks after it.
inline constexpr std::size_t kLeastConnections = 16;
/// As many as a Worker may have on their way.
inline constexpr std::size_t kLeastRequests = 1024;

}  // namespace muster::node
