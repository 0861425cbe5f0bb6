// The example that is installed as /etc/muster/musterd.toml: all settings, with their defaults, and nothing else.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include "node/daemon/config.hpp"
#include "node/daemon/settings.hpp"

namespace muster::daemon {
namespace {

const std::filesystem::path kExample = std::filesystem::path(MUSTER_SOURCE_DIR) / "node/daemon/musterd.toml";

struct Example {
    std::vector<std::string> keys;
    std::map<std::string, std::string> values;  // without quotes
    std::string uncommented;

    Example() {
        const std::regex setting("#([a-z_]+) = (.*)");
        std::ifstream file(kExample);
        for (std::string line; std::getline(file, line);) {
            std::smatch match;
            const bool is_setting = std::regex_match(line, match, setting);
            EXPECT_TRUE(is_setting || line.empty() || line.starts_with("# ") || line.starts_with("## ")) << line;
            uncommented += (is_setting ? line.substr(1) : line) + '\n';
            if (!is_setting) continue;
            keys.push_back(match[1]);
            std::string value = match[2];
            std::erase(value, '"');
            EXPECT_TRUE(values.emplace(match[1], value).second) << match[1] << " is there twice";
        }
    }
};

TEST(ExampleConfig, HasEverySettingOnce) {
    std::vector<std::string> all;
    for (const auto& setting : settings()) all.emplace_back(setting.key);
    auto keys = Example().keys;
    std::sort(all.begin(), all.end());
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, all);
}

TEST(ExampleConfig, GivesTheDefaultsThatTheHelpGives) {
    const Example example;
    std::size_t compared = 0;
    for (const auto& setting : settings()) {
        const std::string help = setting.help;
        const auto at = help.find("(default ");
        if (at == std::string::npos || !example.values.contains(setting.key)) continue;
        if (std::string_view(setting.key) == "scope") continue;   // the example leads away from the default
        if (std::string_view(setting.key) == "memory") continue;  // its default depends on the machine
        std::string given = help.substr(at + 9);
        std::erase(given, '"');
        EXPECT_TRUE(given.starts_with(example.values.at(setting.key))) << setting.key << ": " << given;
        ++compared;
    }
    EXPECT_GT(compared, 10u);
}

TEST(ExampleConfig, IsTakenWithAndWithoutItsCommentSigns) {
    const auto copy = std::filesystem::temp_directory_path() / ("muster_example_" + std::to_string(::getpid()));
    std::ofstream(copy) << Example().uncommented;
    for (const auto& path : {kExample, copy}) {
        const std::string name = path;
        const char* argv[] = {"musterd", "--config", name.c_str()};
        EXPECT_EQ(load_config(3, argv, {}).problems, std::vector<std::string>{});
    }
    std::filesystem::remove(copy);
}

}  // namespace
}  // namespace muster::daemon
