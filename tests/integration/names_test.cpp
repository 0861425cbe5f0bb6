// Who is who between real processes: addresses that are reused, clones of a node, dead names, and who may administer.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/integration/cluster.hpp"
#include "tests/integration/keys.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

std::string free_address() {
    return "127.0.0.1:" + std::to_string(free_port());
}

/// One node that a test starts by itself, outside a Cluster.
struct Alone {
    Alone(std::string named, std::string listens, const Strings& more = {})
        : name(std::move(named)), address(std::move(listens)), process(command(more)) {}

    Strings command(const Strings& more) const {
        Strings words{musterd_path(), "--name", name, "--listen", address};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    Finished muster(Strings arguments) const {
        Strings words{MUSTER_PATH, "--json", "--node", address};
        words.insert(words.end(), arguments.begin(), arguments.end());
        return run(words);
    }
    /// The state of each node that it knows.
    std::map<std::string, std::string> states() const {
        std::map<std::string, std::string> states;
        const auto answer = muster({"nodes"});
        if (answer.status != 0) return states;
        const auto reply = Json::parse(answer.lines.at(0));
        for (const auto& node : reply.at("nodes")) states[node["name"]] = node["state"];
        return states;
    }
    std::uint64_t counter(const std::string& counter) const {
        const auto answer = muster({"status"});
        return answer.status != 0 ? 0 : Json::parse(answer.lines.at(0))["counters"].value(counter, std::uint64_t{0});
    }
    std::uint64_t incarnation() const {
        const auto answer = muster({"status"});
        return answer.status != 0 ? 0 : Json::parse(answer.lines.at(0)).value("incarnation", std::uint64_t{0});
    }

    const std::string name;
    const std::string address;
    Process process;
};

using States = std::map<std::string, std::string>;

TEST(Names, AReusedAddressDoesNotMergeTwoClusters) {
    const Alone first("prod-1", free_address());
    const auto reused = free_address();
    {
        Alone dies("prod-2", reused, {"--seed", first.address});
        ASSERT_TRUE(eventually([&] { return first.states()["prod-2"] == "alive"; }));
        dies.process.signal(SIGKILL);
        ASSERT_TRUE(eventually([&] { return first.states()["prod-2"] == "down"; }));
    }
    const Alone other("staging-1", free_address());
    const Alone newcomer("staging-2", reused, {"--seed", other.address});
    ASSERT_TRUE(eventually([&] { return other.states()["staging-2"] == "alive"; }));
    ASSERT_TRUE(eventually([&] { return first.counter("addresses_forgotten") == 1; })) << "the address is still dialed";
    EXPECT_GE(newcomer.counter("hellos_refused_other_node"), 1u);
    EXPECT_EQ(first.states(), (States{{"prod-1", "alive"}, {"prod-2", "down"}}));
    EXPECT_EQ(newcomer.states(), (States{{"staging-1", "alive"}, {"staging-2", "alive"}}));
}

TEST(Names, ACloneIsRefusedAndTheFirstServesOn) {
    const Alone seed("a", free_address());
    const auto shared = free_address();
    Alone first("x", shared, {"--seed", seed.address});
    ASSERT_TRUE(eventually([&] { return seed.states()["x"] == "alive"; }));
    const auto life = first.incarnation();
    Alone clone("x", free_address(), {"--advertise", shared, "--seed", seed.address});
    EXPECT_EQ(clone.process.wait_exit(2 * kPatience), 1);
    EXPECT_NE(clone.process.errors().find("taken by a live node"), std::string::npos) << clone.process.errors();
    EXPECT_EQ(first.process.wait_exit(milliseconds(0)), std::nullopt);
    EXPECT_EQ(first.incarnation(), life);
    EXPECT_EQ(seed.states()["x"], "alive");
    EXPECT_EQ(seed.counter("incarnations_adopted"), 0u);
}

TEST(Names, DeadNamesMakeRoomAndALiveOneBeyondPeersIsRefused) {
    Alone node("a", free_address(), {"--peers", "2"});
    for (int i = 0; i < 4; ++i) {
        Alone dies("pod-" + std::to_string(i), free_address(), {"--seed", node.address});
        ASSERT_TRUE(eventually([&] { return node.states()[dies.name] == "alive"; })) << i;
        dies.process.signal(SIGKILL);
        ASSERT_TRUE(eventually([&] { return node.states()[dies.name] == "down"; })) << i;
    }
    EXPECT_EQ(node.states(), (States{{"a", "alive"}, {"pod-2", "down"}, {"pod-3", "down"}}));
    const Alone b("b", free_address(), {"--seed", node.address});
    const Alone c("c", free_address(), {"--seed", node.address});
    ASSERT_TRUE(eventually([&] { return node.states() == States{{"a", "alive"}, {"b", "alive"}, {"c", "alive"}}; }));
    Alone d("d", free_address(), {"--seed", node.address});
    EXPECT_TRUE(node.process.wait_for_error("no room for node d"));
    EXPECT_TRUE(d.process.wait_for_error("raise peers"));
}

/// A node that runs and, at it, one of the name "gone" that is down.
struct WithADeadNode {
    explicit WithADeadNode(const Strings& more = {}, const Strings& its = {}) : node("a", free_address(), more) {
        Strings words{"--seed", node.address};
        words.insert(words.end(), its.begin(), its.end());
        Alone dies("gone", free_address(), words);
        if (!eventually([&] { return node.states()["gone"] == "alive"; })) ADD_FAILURE() << "it never came up";
        EXPECT_EQ(node.muster({"forget", "gone"}).status, 2) << "it is alive";
        dies.process.signal(SIGKILL);
        if (!eventually([&] { return node.states()["gone"] == "down"; })) ADD_FAILURE() << "it never went down";
    }
    Alone node;
};

TEST(Names, WithoutKeysANodeIsAdministeredOverLoopback) {
    WithADeadNode test;
    const Alone other("b", free_address(), {"--seed", test.node.address});
    ASSERT_TRUE(eventually([&] { return other.states()["a"] == "alive"; }));
    EXPECT_EQ(test.node.muster({"forget", "nobody"}).status, 2);
    EXPECT_EQ(test.node.muster({"forget", "a"}).status, 2);
    EXPECT_EQ(test.node.muster({"forget", "not a name"}).status, 2);
    ASSERT_EQ(test.node.muster({"forget", "gone"}).status, 0);
    EXPECT_EQ(test.node.states(), (States{{"a", "alive"}, {"b", "alive"}}));
    EXPECT_TRUE(test.node.process.wait_for_error("administered by worker "));
    EXPECT_TRUE(test.node.process.wait_for_error("forget gone"));
    EXPECT_TRUE(eventually([&] { return other.states() == test.node.states(); }));
}

TEST(Names, WithoutKeysNobodyElseAdministers) {
    // Another address of this host: a connection to it does not come from loopback.
    namespace fs = std::filesystem;
    std::error_code none;
    const bool apart = fs::read_symlink("/proc/self/ns/net", none) != fs::read_symlink("/proc/1/ns/net", none);
    const Strings add{"/bin/sh", "-c", "PATH=$PATH:/sbin:/usr/sbin ip address add 10.213.0.1/32 dev lo"};
    if (!apart || run(add).status != 0) GTEST_SKIP() << "needs a network namespace";
    const auto port = std::to_string(free_port());
    const Alone node("a", "0.0.0.0:" + port, {"--advertise", "10.213.0.1:" + port, "--insecure"});
    const auto ask = [&](const std::string& host) {
        return run({MUSTER_PATH, "--node", host + ":" + port, "forget", "nobody"});
    };
    const auto refused = ask("10.213.0.1");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.errors.find("only over loopback"), std::string::npos) << refused.errors;
    EXPECT_EQ(ask("127.0.0.1").status, 2) << "unknown, but not refused";
}

