// Replays every scenario and holds it against its transcript.
//   muster_scenario_test            compares
//   muster_scenario_test --update   writes the transcripts anew; read the difference before you commit it
#include "tests/sim/scenario.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace muster::sim {
namespace {

bool update = false;

std::string read(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> scenarios() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(MUSTER_SCENARIOS)) {
        if (entry.path().extension() == ".txt") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Scenario : public testing::TestWithParam<std::string> {};

TEST_P(Scenario, has_its_transcript) {
    const auto path = std::filesystem::path(MUSTER_SCENARIOS) / (GetParam() + ".txt");
    const std::string expected = read(path);
    const std::string played = play(expected);
    EXPECT_EQ(played.find("VIOLATION"), std::string::npos) << played;
    EXPECT_NE(expected.find("\nsettle\n"), std::string::npos) << "a scenario must end settled";
    if (update)
        std::ofstream(path) << played;
    else
        EXPECT_EQ(played, expected) << "if the new transcript is right: muster_scenario_test --update";
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(scenarios()), [](const auto& named) { return named.param; });

TEST(ScenarioScript, a_bad_line_is_named) {
    EXPECT_THROW(play("nodes a\nfly a\n"), BadScript);
    EXPECT_THROW(play("nodes a\nstart b\n"), BadScript);
    EXPECT_THROW(play("nodes a\nstart a\njoin a orders\n"), BadScript);
    EXPECT_THROW(play("nodes a\nrun 3\n"), BadScript);
}

TEST(ScenarioScript, another_outcome_is_another_transcript) {
    const std::string begin = "nodes a b\nstart a b\nrun 1s\njoin a s:f\nrun 100ms\n";
    EXPECT_NE(play(begin + "leave a s:f\nsettle\n"), play(begin + "notify a s:f\nsettle\n"));
    EXPECT_NE(play(begin + "cut a and b\nrun 5s\nsettle\n").find("VIOLATION: not settled"), std::string::npos);
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    muster::sim::update = argc == 2 && std::string_view(argv[1]) == "--update";
    return RUN_ALL_TESTS();
}
