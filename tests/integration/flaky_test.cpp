// Nothing is lost while its member lives, though every connection keeps breaking.
// The same at full size: scripts/flaky.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/integration/flaky_run.hpp"

namespace muster::test {
namespace {

TEST(Flaky, EveryNotificationArrivesOnceAndInOrderThoughConnectionsBreak) {
    FlakyOptions options;
    options.notifications = 20'000;
    options.seed = 20'000;
    options.faults.every = milliseconds(60);
    const auto result = run_flaky(options);
    std::printf("[ measured ] seed %llu: %s\n", static_cast<unsigned long long>(options.seed), to_text(result).c_str());
    for (const auto& line : result.broken) ADD_FAILURE() << line;
    EXPECT_GE(result.notifications, options.notifications);
    EXPECT_GE(result.deliveries, 3 * options.notifications);
    EXPECT_EQ(result.blackouts, options.blackouts);
    EXPECT_GE(result.proxy.resets, 24u);
    EXPECT_GE(result.lost_attachments, 12u);
}

}  // namespace
}  // namespace muster::test
