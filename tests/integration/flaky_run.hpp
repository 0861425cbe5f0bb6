// Three real nodes and their workers, with every connection breaking at random,
// and a full account of every notification.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/integration/flaky_proxy.hpp"

namespace muster::test {

struct FlakyOptions {
    std::uint64_t notifications = 20'000;
    std::uint64_t seed = 1;
    milliseconds grace{30'000};   // of the nodes' sessions: here it outlives any fault
    FaultMix faults{};            // `every` 0: none at all
    std::uint64_t blackouts = 1;  // times that nothing passes between the nodes until they take each other for dead
    /// Told a line about once a second.
    std::function<void(const std::string& line)> on_progress{};
};

struct FlakyResult {
    std::uint64_t notifications = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t partly_matched = 0;    // sent while the notifier's node believed another one dead
    std::uint64_t waits = 0;             // notifications whose notifier waited for the acknowledgements
    std::uint64_t missed_reports = 0;    // of them: reports of a node that went down meanwhile
    std::uint64_t lost_attachments = 0;  // times that a worker lost its node
    std::uint64_t blackouts = 0;
    double seconds = 0;  // from the first to the last delivery
    FlakyProxy::Counts proxy;
    std::vector<std::string> broken;  // what must not have happened; empty when all is well
};
std::string to_text(const FlakyResult& result);

/// 30 workers, ten at each node, are members of five groups (two at each node in each); six of
/// them and six workers that are no members notify the groups in turn. Every 256th call waits
/// for the acknowledgements, and that alone holds a notifier back.
FlakyResult run_flaky(const FlakyOptions& options);

}  // namespace muster::test
