#include <gtest/gtest.h>
#include <muster/result.hpp>

#include <memory>
#include <vector>

namespace muster {
namespace {

/// A list that knows whether anything of it is left.
using Counted = std::vector<std::shared_ptr<int>>;

Result<Counted> three(const std::shared_ptr<int>& each) {
    return Counted(3, each);
}

TEST(Result, AListTakenFromATemporaryLivesWhileItIsWalked) {
    const auto each = std::make_shared<int>(7);
    int walked = 0;
    for (const auto& one : *three(each)) {
        ++walked;
        EXPECT_EQ(each.use_count(), 4);
        EXPECT_EQ(one, each);
    }
    EXPECT_EQ(walked, 3);
    EXPECT_EQ(each.use_count(), 1);
}

TEST(Result, TheValueOfATemporaryIsMovedOut) {
    Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
    const auto taken = *std::move(result);
    EXPECT_EQ(*taken, 7);
}

TEST(Result, AnErrorIsNoValue) {
    const Result<int> result(Error{ErrorCode::timeout, "allow more time"});
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::timeout);
}

}  // namespace
}  // namespace muster
