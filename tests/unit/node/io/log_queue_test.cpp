// The log's queue, with readers that are slow, blocked or broken.
#include "node/io/log_queue.hpp"

#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <string>

#include "tests/unit/node/support.hpp"

namespace muster::node {
namespace {

using Clock = std::chrono::steady_clock;

/// A line of an event of its own, so that the rate of lines is not limited.
LogLine line(std::size_t i) {
    return {1, "event" + std::to_string(i), std::to_string(i), {}};
}

TEST(LogQueue, ReportsInItsPlaceHowManyLinesWereDropped) {
    std::promise<void> entered;
    std::promise<void> release;
    test::Seen<LogLine> seen;
    const auto counts = std::make_shared<LogCounts>();
    LogQueue queue(
        [&](const LogLine& one) {
            if (one.text == "0") {
                entered.set_value();
                release.get_future().wait();
            }
            seen.add(one);
        },
        counts);
    queue.push(line(0));
    entered.get_future().wait();
    for (std::size_t i = 1; i <= LogQueue::kMost + 5; ++i) queue.push(line(i));
    EXPECT_EQ(counts->dropped, 5u);
    release.set_value();
    const auto written = seen.wait_for(LogQueue::kMost + 2);
    ASSERT_EQ(written.size(), LogQueue::kMost + 2);
    EXPECT_EQ(written[LogQueue::kMost].text, std::to_string(LogQueue::kMost));
    EXPECT_EQ(written.back().event, "log_lines_dropped");
    EXPECT_EQ(written.back().fields.at("dropped"), "5");
    queue.push(line(9999));
    EXPECT_EQ(seen.wait_for(LogQueue::kMost + 3).back().text, "9999");
}

TEST(LogQueue, TheEndDoesNotWaitForAWriteThatBlocks) {
    struct Gate {
        std::promise<void> entered;
        std::promise<void> release;
        std::promise<void> returned;
    };
    const auto gate = std::make_shared<Gate>();
    const auto before = [&] {
        LogQueue queue(
            [gate](const LogLine&) {
                gate->entered.set_value();
                gate->release.get_future().wait();
                gate->returned.set_value();
            },
            std::make_shared<LogCounts>());
        queue.push(line(1));
        gate->entered.get_future().wait();
        return Clock::now();
    }();
    EXPECT_GE(Clock::now() - before, LogQueue::kPatience);
    EXPECT_LT(Clock::now() - before, 20 * LogQueue::kPatience);
    gate->release.set_value();
    gate->returned.get_future().wait();
}

TEST(LogQueue, TheEndWritesWhatWaits) {
    test::Seen<LogLine> seen;
    {
        LogQueue queue([&](const LogLine& one) { seen.add(one); }, std::make_shared<LogCounts>());
        for (std::size_t i = 0; i < 100; ++i) queue.push(line(i));
    }
    EXPECT_EQ(seen.now().size(), 100u);
}

TEST(LogQueue, AWriteMayThrowAndMayEndTheQueue) {
    test::Seen<LogLine> seen;
    const auto counts = std::make_shared<LogCounts>();
    std::optional<LogQueue> queue;
    queue.emplace(
        [&](const LogLine& one) {
            if (one.text == "0") throw std::runtime_error("no");
            queue->close();
            seen.add(one);
        },
        counts);
    queue->push(line(0));
    queue->push(line(1));
    EXPECT_EQ(seen.wait_for(1).size(), 1u);
    EXPECT_EQ(counts->threw, 1u);
    queue->push(line(2));
    EXPECT_EQ(seen.now().size(), 1u);
    queue.reset();
}

}  // namespace
}  // namespace muster::node
