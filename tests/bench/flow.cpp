#include "tests/bench/flow.hpp"

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace muster::bench {
namespace {

constexpr std::chrono::microseconds kNap{20};
constexpr std::chrono::seconds kPatience{10};

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

using Send = std::function<void(std::uint64_t times)>;

void keep_sending(const Page& page, const Stream& stream, std::atomic<std::uint64_t>& sent, const Send& send) {
    const auto end = Clock::now() + stream.duration;
    std::uint64_t slowest = 0;
    while (Clock::now() < end) {
        const std::uint64_t ahead = sent.fetch_add(kBatch) + kBatch;
        send(kBatch);
        if (ahead > slowest + stream.window) slowest = await(page, stream.members, ahead - stream.window);
    }
}

}  // namespace

Flow flow(Page& page, const Stream& stream, const Send& send) {
    page.clear();
    std::atomic<std::uint64_t> sent = 0;
    const auto begin = Clock::now();
    std::vector<std::future<void>> others;
    for (std::size_t i = 1; i < stream.threads; ++i)
        others.push_back(std::async(std::launch::async, [&] { keep_sending(page, stream, sent, send); }));
    keep_sending(page, stream, sent, send);
    for (auto& other : others) other.get();
    await(page, stream.members, sent);
    const std::chrono::duration<double> taken = Clock::now() - begin;
    if (const auto most = page.most(stream.members); most != sent)
        throw std::runtime_error("a member counted " + std::to_string(most) + " notifications of " +
                                 std::to_string(sent));
    return {static_cast<double>(sent * stream.members) / taken.count(), taken.count(), sent};
}

Data data_of(std::size_t bytes) {
    const std::size_t rest = bytes - 3;
    Data data;
    data.msgpack = {'\xc5', static_cast<char>(rest >> 8), static_cast<char>(rest & 0xff)};
    data.msgpack.append(rest, 'x');
    return data;
}

}  // namespace muster::bench
