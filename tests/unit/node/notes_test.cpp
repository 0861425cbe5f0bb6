#include "node/notes.hpp"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

using cluster::Instant;
using cluster::Note;
using std::chrono::seconds;

TEST(Notes, ReadAsSentences) {
    EXPECT_EQ(to_line({Note::Kind::ready, "a", ""}).text, "ready");
    EXPECT_EQ(to_line({Note::Kind::node_down, "b", "silent for 2500 ms"}).text, "node b is down: silent for 2500 ms");
    EXPECT_EQ(to_line({Note::Kind::worker_up, "w", ""}).text, "worker w is attached");
    EXPECT_EQ(to_line({Note::Kind::dial_refused, "1.2.3.4:7100", "wrong scope"}).text,
              "1.2.3.4:7100 refused this node: wrong scope");
    EXPECT_EQ(to_line({Note::Kind::node_down, "b", ""}).severity, 2);
    EXPECT_EQ(to_line({Note::Kind::node_up, "b", ""}).severity, 1);
}

TEST(Notes, AreOneLineWhateverTheOtherSideSays) {
    EXPECT_EQ(to_line({Note::Kind::dial_refused, "1.2.3.4:7100", "no\n2024-01-01 node b is down"}).text,
              "1.2.3.4:7100 refused this node: no?2024-01-01 node b is down");
}

TEST(NoteLimiter, HoldsAStormBackAndSaysSo) {
    NoteLimiter limiter;
    const Note lost{Note::Kind::worker_lost, "w", ""};
    const auto at = [](int second) { return Instant(seconds(100 + second)); };
    for (std::uint64_t i = 0; i < NoteLimiter::kBurst; ++i) EXPECT_TRUE(limiter.take(lost, at(0)).has_value());
    for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.take(lost, at(1)).has_value());
    EXPECT_TRUE(limiter.take({Note::Kind::node_down, "b", ""}, at(1)).has_value()) << "other kinds are not held back";
    const auto later = limiter.take(lost, at(10));
    ASSERT_TRUE(later.has_value());
    EXPECT_EQ(later->text, "worker w lost its connection (and 7 more like it)");
    EXPECT_EQ(limiter.take(lost, at(10))->text, "worker w lost its connection");
}

}  // namespace
}  // namespace muster::node
