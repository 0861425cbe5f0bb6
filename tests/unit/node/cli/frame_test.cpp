// What `muster top` shows of a sample.
#include "node/cli/frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace muster::cli::test {
namespace {

class Frame : public ::testing::Test {
protected:
    Frame() {
        now.status.node = {{"a", Incarnation{1}}, NodeState::alive, "a:7100"};
        now.status.scope = "default";
        now.status.ready = true;
        now.nodes = {now.status.node, {{"b", Incarnation{2}}, NodeState::alive, "b:7100"}};
        ages.take(now);
        view.now = &now;
        view.ages = &ages;
    }
    std::vector<Line> lines(std::size_t rows = 24) { return frame_of(view, rows); }
    std::ptrdiff_t silent_lines() {
        const auto all = lines();
        return std::count_if(all.begin(), all.end(),
                             [](const Line& line) { return line.text.starts_with("nothing arrives"); });
    }

    Sample now;
    StateAges ages;
    View view;
};

TEST_F(Frame, HasALineForEachSilentChannelBelowTheHead) {
    EXPECT_EQ(silent_lines(), 0);
    now.status.silent_channels = {"from this node to the gossip port of b, b:7102",
                                  "from b to the control port of this node, a:7101"};
    const auto all = lines();
    ASSERT_GE(all.size(), 4u);
    EXPECT_EQ(all[1].text, "nothing arrives from this node to the gossip port of b, b:7102");
    EXPECT_EQ(all[2].text, "nothing arrives from b to the control port of this node, a:7101");
    EXPECT_EQ(all[1].style, Style::doubtful);
    EXPECT_TRUE(all[3].text.starts_with("nodes 2 alive")) << all[3].text;
    now.status.silent_channels.clear();
    EXPECT_EQ(silent_lines(), 0);
}

/// The reason why the newest sample is missing comes first: the channels are as old as the sample.
TEST_F(Frame, TellsOfTroubleBeforeSilentChannels) {
    now.status.silent_channels = {"from this node to the gossip port of b, b:7102"};
    now.at = Sample::Clock::now();
    view.trouble = "unreachable: no node answers";
    const auto all = lines();
    ASSERT_GE(all.size(), 3u);
    EXPECT_TRUE(all[1].text.ends_with("unreachable: no node answers")) << all[1].text;
    EXPECT_TRUE(all[2].text.starts_with("nothing arrives")) << all[2].text;
}

TEST_F(Frame, IsNotLongerThanTheTerminalForSilentChannels) {
    now.status.silent_channels.assign(50, "from this node to the gossip port of b, b:7102");
    for (const std::size_t rows : {1, 2, 8, 24}) EXPECT_EQ(lines(rows).size(), rows);
}

TEST_F(Frame, TellsProgramsOfSilentChannels) {
    now.status.silent_channels = {"from this node to the gossip port of b, b:7102"};
    now.status.counters = {{"channels_silent", 1}, {"channel_faults", 1}};
    const Json told = json_of(view);
    EXPECT_EQ(told["silent_channels"], Json(now.status.silent_channels));
    EXPECT_FALSE(told["per_second"].contains("channels_silent")) << "it is a level";
    EXPECT_TRUE(told["per_second"].contains("channel_faults"));
}

}  // namespace
}  // namespace muster::cli::test
