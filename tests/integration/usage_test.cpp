// What goes wrong before anything runs: one clear line, the right status, and
// nothing else disturbed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/integration/cluster.hpp"

namespace muster::test {
namespace {

using Words = std::vector<std::string>;

void expect_one_line(const Finished& done, int status, const std::string& text) {
    EXPECT_EQ(done.status, status) << done.errors;
    EXPECT_EQ(std::count(done.errors.begin(), done.errors.end(), '\n'), 1) << done.errors;
    EXPECT_NE(done.errors.find(text), std::string::npos) << done.errors;
}

Finished muster(Words words) {
    words.insert(words.begin(), MUSTER_PATH);
    return run(std::move(words));
}

Finished musterd(Words words) {
    words.insert(words.begin(), MUSTERD_PATH);
    return run(std::move(words));
}

TEST(Usage, BadWordsOfTheCommandLineAreStatus2) {
    expect_one_line(muster({}), 2, "muster: ");
    expect_one_line(muster({"dance"}), 2, "there is no command 'dance'");
    expect_one_line(muster({"dance", "--json"}), 2, "there is no command 'dance'");
    expect_one_line(muster({"members", "orders"}), 2, "muster: ");
    expect_one_line(muster({"notify", "exploded", "a", "b"}), 2, "exploded");
    expect_one_line(muster({"join", "a", "b", "--meta", "novalue"}), 2, "KEY=VALUE");
    expect_one_line(muster({"notify", "created", "a", "b", "{broken"}), 2, "JSON");
    expect_one_line(muster({"--node", "nowhere", "nodes"}), 2, "host:port");
    expect_one_line(muster({"key", "", "b"}), 2, "empty");
    EXPECT_EQ(muster({"--help"}).status, 0);
    EXPECT_EQ(muster({"--version"}).status, 0);
}

TEST(Usage, AStandardInputThatCannotBeReadIsNoData) {
    const auto notify = [](const std::string& input) {
        return run({"/bin/sh", "-c", std::string("exec ") + MUSTER_PATH + " notify created a b - " + input});
    };
    expect_one_line(notify("</"), 2, "cannot read standard input: Is a directory");
    expect_one_line(notify("<&-"), 2, "cannot read standard input: Bad file descriptor");
}

TEST(Usage, BadSettingsOfTheDaemonAreStatus2AndNameTheLine) {
    expect_one_line(musterd({"--listen", "70000"}), 2, "musterd: ");
    expect_one_line(musterd({"--name", "a b"}), 2, "a b");
    expect_one_line(musterd({"--wrong"}), 2, "--wrong");
    expect_one_line(musterd({"--config", "/no/such/file.toml"}), 2, "/no/such/file.toml");

    const auto file = std::filesystem::temp_directory_path() / ("muster-usage-" + std::to_string(::getpid()) + ".toml");
    std::ofstream(file) << "name = \"a\"\nlistenn = \"127.0.0.1:7100\"\n";
    expect_one_line(musterd({"--config", file.string()}), 2, file.string() + ":2");
    std::ofstream(file) << "name = \n";
    expect_one_line(musterd({"--config", file.string()}), 2, file.string() + ":1");
    std::filesystem::remove(file);
}

TEST(Usage, CheckConfigTellsEveryProblemAndStartsNothing) {
    const auto check = [](Words words) {
        words.insert(words.begin(), {MUSTERD_PATH, "--check-config"});
        return run(std::move(words));
    };
    // These ports could be bound by root at most, and they need not be free.
    const auto good = check({"--name", "a", "--listen", "127.0.0.1:1", "--http", "127.0.0.1:2"});
    EXPECT_EQ(good.status, 0) << good.errors;
    EXPECT_EQ(good.lines, Words{"ok"});
    EXPECT_EQ(good.errors, "");

    const auto file = std::filesystem::temp_directory_path() / ("muster-check-" + std::to_string(::getpid()) + ".toml");
    std::ofstream(file) << "name = \"a\"\nlistenn = \"127.0.0.1:7100\"\nlog_level = \"loud\"\n";
    const auto bad = check({"--config", file.string()});
    EXPECT_EQ(bad.status, 2);
    EXPECT_EQ(bad.errors, "musterd: " + file.string() +
                              ":2: listenn: unknown setting: did you mean listen?\nmusterd: " + file.string() +
                              ":3: log_level: \"loud\" is not one of debug, info, warn, error\n");
    expect_one_line(musterd({"--config", file.string()}), 2, "did you mean listen? (and 1 more: see musterd --check-");
    std::filesystem::remove(file);

    // What only the whole shows, and what is in other files.
    expect_one_line(check({"--key", "a.key"}), 2, "or neither");
    expect_one_line(check({"--name", "a", "--key", "/no/such/a.key", "--keys", "/no/such"}), 2, "/no/such");
    expect_one_line(check({"--listen", "0.0.0.0:7100"}), 2, "--advertise");
    expect_one_line(check({"--listen", "0.0.0.0:7100", "--advertise", "10.0.0.1:7100"}), 2, "--insecure");
}

TEST(Usage, AnUnreachableNodeIsStatus3) {
    expect_one_line(muster({"--node", "127.0.0.1:" + std::to_string(free_port()), "nodes"}), 3, "127.0.0.1");
}

TEST(Usage, TimeThatRunsOutIsStatus124) {
    Cluster cluster(1);
    EXPECT_EQ(cluster.muster(0, {"watch", "--for", "1", "--timeout", "0.3"}).status, 124);
    EXPECT_EQ(cluster.muster(0, {"join", "a", "b", "--timeout", "0.3"}).status, 124);
}

TEST(Usage, WhatOthersHaveNamedDoesNotSteerTheTerminal) {
    Cluster cluster(1);
    const std::vector<const char*> controls{"\x1b", "\x7f", "\u009b", "\u202e"};
    const auto worker = cluster.stay(0, {"join", "\x1b[31mred", "two\nlines", "--meta", "a=\u009b1m \x7f \u202eabc"});
    ASSERT_TRUE(worker->wait_for_line("joined"));
    for (const Words& words : {Words{"groups"}, {"members", "\x1b[31mred", "two\nlines"}}) {
        Words command = words;
        command.insert(command.begin(), {"--node", cluster.address(0)});
        const auto shown = muster(command);
        ASSERT_EQ(shown.status, 0) << shown.errors;
        EXPECT_EQ(shown.lines.size(), 2u);
        for (const auto& line : shown.lines)
            for (const char* control : controls) EXPECT_EQ(line.find(control), std::string::npos) << line;
        command.push_back("--json");
        const auto json = muster(command);
        ASSERT_EQ(json.lines.size(), 1u);
        for (const char* control : controls) EXPECT_EQ(json.lines[0].find(control), std::string::npos) << json.lines[0];
        EXPECT_NE(nlohmann::json::parse(json.lines[0]).dump().find("two\\nlines"), std::string::npos);
    }
}

TEST(Usage, APortInUseIsToldAndTheOtherNodeIsUnharmed) {
    Cluster cluster(1);
    const auto second = musterd({"--name", "second", "--listen", cluster.address(0)});
    expect_one_line(second, 1, "cannot listen on " + cluster.address(0));
    EXPECT_EQ(cluster.muster(0, {"nodes"}).status, 0);
}

TEST(Usage, AnUnresolvableSeedIsToldAndTheNodeServesAllTheSame) {
    const auto address = "127.0.0.1:" + std::to_string(free_port());
    Process node({MUSTERD_PATH, "--name", "a", "--listen", address, "--seed", "no-such-host.invalid:7100",
                  "--ready-wait", "300"});
    EXPECT_TRUE(node.wait_for_error("no-such-host.invalid"));
    EXPECT_TRUE(node.wait_for_error("ready"));
    EXPECT_EQ(run({MUSTER_PATH, "--node", address, "nodes"}).status, 0);
}

TEST(Usage, ANameTakenByALiveNodeIsRefusedAndNothingElseIsDisturbed) {
    Cluster cluster(2);
    const auto worker = cluster.stay(1, {"join", "a", "b", "--visible"});
    ASSERT_TRUE(worker->wait_for_line("joined"));
    const auto watcher = cluster.stay(0, {"watch"});
    ASSERT_TRUE(watcher->wait_for_line("snapshot"));

    const auto elsewhere = "127.0.0.1:" + std::to_string(free_port());
    const auto twin = musterd({"--name", Cluster::name(1), "--listen", elsewhere, "--seed", cluster.address(0)});
    EXPECT_EQ(twin.status, 1) << twin.errors;
    EXPECT_NE(twin.errors.find("is taken by a live node at " + cluster.address(1)), std::string::npos) << twin.errors;

    EXPECT_EQ(watcher->lines().size(), 1u) << watcher->lines().back();
    const auto notified = cluster.muster(0, {"notify", "created", "a", "b", "--wait"});
    ASSERT_EQ(notified.status, 0);
    EXPECT_EQ(nlohmann::json::parse(notified.lines.at(0))["delivered"], 1);
}

}  // namespace
}  // namespace muster::test
