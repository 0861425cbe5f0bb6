// A session's token is whoever has it being that worker: nothing that a person, a log or another worker reads shows it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/integration/cluster.hpp"
#include "tests/integration/raw_peer.hpp"

namespace muster::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The token that a state file keeps: in the later one of its two slots, behind the slot's turn.
std::uint64_t token_in(const std::string& state) {
    const auto bytes = read(state);
    std::uint64_t latest = 0;
    std::uint64_t token = 0;
    for (const std::size_t slot : {64u, 128u}) {
        std::uint64_t numbers[2] = {};
        if (bytes.size() < slot + sizeof numbers) continue;
        std::memcpy(numbers, bytes.data() + slot, sizeof numbers);
        if (numbers[0] < latest) continue;
        latest = numbers[0];
        token = numbers[1];
    }
    return token;
}

/// How it could be written: decimal, also signed; hexadecimal in either order of bytes; the bytes themselves.
std::vector<std::string> spellings(std::uint64_t secret) {
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(secret));
    std::string reversed;
    for (int i = 14; i >= 0; i -= 2) reversed += std::string(hex + i, 2);
    std::string raw(sizeof secret, '\0');
    std::memcpy(raw.data(), &secret, sizeof secret);
    return {std::to_string(secret), std::to_string(static_cast<std::int64_t>(secret)), hex, reversed, raw};
}

std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

std::string all_of(const Process& process) {
    std::string text = process.errors();
    for (const auto& line : process.lines()) text += line + '\n';
    return text;
}
std::string all_of(const Finished& done) {
    std::string text = done.errors;
    for (const auto& line : done.lines) text += line + '\n';
    return text;
}

struct Secrets : testing::Test {
    const std::string state = fs::temp_directory_path() / ("muster-secrets-" + std::to_string(::getpid()) + ".state");
    const std::string http = "127.0.0.1:" + std::to_string(free_port());
    Cluster cluster{{Place{{}, "127.0.0.1:" + std::to_string(free_port()), {"--http", http}},
                     Place{{}, "127.0.0.1:" + std::to_string(free_port())}},
                    {"--log-level", "debug", "--session-grace", "3000"}};
    std::map<std::string, std::string> seen;  // what has been shown, by where

    ~Secrets() override { fs::remove(state); }
    std::unique_ptr<Process> start() const {
        return cluster.stay(0, {"join", "orders", "subscriptions", "--state", state});
    }
    void look(const std::string& where) {
        for (const auto& words : {Words{"status"}, {"nodes"}, {"groups"}, {"members", "orders", "subscriptions"}})
            seen[where + words[0]] = all_of(cluster.muster(0, words)) + all_of(cluster.muster(1, words));
        for (const char* page : {"/status", "/healthz", "/readyz", "/metrics", "/"})
            if (const auto answer = http_get(http, page)) seen[where + page] = *answer;
    }
};

TEST_F(Secrets, ASessionsTokenIsShownNowhere) {
    const auto watcher = cluster.stay(1, {"watch"});
    ASSERT_TRUE(watcher->wait_for_line("snapshot"));
    const auto first = start();
    ASSERT_TRUE(first->wait_for_line("joined"));
    const std::uint64_t token = token_in(state);
    ASSERT_GT(token, 1u << 20u) << "this is no token, so the test would notice nothing";
    look("while it works: ");

    // Everything that can be said of it: resumed after a kill, refused to others, lost, and its file damaged.
    seen["a second process"] = all_of(cluster.muster(0, {"join", "orders", "subscriptions", "--state", state}));
    first->signal(SIGKILL);
    first->wait_exit();
    const auto second = start();
    ASSERT_TRUE(second->wait_for_line("joined"));
    ASSERT_EQ(token_in(state), token) << "it was not resumed";
    seen["a notification"] = all_of(cluster.muster(1, {"notify", "created", "orders", "subscriptions", "1", "--wait"}));
    look("resumed: ");
    second->signal(SIGKILL);
    second->wait_exit();
    auto bytes = read(state);
    for (std::size_t at = 70; at < bytes.size(); at += 97) bytes[at] = static_cast<char>(~bytes[at]);
    std::ofstream(state, std::ios::binary) << bytes;
    seen["a damaged state file"] =
        all_of(cluster.muster(0, {"join", "orders", "subscriptions", "--state", state, "--timeout", "1"}));
    EXPECT_TRUE(watcher->wait_for_line("worker_down"));
    look("lost: ");

    seen["the watcher"] = all_of(*watcher);
    seen["the first worker"] = all_of(*first);
    seen["the second worker"] = all_of(*second);
    for (std::size_t i = 0; i < 2; ++i) {
        cluster.node(i).signal(SIGTERM);
        EXPECT_EQ(cluster.node(i).wait_exit(), 0);
        seen["the log of " + Cluster::name(i)] = all_of(cluster.node(i));
        EXPECT_NE(seen["the log of " + Cluster::name(i)], "");
    }
    for (const auto& [where, text] : seen) {
        const auto shown = lower(text);
        for (const auto& spelling : spellings(token))
            EXPECT_EQ(text.find(spelling), std::string::npos) << where << ": " << text;
        for (const auto& spelling : spellings(token))
            EXPECT_EQ(shown.find(spelling), std::string::npos) << where << ": " << text;
    }
}

