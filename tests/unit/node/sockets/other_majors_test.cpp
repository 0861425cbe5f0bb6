#include "node/sockets/other_majors.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace muster::node {
namespace {

using std::chrono::seconds;

const std::string kFrame("\x91\x07", 2);
const std::string kText = " speaks version 7 of the protocol, this node version 1: update the older of the two";

TEST(OtherMajors, AreLoggedOnceAMinuteEachWithWhatWasHeldBack) {
    std::vector<std::string> lines;
    NodeCounters counts;
    OtherMajors majors(counts, [&](const LogLine& line) { lines.push_back(line.text); });
    cluster::Instant at{seconds(1000)};
    for (int i = 0; i < 5; ++i) majors.warn("a", kFrame, at);
    majors.warn("b", kFrame, at + seconds(1));
    majors.warn("a", kFrame, at + seconds(59));
    majors.warn("a", kFrame, at + seconds(60));
    EXPECT_EQ(lines, (std::vector<std::string>{"a" + kText, "b" + kText + " (and 4 more like it)",
                                               "a" + kText + " (and 1 more like it)"}));
}

TEST(OtherMajors, LoggedLinesAreBounded) {
    std::size_t lines = 0;
    NodeCounters counts;
    OtherMajors majors(counts, [&](const LogLine&) { ++lines; });
    for (int i = 0; i < 1000; ++i) majors.warn(std::to_string(i), kFrame, cluster::Instant{seconds(1000)});
    EXPECT_EQ(lines, OtherMajors::kMaxSenders);
    std::map<std::string, std::uint64_t> counters;
    counts.add_to(counters);
    EXPECT_EQ(counters.at("log_lines_held_back"), 1000 - OtherMajors::kMaxSenders);
}

}  // namespace
}  // namespace muster::node
