// Compared with std::deque.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include "proto/ring.hpp"

namespace muster::proto::test {
namespace {

/// Counts its values, so that one that is never destroyed, or twice, is seen.
class Value {
public:
    explicit Value(int number) : number_(std::make_unique<int>(number)) { ++count; }
    Value(Value&& other) noexcept : number_(std::move(other.number_)) { ++count; }
    Value& operator=(Value&& other) noexcept = default;
    ~Value() { --count; }
    [[nodiscard]] int number() const { return *number_; }

    static inline int count = 0;

private:
    std::unique_ptr<int> number_;
};

bool are_equal(const Ring<Value>& ring, const std::deque<int>& expected) {
    return std::equal(ring.begin(), ring.end(), expected.begin(), expected.end(),
                      [](const Value& a, int b) { return a.number() == b; });
}

TEST(Ring, IsADeque) {
    {
        std::mt19937 random(7);
        Ring<Value> ring;
        std::deque<int> expected;
        for (int i = 0; i < 20000; ++i) {
            const auto place = [&](std::size_t more) {
                return static_cast<std::ptrdiff_t>(random() % (expected.size() + more));
            };
            const auto verb = random() % (i % 2000 < 1000 ? 6 : 10);  // it grows and shrinks
            if (verb < 4) {
                ring.push_back(Value(i));
                expected.push_back(i);
            } else if (verb == 4) {
                const auto at = place(1);
                ring.insert(ring.begin() + at, Value(i));
                expected.insert(expected.begin() + at, i);
            } else if (expected.empty()) {
                continue;
            } else if (verb == 5) {
                const auto at = place(0);
                const auto behind = ring.erase(ring.begin() + at);
                expected.erase(expected.begin() + at);
                ASSERT_EQ(behind - ring.begin(), at);
            } else {
                ring.pop_front();
                expected.pop_front();
            }
            ASSERT_TRUE(are_equal(ring, expected)) << i;
            if (i % 100 == 0) {
                Ring<Value> other(std::move(ring));
                ring = std::move(other);
            }
        }
        EXPECT_EQ(Value::count, static_cast<int>(expected.size()));
        ring.clear();
        EXPECT_TRUE(ring.empty());
        EXPECT_EQ(Value::count, 0);
        for (int i = 0; i < 3; ++i) ring.push_back(Value(i));
        EXPECT_EQ(ring.front().number() + ring.back().number(), 2);
    }
    EXPECT_EQ(Value::count, 0);
}

}  // namespace
}  // namespace muster::proto::test