TEST(Names, ANodeInTheDefaultScopeBeyondLoopbackSaysSo) {
    const auto port = std::to_string(free_port());
    Alone node("a", "0.0.0.0:" + port, {"--advertise", "127.0.0.1:" + port, "--insecure"});
    EXPECT_TRUE(node.process.wait_for_error("in the scope 'default'"));
    Alone named("b", "0.0.0.0:" + std::to_string(free_port()),
                {"--advertise", "127.0.0.1:7100", "--insecure", "--scope", "production"});
    EXPECT_TRUE(named.process.wait_for_error("insecure"));
    EXPECT_EQ(named.process.errors().find("in the scope"), std::string::npos);
}

TEST(Names, WithKeysOnlyOperatorsAdminister) {
    const Keys keys(2);
    keys.trust("operator", "ops");
    keys.trust("observer", "screen");
    auto places = keys.places(2);
    Cluster cluster(places);
    cluster.node(1).signal(SIGKILL);
    ASSERT_TRUE(cluster.wait_alive(0, 1));
    const auto forget_as = [&](const std::string& who) {
        Strings words{MUSTER_PATH, "--node", cluster.address(0)};
        for (const auto& flag : keys.flags(who)) words.push_back(flag);
        words.insert(words.end(), {"forget", "n2"});
        return run(words);
    };
    for (const std::string who : {"w", "screen"}) {
        const auto refused = forget_as(who);
        EXPECT_EQ(refused.status, 1) << who;
        EXPECT_NE(refused.errors.find("operators/"), std::string::npos) << refused.errors;
    }
    EXPECT_EQ(forget_as("ops").status, 0);
    EXPECT_TRUE(cluster.node(0).wait_for_error("administered by operator ops"));
    EXPECT_EQ(forget_as("ops").status, 2) << "it is forgotten";
}

}  // namespace
}  // namespace muster::test
