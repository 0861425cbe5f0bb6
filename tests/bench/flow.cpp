#include "tests/bench/flow.hpp"

#include <stdexcept>
#include <string>
#include <thread>

namespace muster::bench {
namespace {

constexpr std::chrono::microseconds kNap{20};
constexpr std::chrono::seconds kPatience{10};
constexpr std::uint64_t kBatch = 64;  // notifications between two looks at the counts

/// Waits until the slowest member has counted `least` or more; returns its count.
std::uint64_t await(const Page& page, std::size_t members, std::uint64_t least) {
    std::uint64_t seen = page.sum(members);
    for (auto moved = Clock::now();;) {
        const std::uint64_t slowest = page.least(members);
        if (slowest >= least) return slowest;
        std::this_thread::sleep_for(kNap);
        if (const std::uint64_t sum = page.sum(members); sum != seen) {
            seen = sum;
            moved = Clock::now();
        }
        if (Clock::now() - moved > kPatience)
            throw std::runtime_error("a member counted " + std::to_string(slowest) + " notifications of " +
                                     std::to_string(least));
    }
}

}  // namespace

Flow flow(Page& page, std::size_t members, std::uint64_t window, Clock::duration duration,
          const std::function<void()>& send_one) {
    page.clear();
    std::uint64_t sent = 0, slowest = 0;
    const auto begin = Clock::now();
    while (Clock::now() - begin < duration) {
        for (std::uint64_t i = 0; i < kBatch; ++i) send_one();
        sent += kBatch;
        if (sent + kBatch > slowest + window) slowest = await(page, members, sent + kBatch - window);
    }
    await(page, members, sent);
    const std::chrono::duration<double> taken = Clock::now() - begin;
    if (const auto most = page.most(members); most != sent)
        throw std::runtime_error("a member counted " + std::to_string(most) + " notifications of " +
                                 std::to_string(sent));
    return {static_cast<double>(sent * members) / taken.count(), taken.count(), sent};
}

}  // namespace muster::bench
