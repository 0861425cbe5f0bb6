// One run: a safety phase under faults, then healing, then a liveness phase.
#pragma once

#include <functional>
#include <string>

#include "tests/sim/profile.hpp"
#include "tests/sim/record.hpp"
#include "tests/sim/world.hpp"

namespace muster::sim {

enum class Verdict { good, unsafe, stalled };

struct Outcome {
    Verdict verdict = Verdict::good;
    std::string why;
    std::uint64_t hash = 0;       // of the transcript
    Duration ended{0};            // virtual time of the end, or of the violation
    Duration settled_after{0};    // the healing
    std::uint64_t delivered = 0;  // notifications to members
    Coverage coverage;
};

/// Spoils the actions of cores, to see that the model notices.
using Sabotage = std::function<void(Host& host, cluster::Actions& actions)>;

Outcome simulate(const Wishes& wishes, const Sabotage& sabotage = nullptr);

}  // namespace muster::sim
