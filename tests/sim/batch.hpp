// Many runs with consecutive seeds, on as many threads as wanted.
#pragma once

#include <functional>

#include "tests/sim/simulation.hpp"

namespace muster::sim {

struct BatchResult {
    Coverage coverage;
    Duration simulated{0};
    Duration slowest{0};          // to settle after the healing
    std::uint64_t delivered = 0;  // notifications to members
    std::uint64_t hash = 0;       // of all transcripts, in the order of the seeds
    std::uint64_t runs = 0;       // that were done
};

/// How far a batch is.
struct BatchProgress {
    std::uint64_t runs = 0;  // that were done
    Duration lived{0};       // virtual time in safety phases, of those that are under way as well
};

/// Seeds wishes.seed … wishes.seed + runs - 1. `failed` hears of each run that
/// is not good, one call at a time, from the threads that ran them; it returns
/// whether to go on. What is returned does not depend on `jobs`, unless a run failed.
/// `progressed` hears how far it is, now and then, in the same way.
BatchResult run_batch(const Wishes& wishes, std::uint64_t runs, unsigned jobs,
                      const std::function<bool(const Wishes&, const Outcome&)>& failed,
                      const std::function<void(const BatchProgress&)>& progressed = nullptr);

/// The seed that this thread is running, for a report of a crash.
std::uint64_t seed_of_this_thread();

}  // namespace muster::sim
