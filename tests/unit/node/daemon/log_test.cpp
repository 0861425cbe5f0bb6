// The daemon's log: lines that people read and programs take apart.
#include "node/daemon/log.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace muster::daemon {
namespace {

/// What the log writes to standard error, without the time that a line of text begins with.
std::string written(const std::string& level, const std::string& format, const LogLine& line) {
    testing::internal::CaptureStderr();
    make_log(level, format)(line);
    const auto text = testing::internal::GetCapturedStderr();
    return format == "json" || text.empty() ? text : text.substr(text.find(' ') + 1);
}

const LogLine kDown{2, "node_down", "node b is down: silent for long", {{"node", "b"}, {"detail", "silent for long"}}};

TEST(Log, TextHasTheSentenceAndThenTheFields) {
    EXPECT_EQ(written("info", "text", kDown),
              "warn node b is down: silent for long event=node_down detail=\"silent for long\" node=b\n");
    EXPECT_EQ(written("info", "text", {1, "leaving", "leaving", {}}), "info leaving event=leaving\n");
}

TEST(Log, FieldsCannotBeMistaken) {
    const auto value = [](const std::string& field) {
        const auto text = written("info", "text", {1, "e", "t", {{"f", field}}});
        return text.substr(text.find("f=") + 2, text.size() - text.find("f=") - 3);
    };
    EXPECT_EQ(value("127.0.0.1:7100"), "127.0.0.1:7100");
    EXPECT_EQ(value("b event=node_down"), "\"b event=node_down\"");
    EXPECT_EQ(value("b=1"), "\"b=1\"");
    EXPECT_EQ(value("a\"b"), "\"a\\\"b\"");
    EXPECT_EQ(value(""), "\"\"");
    EXPECT_EQ(value("a\nb"), "\"a\\nb\"");
}

TEST(Log, JsonIsOneObjectALine) {
    const auto text = written("info", "json", kDown);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    const auto object = nlohmann::json::parse(text);
    EXPECT_GT(object["time_ms"], 0);
    EXPECT_EQ(object["level"], "warn");
    EXPECT_EQ(object["event"], "node_down");
    EXPECT_EQ(object["message"], "node b is down: silent for long");
    EXPECT_EQ(object["node"], "b");
    EXPECT_EQ(object["detail"], "silent for long");
    EXPECT_EQ(object.size(), 6u);
    const auto odd = nlohmann::json::parse(written("info", "json", {1, "e", "\xff{}", {{"node", "\xfe"}}}));
    EXPECT_EQ(odd["node"], "\xEF\xBF\xBD") << "what is no text does not end the log";
}

TEST(Log, TimesAreInUtcWhateverTheTimeZone) {
    ::setenv("TZ", "America/New_York", 1);
    ::tzset();
    LogLine line{1, "e", "t", {}};
    line.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'000'000'000'123));
    testing::internal::CaptureStderr();
    make_log("info", "text")(line);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "2001-09-09T01:46:40.123Z info t event=e\n");
    ::unsetenv("TZ");
    ::tzset();
}

TEST(Log, TheJournalGetsPrioritiesAndNoSecondTime) {
    for (const auto& [severity, expected] :
         {std::pair(0, "<7>debug t event=e\n"), std::pair(1, "<6>info t event=e\n"),
          std::pair(2, "<4>warn t event=e\n"), std::pair(3, "<3>error t event=e\n")}) {
        testing::internal::CaptureStderr();
        struct stat about {};
        ASSERT_EQ(::fstat(STDERR_FILENO, &about), 0);
        ::setenv("JOURNAL_STREAM", (std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino)).c_str(), 1);
        make_log("debug", "text")({severity, "e", "t", {}});
        print_error("wrong");
        EXPECT_EQ(testing::internal::GetCapturedStderr(), expected + std::string("<3>musterd: wrong\n"));
    }
    ::setenv("JOURNAL_STREAM", "1:1", 1);  // of another descriptor: standard error was redirected
    EXPECT_EQ(written("info", "text", {1, "e", "t", {}}), "info t event=e\n");
    ::unsetenv("JOURNAL_STREAM");
}

TEST(Log, LevelsAreHeldBack) {
    EXPECT_EQ(written("error", "text", kDown), "");
    EXPECT_NE(written("warn", "text", kDown), "");
    EXPECT_EQ(written("info", "json", {0, "e", "t", {}}), "");
    EXPECT_NE(written("debug", "json", {0, "e", "t", {}}), "");
}

}  // namespace
}  // namespace muster::daemon
