#include "tests/integration/bystanders.hpp"
#include "tests/integration/mode.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr milliseconds kBatch{200};
const Group kBystanders{"orders", "bystanders"};

std::unique_ptr<Worker> attach(const std::string& node, const std::string& name) {
    auto worker = Worker::connect(with_keys(Worker::Options{.nodes = {node}, .name = name}));
    if (!worker) throw std::runtime_error(name + ": " + worker.error().text);
    return std::move(*worker);
}

/// The value that the given share of the list does not exceed; the list must not be empty.
microseconds percentile(std::vector<microseconds> list, double share) {
    std::sort(list.begin(), list.end());
    return list[std::min(list.size() - 1, static_cast<std::size_t>(share * static_cast<double>(list.size())))];
}

}  // namespace

std::string to_text(const Latency& latency) {
    std::ostringstream text;
    text << "p50 " << latency.p50.count() << " us, p99 " << latency.p99.count() << " us, longest "
         << latency.longest.count() << " us (" << latency.calls << " calls)";
    return text.str();
}

Bystanders::Bystanders(const std::vector<std::string>& nodes) : notifier_(attach(nodes.front(), "bystander")) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        members_.push_back(attach(nodes[i], "bystander-" + std::to_string(i + 1)));
        add(*members_.back());
    }
}

void Bystanders::add(Tracker& tracker) {
    JoinOptions options;
    options.visible = true;
    const auto joined = tracker.join(
        kBystanders, [](const Notification&) {}, options);
    if (!joined || joined->unseen != 0) throw std::runtime_error("a bystander could not join");
    ++expected_;
}

microseconds Bystanders::call() {
    const auto since = Clock::now();
    const auto report = notifier_->notify_created(kBystanders, Data{}, {.wait = true, .timeout = milliseconds(20'000)});
    const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - since);
    EXPECT_TRUE(report) << report.error().text;
    EXPECT_EQ(report ? report->delivered : 0, expected_);
    return took;
}

Latency Bystanders::measure(milliseconds duration) {
    Latency result;
    std::vector<microseconds> medians;
    std::vector<microseconds> tails;
    const auto until = Clock::now() + duration;
    while (Clock::now() < until) {
        std::vector<microseconds> batch;
        const auto end = Clock::now() + kBatch;
        do {
            batch.push_back(call());
        } while (Clock::now() < end);
        result.calls += batch.size();
        result.longest = std::max(result.longest, *std::max_element(batch.begin(), batch.end()));
        medians.push_back(percentile(batch, 0.5));
        tails.push_back(percentile(batch, 0.99));
    }
    result.p50 = percentile(medians, 0.5);
    result.p99 = percentile(tails, 0.5);
    return result;
}

}  // namespace muster::test
