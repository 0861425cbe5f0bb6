#include "node/io/receive_budget.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ReceiveBudget, IsSpentByMessagesOrBytes) {
    ReceiveBudget budget({3, 100, seconds(60)});
    budget.spend(10);
    budget.spend(10);
    EXPECT_FALSE(budget.is_spent());
    budget.spend(10);
    EXPECT_TRUE(budget.is_spent());
    EXPECT_EQ(budget.received(), 3u);
    ReceiveBudget of_bytes({1000, 100, seconds(60)});
    of_bytes.spend(1'000'000);
    EXPECT_TRUE(of_bytes.is_spent());
}

TEST(ReceiveBudget, IsSpentByTheTimeThatMessagesTake) {
    const auto begin = cpu_time();
    ReceiveBudget budget({1'000'000, SIZE_MAX, milliseconds(2)});
    while (!budget.is_spent()) {
        const auto until = cpu_time() + std::chrono::microseconds(100);  // as long as a signature takes
        while (cpu_time() < until) {
        }
        budget.spend(100);
    }
    EXPECT_GE(cpu_time() - begin, milliseconds(2));
    EXPECT_LT(budget.received(), 100u);
}

TEST(ReceiveBudget, IsSpentByOneMessageThatTakesLonger) {
    ReceiveBudget budget({1000, SIZE_MAX, milliseconds(0)});
    EXPECT_FALSE(budget.is_spent()) << "each call receives something";
    budget.spend(100);
    EXPECT_TRUE(budget.is_spent());
}

TEST(ReceiveBudget, APartIsSpentFromTheWhole) {
    ReceiveBudget whole({100, 1000, seconds(60)});
    ReceiveBudget part = whole.part({10, 1'000'000, seconds(60)});
    while (!part.is_spent()) part.spend(1);
    EXPECT_EQ(part.received(), 10u);
    whole.spend(part);
    EXPECT_EQ(whole.received(), 10u);
    ReceiveBudget rest = whole.part({1000, 2000, seconds(60)});
    rest.spend(990);
    EXPECT_TRUE(rest.is_spent()) << "990 bytes were left of 1000";
    whole.spend(rest);
    EXPECT_TRUE(whole.is_spent());
}

}  // namespace
}  // namespace muster::node
