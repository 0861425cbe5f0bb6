#include "tests/integration/feed.hpp"
#include "tests/integration/mode.hpp"

#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

constexpr std::chrono::milliseconds kBetween{2};
constexpr std::uint32_t kMost = 60'000;  // fewer than any queue of the product holds

}  // namespace

Feed::Feed(const std::string& node) : ledger_(1, 1, kMost) {
    auto worker = Worker::connect(with_keys(Worker::Options{.nodes = {node}, .name = "feed"}));
    if (!worker) throw std::runtime_error("feed: " + worker.error().text);
    worker_ = std::move(*worker);
    thread_ = std::thread([this] { run(); });
}

Feed::~Feed() {
    stop();
}

void Feed::stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

void Feed::run() {
    auto next = std::chrono::steady_clock::now();
    for (std::uint32_t number = 1; number <= kMost && !stop_; ++number) {
        const auto report = worker_->notify_updated(kFed, to_data({0, number}));
        if (!report) return ledger_.broken("feed: " + report.error().text);
        ledger_.sent({0, number}, report->matched);
        next += kBetween;
        std::this_thread::sleep_until(next);
    }
}

}  // namespace muster::test
