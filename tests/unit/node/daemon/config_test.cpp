#include "node/daemon/config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>

#include "node/daemon/settings.hpp"

namespace muster::daemon {
namespace {

/// A file that is gone with the test.
class File {
public:
    explicit File(const std::string& text)
        : path_(std::filesystem::temp_directory_path() /
                ("muster_" + std::to_string(::getpid()) + "_" + std::to_string(++count_) + ".toml")) {
        std::ofstream(path_) << text;
    }
    ~File() { std::filesystem::remove(path_); }
    [[nodiscard]] std::string path() const { return path_; }

private:
    static inline int count_ = 0;
    std::filesystem::path path_;
};

using Variables = Environment;

Loaded load(std::vector<std::string> arguments, const Variables& variables = {}) {
    std::vector<const char*> argv{"musterd"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    return load_config(static_cast<int>(argv.size()), argv.data(), variables);
}

Config good(std::vector<std::string> arguments, const Variables& variables = {}) {
    auto loaded = load(std::move(arguments), variables);
    EXPECT_EQ(loaded.problems, std::vector<std::string>{});
    return std::move(loaded.config);
}

/// The largest value of a limit: on machines of 32 bits no more than they can address.
const std::string kMost = std::to_string(std::min(std::uint64_t{1} << 40, std::uint64_t{SIZE_MAX}));

std::string wrong(std::vector<std::string> arguments, const Variables& variables = {}) {
    const auto problems = load(std::move(arguments), variables).problems;
    if (problems.empty()) return "it was taken";
    for (const auto& problem : problems) EXPECT_EQ(problem.find('\n'), std::string::npos) << "one line";
    return problems.front();
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(Config, AddressesAreTakenAsPeopleWriteThem) {
    EXPECT_EQ(good({"--seed", " tcp://a:1, n@b:2,", "--seed", "tcp://n@c:3"}).node.seeds,
              (std::vector<std::string>{"a:1", "n@b:2", "n@c:3"}));
    const auto config = good({"--listen", " tcp://127.0.0.1:1 ", "--advertise", "tcp://h:2", "--http", " 127.0.0.1:3"});
    EXPECT_EQ(config.node.listen, "127.0.0.1:1");
    EXPECT_EQ(config.node.advertise, "h:2");
    EXPECT_EQ(config.http, "127.0.0.1:3");
    const File file("listen = \" tcp://127.0.0.1:4\"\nseed = [\"tcp://a:1\", \" b:2 \"]\n");
    EXPECT_EQ(good({"--config", file.path()}).node.listen, "127.0.0.1:4");
    EXPECT_EQ(good({"--config", file.path()}).node.seeds, (std::vector<std::string>{"a:1", "b:2"}));
    for (const char* none : {"", " ", ",", "tcp://"}) EXPECT_TRUE(has(wrong({"--seed", none}), "HOST:PORT")) << none;
}

TEST(Config, SwitchNeedsNoValue) {
    EXPECT_FALSE(good({}).node.security.insecure);
    EXPECT_TRUE(good({"--insecure"}).node.security.insecure);
    EXPECT_TRUE(good({"--insecure", "--name", "n"}).node.security.insecure);
    EXPECT_TRUE(good({}, {{"MUSTER_INSECURE", "1"}}).node.security.insecure);
    const File file("insecure = true\nkey = \"n.key\"\nkeys = \"trusted\"\n");
    const Config config = good({"--config", file.path()});
    EXPECT_TRUE(config.node.security.insecure);
    EXPECT_EQ(config.node.security.key_file, "n.key");
    EXPECT_EQ(config.node.security.keys_dir, "trusted");
    EXPECT_FALSE(good({"--config", file.path()}, {{"MUSTER_INSECURE", "false"}}).node.security.insecure);
    EXPECT_TRUE(has(wrong({}, {{"MUSTER_INSECURE", "perhaps"}}), "MUSTER_INSECURE"));
}

TEST(Config, SeedMayNameItsNode) {
    EXPECT_EQ(good({"--seed", "b@h:1"}).node.seeds, std::vector<std::string>{"b@h:1"});
    EXPECT_TRUE(has(wrong({"--seed", "@h:1"}), "node's name"));
}

TEST(Config, HttpStaysOnTheMachine) {
    EXPECT_TRUE(has(wrong({"--http", "10.0.0.1:80"}), "--insecure"));
    EXPECT_EQ(good({"--http", "10.0.0.1:80", "--insecure"}).http, "10.0.0.1:80");
    EXPECT_EQ(good({"--http", "[::1]:80"}).http, "[::1]:80");
}

TEST(Config, DefaultsToTheHostsName) {
    const Config config = good({});
    char name[256] = {};
    ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
    EXPECT_EQ(config.node.name, name);
    EXPECT_EQ(config.node.listen, "127.0.0.1:7100");
    EXPECT_EQ(config.node.scope, "default");
    EXPECT_EQ(config.node.timing.session_grace.count(), 1000);
    EXPECT_EQ(config.node.timing.busy_poll.count(), 0);
    EXPECT_TRUE(config.http.empty());
    EXPECT_EQ(config.log_format, "text");
}

TEST(Config, FlagThenVariableThenFileThenDefault) {
    const File file("name = \"f\"\nscope = \"f\"\nsession_grace = 1\nseed = [\"f:1\", \"f:2\"]\n");
    const Variables variables{{"MUSTER_NAME", "e"}, {"MUSTER_SCOPE", "e"}, {"MUSTER_SEED", "e:1,e:2"}};
    const Config config = good({"--config", file.path(), "--name", "g"}, variables);
    EXPECT_EQ(config.node.name, "g");
    EXPECT_EQ(config.node.scope, "e");
    EXPECT_EQ(config.node.timing.session_grace.count(), 1);
    EXPECT_EQ(config.node.timing.ready_wait.count(), 3000);
    EXPECT_EQ(config.node.seeds, (std::vector<std::string>{"e:1", "e:2"}));
    EXPECT_EQ(good({"--config", file.path()}).node.seeds, (std::vector<std::string>{"f:1", "f:2"}));
    EXPECT_EQ(good({"--seed", "g:1", "--seed", "g:2"}, variables).node.seeds, (std::vector<std::string>{"g:1", "g:2"}));
}

TEST(Config, EverySettingHasItsPlace) {
    const Config config = good({"--name",           "n",          "--listen",        "127.0.0.1:1",
                                "--advertise",      "h:2",        "--scope",         "s",
                                "--control-port",   "3",          "--gossip-port",   "4",
                                "--session-grace",  "5",          "--ready-wait",    "6",
                                "--backlog-items",  "16",         "--backlog-bytes", "4194304",
                                "--link-items",     "17",         "--link-bytes",    "4194305",
                                "--backlog-policy", "disconnect", "--link-policy",   "refuse_newest",
                                "--link-retention", "8",          "--http",          "127.0.0.1:7",
                                "--busy-poll",      "9",          "--log-level",     "error",
                                "--log-format",     "json"});
    EXPECT_EQ(config.node.listen, "127.0.0.1:1");
    EXPECT_EQ(config.node.advertise, "h:2");
    EXPECT_EQ(config.node.control_port, 3);
    EXPECT_EQ(config.node.gossip_port, 4);
    EXPECT_EQ(config.node.timing.session_grace.count(), 5);
    EXPECT_EQ(config.node.timing.ready_wait.count(), 6);
    EXPECT_EQ(config.node.queues.backlog.items, 16u);
    EXPECT_EQ(config.node.queues.backlog.bytes, 4194304u);
    EXPECT_EQ(config.node.queues.link.items, 17u);
    EXPECT_EQ(config.node.queues.link.bytes, 4194305u);
    EXPECT_EQ(config.node.queues.backlog.policy, OverflowPolicy::disconnect);
    EXPECT_EQ(config.node.queues.link.policy, OverflowPolicy::refuse_newest);
    EXPECT_EQ(config.node.timing.link_retention.count(), 8);
    EXPECT_EQ(config.node.timing.busy_poll.count(), 9);
    EXPECT_EQ(config.http, "127.0.0.1:7");
    EXPECT_EQ(config.log_level, "error");
    EXPECT_EQ(config.log_format, "json");
}

TEST(Config, EveryLimitHasItsPlace) {
    const Config config = good({"--connections",    "16",      "--connection-bytes", "4194306", "--workers",      "17",
                                "--worker-members", "18",      "--worker-groups",    "19",      "--worker-bytes", "20",
                                "--worker-watches", "21",      "--worker-requests",  "1024",    "--peers",        "22",
                                "--memory",         "67108865"});
    EXPECT_EQ(config.node.limits.memory, 67108865u);
    EXPECT_EQ(config.node.limits.connections, 16u);
    EXPECT_EQ(config.node.limits.connection_bytes, 4194306u);
    EXPECT_EQ(config.node.limits.workers, 17u);
    EXPECT_EQ(config.node.limits.worker_members, 18u);
    EXPECT_EQ(config.node.limits.worker_groups, 19u);
    EXPECT_EQ(config.node.limits.worker_bytes, 20u);
    EXPECT_EQ(config.node.limits.worker_watches, 21u);
    EXPECT_EQ(config.node.limits.worker_requests, 1024u);
    EXPECT_EQ(config.node.limits.peers, 22u);
    EXPECT_EQ(wrong({"--connections", "15"}),
              "--connections: \"15\" is not a valid limit: give a number from 16 to " + kMost);
    EXPECT_EQ(wrong({"--worker-requests", "1023"}),
              "--worker-requests: \"1023\" is not a valid limit: give a number from 1024 to " + kMost);
}

/// The rows with a setting in OPERATING.md's table of limits: each setting with its default.
std::map<std::string, std::string> limits_in_guide() {
    std::map<std::string, std::string> rows;
    std::ifstream guide(MUSTER_GUIDE);
    bool in_table = false;
    for (std::string line; std::getline(guide, line);) {
        if (has(line, "| limit | setting |")) in_table = true;
        if (line.empty()) in_table = false;
        const auto flag = line.find("| `--");
        if (!in_table || flag == std::string::npos) continue;
        const auto end = line.find("` | ", flag);
        rows[line.substr(flag + 3, end - flag - 3)] = line.substr(end + 4, line.find(" |", end + 4) - end - 4);
    }
    return rows;
}

TEST(Config, TheTableOfLimitsIsTheCodes) {
    const Node::Options::Limits limits;
    const Node::Options::Queues queues;
    const auto text = [](std::uint64_t number) { return std::to_string(number); };
    const std::map<std::string, std::string> defaults{{"--connections", text(limits.connections)},
                                                      {"--connection-bytes", text(limits.connection_bytes)},
                                                      {"--memory", "a quarter of the memory of the machine or cgroup"},
                                                      {"--workers", text(limits.workers)},
                                                      {"--worker-members", text(limits.worker_members)},
                                                      {"--worker-groups", text(limits.worker_groups)},
                                                      {"--worker-bytes", text(limits.worker_bytes)},
                                                      {"--worker-watches", text(limits.worker_watches)},
                                                      {"--worker-requests", text(limits.worker_requests)},
                                                      {"--peers", text(limits.peers)},
                                                      {"--backlog-items", text(queues.backlog.items)},
                                                      {"--backlog-bytes", text(queues.backlog.bytes)},
                                                      {"--link-items", text(queues.link.items)},
                                                      {"--link-bytes", text(queues.link.bytes)}};
    EXPECT_EQ(limits_in_guide(), defaults);
    for (const auto& setting : settings()) {
        const auto found = defaults.find(setting.flag());
        if (found == defaults.end()) continue;
        EXPECT_TRUE(has(setting.help, "(default " + found->second + ")")) << setting.help;
    }
}

TEST(Config, MusterConfigNamesTheFile) {
    const File file("name = \"f\"\n");
    EXPECT_EQ(good({}, {{"MUSTER_CONFIG", file.path()}}).node.name, "f");
}

TEST(Config, NamesFileAndLine) {
    const File unknown("name = \"a\"\n\nwhatever = \"x\"\n");
    const auto text = wrong({"--config", unknown.path()});
    EXPECT_TRUE(has(text, unknown.path() + ":3: whatever: unknown setting")) << text;
    EXPECT_TRUE(has(text, "use one of name, listen")) << text;

    const File bad_value("# a comment\nsession_grace = \"soon\"\n");
    EXPECT_TRUE(has(wrong({"--config", bad_value.path()}), bad_value.path() + ":2: session_grace: \"soon\""));
    const File bad_type("name = true\n");
    EXPECT_TRUE(has(wrong({"--config", bad_type.path()}), bad_type.path() + ":1: name: give a text"));
    const File list_of_numbers("seed = [1]\n");
    EXPECT_TRUE(has(wrong({"--config", list_of_numbers.path()}), ":1: seed: give a list"));
    const File no_toml("name = \n");
    EXPECT_TRUE(has(wrong({"--config", no_toml.path()}), no_toml.path() + ":1: "));
    EXPECT_TRUE(has(wrong({"--config", "/nowhere/x.toml"}), "/nowhere/x.toml: cannot be read"));
}

TEST(Config, TheFileIsARegularOne) {
    const auto folder = std::filesystem::temp_directory_path();
    const auto fifo = (folder / ("muster_" + std::to_string(::getpid()) + ".fifo")).string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    for (const auto& path : {folder.string(), fifo, std::string("/dev/zero"), std::string("/dev/null")})
        EXPECT_EQ(wrong({"--config", path}), path + ": is not a regular file: give a TOML file to --config");
    std::filesystem::remove(fifo);
}

TEST(Config, TheLastOfAFlagCounts) {
    EXPECT_EQ(good({"--name", "a", "--listen", "127.0.0.1:1", "--listen=127.0.0.1:2"}).node.listen, "127.0.0.1:2");
    EXPECT_TRUE(has(wrong({"--config", "a", "--config", "b"}), "--config"));
}

TEST(Config, EachPortIsAnother) {
    EXPECT_EQ(wrong({"--listen", "127.0.0.1:7", "--control-port", "7"}),
              "--control-port: 7 is the port of --listen, too: give each its own");
    EXPECT_TRUE(has(wrong({"--control-port", "7", "--gossip-port", "7"}), "--gossip-port: 7 is the port of --control"));
    for (const char* http : {"127.0.0.1:7", "0.0.0.0:7"})
        EXPECT_TRUE(has(wrong({"--listen", "127.0.0.1:7", "--http", http, "--insecure"}), "--http: 7")) << http;
    EXPECT_TRUE(has(wrong({"--listen", "[::]:1", "--gossip-port", "7", "--http", "[::1]:7"}), "--http: 7"));
    good({"--listen", "127.0.0.1:0", "--control-port", "0", "--gossip-port", "0", "--http", "127.0.0.1:0"});
    good({"--listen", "127.0.0.1:7", "--http", "127.0.0.2:7"});
    good({"--listen", "0.0.0.0:7", "--http", "[::1]:7"});
}

TEST(Config, APathHasNoNul) {
    const File file("key = \"n.key\\u0000x\"\nkeys = \"k\"\n");
    EXPECT_TRUE(has(wrong({"--config", file.path()}), ":1: key: a path has no NUL"));
}

TEST(Config, SaysWhatWasMeant) {
    const auto meant = [](const std::string& line) {
        const File file(line + " = 1\n");
        const auto text = wrong({"--config", file.path()});
        const auto at = text.find("did you mean ");
        return at == std::string::npos ? text : text.substr(at);
    };
    EXPECT_EQ(meant("sesion_grace"), "did you mean session_grace?");
    EXPECT_EQ(meant("session-grace"), "did you mean session_grace?");
    EXPECT_EQ(meant("Listen"), "did you mean listen?");
    EXPECT_EQ(meant("seeds"), "did you mean seed?");
    EXPECT_EQ(meant("lgo_level"), "did you mean log_level?");
    EXPECT_EQ(meant("logformat"), "did you mean log_format?");
    EXPECT_TRUE(has(meant("zone"), "use one of name, listen"));
    EXPECT_TRUE(has(meant(std::string(100, 's')), "use one of name, listen"));
    EXPECT_EQ(wrong({"--sesion-grace", "5"}), "--sesion-grace: unknown option: did you mean --session-grace?");
    EXPECT_EQ(wrong({"--sed=a:1"}), "--sed=a:1: unknown option: did you mean --seed?");
    EXPECT_EQ(wrong({"--session_grace", "5"}), "--session_grace: unknown option: did you mean --session-grace?");
    const File section("[musterd]\nname = \"a\"\n");
    EXPECT_TRUE(has(wrong({"--config", section.path()}), section.path() + ":1: musterd: sections are not supported"));
    const File switched("\ninsecure = \"yes\"\nname = []\n");
    const auto problems = load({"--config", switched.path()}).problems;
    ASSERT_EQ(problems.size(), 2u);
    EXPECT_TRUE(has(problems[0], ":2: insecure: \"yes\" is not a valid switch")) << problems[0];
    EXPECT_TRUE(has(problems[1], ":3: name: give a text or a number, for example name = \"NAME\"")) << problems[1];
}

TEST(Config, TellsEveryProblemInTheOrderOfTheFile) {
    const File file("scope = \"\"\nzone = 1\ncontrol_port = 70000\nbacklog_items = 1\n");
    const auto problems = load({"--config", file.path(), "--http", "10.0.0.1:1"}, {{"MUSTER_LISTEN", "x"}}).problems;
    ASSERT_EQ(problems.size(), 6u);
    const std::vector<std::string> begins{
        file.path() + ":1: scope: ",         file.path() + ":2: zone: ", file.path() + ":3: control_port: ",
        file.path() + ":4: backlog_items: ", "MUSTER_LISTEN: \"x\"",     "--http 10.0.0.1:1: anyone"};
    for (std::size_t i = 0; i < begins.size(); ++i) EXPECT_TRUE(problems[i].starts_with(begins[i])) << problems[i];
}

TEST(Config, NamesFlagOrVariable) {
    EXPECT_TRUE(has(wrong({"--listen", "7100"}), "--listen: \"7100\" is not HOST:PORT"));
    EXPECT_TRUE(has(wrong({"--session-grace", "-1"}), "--session-grace"));
    EXPECT_TRUE(has(wrong({"--control-port", "70000"}), "--control-port: \"70000\" is no port"));
    EXPECT_TRUE(has(wrong({"--log-level", "loud"}), "--log-level: \"loud\" is not one of debug, info, warn, error"));
    EXPECT_TRUE(has(wrong({"--name", "a b"}), "--name: \"a b\" is not a valid node name"));
    EXPECT_TRUE(has(wrong({"--seed", "a:0"}), "--seed: "));
    EXPECT_TRUE(has(wrong({"--scope", ""}), "--scope: "));
    EXPECT_TRUE(has(wrong({"--scope", "gr\xf6\xdf"}), "UTF-8"));
    EXPECT_TRUE(has(wrong({}, {{"MUSTER_HTTP", "x"}}), "MUSTER_HTTP: \"x\" is not HOST:PORT"));
    EXPECT_TRUE(has(wrong({"--backlog-items", "15"}),
                    "--backlog-items: \"15\" is not a valid limit: give a number from 16 to " + kMost));
    EXPECT_TRUE(has(wrong({"--link-bytes", "4194303"}), "from 4194304"));
    EXPECT_TRUE(has(wrong({}, {{"MUSTER_BACKLOG_BYTES", "64M"}}), "MUSTER_BACKLOG_BYTES: \"64M\""));
    EXPECT_TRUE(has(wrong({}, {{"MUSTER_LINK_ITEMS", "1099511627777"}}), "MUSTER_LINK_ITEMS: "));
    EXPECT_TRUE(has(wrong({"--nonsense"}), "--nonsense"));
    EXPECT_TRUE(has(wrong({"--nonsense"}), "see musterd --help"));
    EXPECT_TRUE(has(wrong({"--name",
                           "a\r\x1b"
                           "b"}),
                    "--name: \"a  b\" is not a valid node name"));
    EXPECT_TRUE(has(wrong({"stray"}), "stray"));
    EXPECT_TRUE(has(wrong({"--name"}), "--name"));
}

TEST(Config, ShowsHelpAndVersion) {
    const auto help = load({"--help"});
    for (const char* flag : {"--config", "--name", "--listen", "--advertise", "--seed", "--scope", "--http",
                             "--log-level", "--log-format", "--session-grace", "--control-port", "--gossip-port",
                             "--ready-wait", "--backlog-items", "--backlog-bytes", "--link-items", "--link-bytes"})
        EXPECT_TRUE(has(help.shown, flag)) << flag;
    const auto version = load({"--version"});
    EXPECT_TRUE(has(version.shown, "musterd 0."));
}

}  // namespace
}  // namespace muster::daemon
