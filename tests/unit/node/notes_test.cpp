#include "node/notes.hpp"

#include <gtest/gtest.h>

#include "node/io/line_limiter.hpp"

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

TEST(Notes, HaveFieldsForPrograms) {
    using Fields = std::map<std::string, std::string>;
    const auto down = to_line({Note::Kind::node_down, "b", "restarted"});
    EXPECT_EQ(down.event, "node_down");
    EXPECT_EQ(down.fields, (Fields{{"node", "b"}, {"detail", "restarted"}}));
    EXPECT_EQ(to_line({Note::Kind::worker_resumed, "w", ""}).fields, (Fields{{"worker", "w"}}));
    EXPECT_EQ(to_line({Note::Kind::dial_refused, "h:1", "no"}).fields, (Fields{{"address", "h:1"}, {"detail", "no"}}));
    EXPECT_EQ(to_line({Note::Kind::overflow, "w", "full"}).fields, (Fields{{"worker", "w"}, {"detail", "full"}}));
    EXPECT_EQ(to_line({Note::Kind::ready, "a", ""}).fields, Fields{});
    EXPECT_EQ(to_line({Note::Kind::self_accused, "a", ""}).event, "self_accused");
}

TEST(LineLimiter, RemovesControlCharacters) {
    LineLimiter limiter;
    const auto line = limiter.take(to_line({Note::Kind::dial_refused, "1.2.3.4:7100", "no\n2024-01-01 node b is down"}),
                                   LineLimiter::Instant{});
    EXPECT_EQ(line->text, "1.2.3.4:7100 refused this node: no?2024-01-01 node b is down");
    EXPECT_EQ(line->fields.at("detail"), "no?2024-01-01 node b is down");
}

TEST(LineLimiter, LimitsLinesOfOneKindAndReportsHowMany) {
    LineLimiter limiter;
    const auto lost = to_line({Note::Kind::worker_lost, "w", ""});
    const auto at = [](int second) { return LineLimiter::Instant(seconds(100 + second)); };
    for (std::uint64_t i = 0; i < LineLimiter::kBurst; ++i) EXPECT_TRUE(limiter.take(lost, at(0)).has_value());
    for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.take(lost, at(1)).has_value());
    EXPECT_TRUE(limiter.take(to_line({Note::Kind::node_down, "b", ""}), at(1)).has_value())
        << "other kinds are not held back";
    const auto later = limiter.take(lost, at(10));
    ASSERT_TRUE(later.has_value());
    EXPECT_EQ(later->text, "worker w lost its connection (and 7 more like it)");
    EXPECT_EQ(later->fields.at("held_back"), "7");
    EXPECT_EQ(limiter.take(lost, at(10))->text, "worker w lost its connection");
}

}  // namespace
}  // namespace muster::node
