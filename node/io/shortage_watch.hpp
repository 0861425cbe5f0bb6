// Notices that the process runs out of descriptors or threads, and that it is over.
#pragma once

#include <cstdint>

#include "cluster/time.hpp"
#include "node/io/log.hpp"
#include "node/io/node_counters.hpp"

namespace muster::node {

/// Logs a shortage once, and once when it is over. Used by the loop's thread only.
///
/// A part of the node to which the system refuses something counts that (NodeCounters::resource_refused), goes on
/// without it and tries again later. libzmq's own thread does so, too, but tells nobody. So a lack of descriptors is
/// also looked for.
class ShortageWatch {
public:
    ShortageWatch(NodeCounters& counters, Log log) : counters_(counters), log_(std::move(log)) {}

    /// To be called about once a second. `scarce`: 0, or the error number if few descriptors are left.
    void check(cluster::Instant now, int scarce);

private:
    NodeCounters& counters_;
    const Log log_;
    std::uint64_t seen_ = 0;      // of the refusals counted
    std::uint64_t at_begin_ = 0;  // refusals counted when the shortage began
    cluster::Instant last_{};     // refusal
    bool short_ = false;
};

}  // namespace muster::node
