#include "tests/sim/batch.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace muster::sim {
namespace {

thread_local std::uint64_t running_seed = 0;

class Batch {
public:
    Batch(const Wishes& wishes, std::uint64_t runs, const std::function<bool(const Wishes&, const Outcome&)>& failed,
          const std::function<void(const BatchProgress&)>& progressed)
        : wishes_(wishes), failed_(failed), progressed_(progressed), hashes_(runs) {
        if (progressed_) wishes_.lived = [this](Duration passed) { lived(passed); };
    }

    void work() {
        for (std::uint64_t i = next_++; i < hashes_.size() && !stopped_; i = next_++) {
            Wishes wishes = wishes_;
            wishes.seed = running_seed = wishes_.seed + i;
            take(wishes, i, simulate(wishes));
        }
    }

    BatchResult result() {
        for (const std::uint64_t hash : hashes_) result_.hash = mix64(result_.hash ^ hash);
        return result_;
    }

private:
    void lived(Duration passed) {
        const std::lock_guard lock(mutex_);
        progress_.lived += passed;
        progressed_(progress_);
    }

    void take(const Wishes& wishes, std::uint64_t i, const Outcome& outcome) {
        const std::lock_guard lock(mutex_);
        hashes_[i] = outcome.hash;
        progress_.runs = ++result_.runs;
        if (progressed_) progressed_(progress_);
        result_.coverage.add(outcome.coverage);
        result_.simulated += outcome.ended;
        result_.slowest = std::max(result_.slowest, outcome.settled_after);
        result_.delivered += outcome.delivered;
        if (outcome.verdict != Verdict::good && !stopped_ && !failed_(wishes, outcome)) stopped_ = true;
    }

    Wishes wishes_;
    const std::function<bool(const Wishes&, const Outcome&)>& failed_;
    const std::function<void(const BatchProgress&)>& progressed_;
    BatchProgress progress_;
    std::atomic<std::uint64_t> next_ = 0;
    std::atomic<bool> stopped_ = false;
    std::mutex mutex_;
    std::vector<std::uint64_t> hashes_;
    BatchResult result_;
};

}  // namespace

BatchResult run_batch(const Wishes& wishes, std::uint64_t runs, unsigned jobs,
                      const std::function<bool(const Wishes&, const Outcome&)>& failed,
                      const std::function<void(const BatchProgress&)>& progressed) {
    Batch batch(wishes, runs, failed, progressed);
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < jobs; ++i) threads.emplace_back([&batch] { batch.work(); });
    batch.work();
    for (std::thread& thread : threads) thread.join();
    return batch.result();
}

std::uint64_t seed_of_this_thread() {
    return running_seed;
}

}  // namespace muster::sim