/// The first and the last of a key's characters, which no line has by chance.
void expect_without(const std::string& text, const std::string& secret, const std::string& where) {
    ASSERT_EQ(secret.size(), 40u) << "this is no key, so the test would notice nothing";
    EXPECT_EQ(text.find(secret.substr(0, 12)), std::string::npos) << where << ": " << text;
    EXPECT_EQ(text.find(secret.substr(28)), std::string::npos) << where << ": " << text;
}

std::string secret_in(const std::string& path) {
    const auto text = read(path);
    const auto at = text.find("secret-key");
    return at == std::string::npos ? "" : text.substr(text.find('"', at) + 1, 40);
}

TEST(SecretKeys, AreShownNowhereAlsoWhenTheirFileIsWrong) {
    const fs::path folder = fs::temp_directory_path() / ("muster-secret-keys-" + std::to_string(::getpid()));
    fs::create_directories(folder / "keys" / "nodes");
    fs::create_directories(folder / "keys" / "workers");
    std::string shown = all_of(run({MUSTER_PATH, "keygen", "a", "--dir", folder})) +
                        all_of(run({MUSTER_PATH, "keygen", "w", "--dir", folder}));
    fs::rename(folder / "a.pub", folder / "keys" / "nodes" / "a.pub");
    fs::rename(folder / "w.pub", folder / "keys" / "workers" / "w.pub");
    const auto secret = secret_in(folder / "a.key");
    const auto of_worker = secret_in(folder / "w.key");
    const std::string address = "127.0.0.1:" + std::to_string(free_port());
    const Words node{MUSTERD_PATH, "--name",         "a",      "--listen",      address,
                     "--key",      folder / "a.key", "--keys", folder / "keys", "--log-level",
                     "debug",      "--ready-wait",   "0"};
    const Words worker{MUSTER_PATH,      "--node", "a@" + address,  "--key",
                       folder / "w.key", "--keys", folder / "keys", "status"};
    Process running(node);
    ASSERT_TRUE(running.wait_for_error("ready"));
    const auto status = run(worker);
    EXPECT_EQ(status.status, 0) << status.errors;
    shown += all_of(status);

    // Damaged in each way that a hand can damage it: cut short, a character that no key has, twice, for all to read.
    const auto whole = read(folder / "a.key");
    const auto whole_of_worker = read(folder / "w.key");
    const auto at = whole.find(secret);
    const std::string spoilt[] = {whole.substr(0, at + 30), std::string(whole).replace(at + 20, 1, "\x7f"),
                                  whole + whole, std::string(whole).insert(at + 40, "extra"),
                                  std::string(whole).erase(at + 39, 1)};
    for (const auto& text : spoilt) {
        std::ofstream(folder / "a.key") << text;
        running.signal(SIGHUP);
        shown += all_of(run(node));
    }
    std::ofstream(folder / "w.key") << whole_of_worker.substr(0, whole_of_worker.find(of_worker) + 25);
    shown += all_of(run(worker));
    std::ofstream(folder / "w.key") << whole_of_worker;
    fs::permissions(folder / "w.key", fs::perms::all);
    shown += all_of(run(worker));
    EXPECT_TRUE(running.wait_for_error("keys stay as they were"));
    running.signal(SIGTERM);
    running.wait_exit();
    shown += all_of(running);
    expect_without(shown, secret, "of the node");
    expect_without(shown, of_worker, "of the worker");
    fs::remove_all(folder);
}

TEST_F(Secrets, TheFileThatHasTheTokenIsItsOwnersAlone) {
    const auto worker = start();
    ASSERT_TRUE(worker->wait_for_line("joined"));
    EXPECT_EQ(fs::status(state).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace
}  // namespace muster::test
