// How small the bounded queues between a node and others may be made.
#pragma once

#include <cstddef>

namespace muster::node {

/// Of a worker's backlog, half may be on its way, and then neither dropped nor told in a gap.
inline constexpr std::size_t kLeastQueueItems = 16;
/// Room for some of the largest notifications (512 KiB), on their way and behind.
inline constexpr std::size_t kLeastQueueBytes = std::size_t{4} << 20;

}  // namespace muster::node
