// A worker that does not listen for longer than its node can keep what it is told.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Strings = std::vector<std::string>;

/// One node with a small backlog, and one worker.
struct Overflow {
    explicit Overflow(Strings bound) : cluster(1, with_grace(std::move(bound))) {}
    static Strings with_grace(Strings arguments) {
        arguments.insert(arguments.end(), {"--session-grace", "20000"});
        return arguments;
    }

    /// So many notifications with `data` while the worker is stopped. Returns how many it was told it missed.
    /// What it got and what it was told must add up, place by place.
    std::uint64_t missed_of(std::uint64_t count, const std::string& data) {
        const auto worker = join(cluster, 0);
        const auto dropped_before = dropped();
        const auto first = notify(cluster, 0, "null", {"--wait"});
        EXPECT_EQ(first["delivered"], 1);
        worker->signal(SIGSTOP);
        const auto sent = run({MUSTER_PATH, "--node", cluster.address(0), "--json", "notify", "created", "orders",
                               "subscriptions", "-", "--count", std::to_string(count)},
                              kPatience, data);
        EXPECT_EQ(sent.status, 0) << sent.errors;
        worker->signal(SIGCONT);
        EXPECT_EQ(notify(cluster, 0, "\"the end\"", {"--wait"})["delivered"], 1);
        EXPECT_TRUE(worker->wait_for_line("the end"));

        std::uint64_t missed = 0;
        std::uint64_t told = 0;  // since the last notification
        std::uint64_t last = 0;
        std::uint64_t got = 0;
        for (const auto& line : worker->lines()) {
            const auto event = Json::parse(line);
            if (event["event"] == "gap") told += event["missed"].get<std::uint64_t>();
            if (!event.contains("seq")) continue;
            const auto seq = event["seq"].get<std::uint64_t>();
            if (last != 0) {
                EXPECT_EQ(seq, last + 1 + told);
            }
            missed += told;
            told = 0;
            last = seq;
            ++got;
        }
        EXPECT_EQ(told, 0u);
        EXPECT_EQ(got + missed, count + 2);
        EXPECT_EQ(dropped() - dropped_before, missed);
        worker->signal(SIGTERM);
        EXPECT_EQ(worker->wait_exit(), 0);
        return missed;
    }
    std::uint64_t dropped() const {
        return ask(cluster, 0, {"status"})["counters"].value("notifications_dropped", std::uint64_t{0});
    }

    Cluster cluster;
};

TEST(Overflow, AFullBacklogOfBytesTellsExactlyHowManyWereMissed) {
    Overflow test({"--backlog-bytes", "4194304"});
    const std::string data = '"' + std::string(400'000, 'x') + '"';  // ten fit, and no eleventh
    EXPECT_EQ(test.missed_of(10, data), 0u);
    EXPECT_EQ(test.missed_of(11, data), 1u);
    EXPECT_EQ(test.missed_of(12, data), 2u);
    EXPECT_EQ(test.missed_of(40, data), 30u);
}

TEST(Overflow, AFullBacklogOfItemsTellsExactlyHowManyWereMissed) {
    Overflow test({"--backlog-items", "16"});
    EXPECT_EQ(test.missed_of(16, "1"), 0u);
    EXPECT_EQ(test.missed_of(17, "1"), 1u);
    EXPECT_EQ(test.missed_of(18, "1"), 2u);
    EXPECT_EQ(test.missed_of(1000, "1"), 984u);
}

}  // namespace
}  // namespace muster::test
