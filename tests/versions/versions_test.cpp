// Real nodes and workers of this version, and the same programs speaking as another: a newer minor is a peer like any
// other, another major is refused with a line on both sides.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/integration/cluster.hpp"
#include "tests/integration/listener.hpp"
#include "tests/integration/raw_peer.hpp"

namespace muster::versions {
namespace {

using nlohmann::json;
using test::Cluster;
using test::Finished;
using test::Place;
using Words = std::vector<std::string>;

std::string loopback() {
    return "127.0.0.1:" + std::to_string(test::free_port());
}

Place of_this_version(const std::string& http) {
    return {{}, loopback(), {"--http", http}};
}
Place translated(const std::string& how) {
    return {{"/usr/bin/env", "TRANSLATION=" + how}, loopback(), {}, MUSTERD_TRANSLATED_PATH};
}
Words worker(const std::string& how, const std::string& node, Words words) {
    words.insert(words.begin(),
                 {"/usr/bin/env", "TRANSLATION=" + how, MUSTER_TRANSLATED_PATH, "--json", "--node", node});
    return words;
}

std::map<std::string, std::uint64_t> counters(const std::string& http) {
    const auto answer = test::http_get(http, "/status");
    if (!answer) throw std::runtime_error("no answer from " + http);
    return json::parse(*answer).at("counters");
}

TEST(NewerMinor, FormsAClusterWithThisOne) {
    const auto first = loopback();
    const auto last = loopback();
    Cluster cluster({of_this_version(first), translated("newer"), of_this_version(last)});
    test::Process newer(worker("newer", cluster.address(0), {"join", "orders", "subscriptions", "--count", "3"}));
    ASSERT_TRUE(newer.wait_for_line("joined"));
    const auto ours = cluster.stay(1, {"join", "orders", "subscriptions", "--count", "2", "--visible"});
    ASSERT_TRUE(ours->wait_for_line("joined"));
    const auto watcher = cluster.stay(1, {"watch"});
    ASSERT_TRUE(watcher->wait_for_line("snapshot"));

    constexpr int kEach = 5;
    for (int i = 0; i < kEach; ++i) {
        for (std::size_t node = 0; node < cluster.size(); ++node) {
            const auto told = cluster.muster(node, {"notify", "updated", "orders", "subscriptions", "7", "--wait"});
            ASSERT_EQ(told.status, 0) << told.errors;
            EXPECT_EQ(json::parse(told.lines.at(0)).at("delivered"), 5);
        }
    }
    const auto from_newer =
        test::run(worker("newer", cluster.address(2), {"notify", "created", "orders", "subscriptions", "8", "--wait"}));
    ASSERT_EQ(from_newer.status, 0) << from_newer.errors;
    EXPECT_EQ(json::parse(from_newer.lines.at(0)).at("delivered"), 5);

    newer.signal(SIGTERM);
    EXPECT_TRUE(watcher->wait_for_line("\"leave\""));
    for (const auto& http : {first, last}) {
        // Between all that is said, wherever it goes: to each of the two in its time.
        EXPECT_TRUE(test::eventually([&] { return counters(http).at("bad_frames_unknown_type") > 0; }))
            << "nothing unknown was said to it";
        auto counted = counters(http);
        for (const char* other : {"too_large", "malformed", "trailing_bytes", "wrong_major", "bad_field", "parts"})
            EXPECT_EQ(counted.at(std::string("bad_frames_") + other), 0u) << other;
        EXPECT_EQ(counted["digest_mismatches"], 0u);
    }
    cluster.node(1).signal(SIGTERM);
    EXPECT_TRUE(cluster.wait_alive(0, 2));
    EXPECT_TRUE(cluster.node(0).wait_for_error("node n2 has left"));
}

TEST(OtherMajor, NodesRefuseEachOtherWithALineOnBothSides) {
    const auto one = loopback();
    const auto two = loopback();
    const auto of_ours = loopback();
    const auto node = [&](const std::string& http, const std::string& how, const std::string& name,
                          const std::string& at, const std::string& seed) {
        return std::make_unique<test::Process>(Words{"/usr/bin/env", "TRANSLATION=" + how, MUSTERD_TRANSLATED_PATH,
                                                     "--name", name, "--listen", at, "--seed", seed, "--ready-wait",
                                                     "500", "--http", http});
    };
    const auto ours = node(of_ours, "", "ours", one, two);
    const auto other = node(loopback(), "major", "other", two, one);
    // Each is told of the other's answer to its hello, and of the other's hello.
    EXPECT_TRUE(ours->wait_for_error("the node at " + two + " speaks version 2 of the protocol, this node version 1"));
    EXPECT_TRUE(ours->wait_for_error("127.0.0.1 speaks version 2 of the protocol, this node version 1"));
    EXPECT_TRUE(other->wait_for_error("the node at " + one + " speaks version 1 of the protocol"));
    EXPECT_TRUE(other->wait_for_error("127.0.0.1 speaks version 1 of the protocol"));
    EXPECT_TRUE(ours->wait_for_error("ready"));

    const auto nodes = test::run({MUSTER_PATH, "--json", "--node", one, "nodes"});
    ASSERT_EQ(nodes.status, 0) << nodes.errors;
    EXPECT_EQ(json::parse(nodes.lines.at(0)).at("nodes").size(), 1u);
    // Hellos go on, and are answered.
    for (int i = 0; i < 150 && counters(of_ours).at("bad_frames_wrong_major") < 5; ++i)
        std::this_thread::sleep_for(test::milliseconds(100));
    EXPECT_GE(counters(of_ours).at("bad_frames_wrong_major"), 5u);
    // However often they greet: a line for each, not for each greeting.
    const auto errors = ours->errors();
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = errors.find("speaks version 2", at)) != std::string::npos; ++at) ++lines;
    EXPECT_EQ(lines, 2u) << errors;
}

void expect_refused(const Finished& done, const std::string& address) {
    EXPECT_EQ(done.status, 1) << done.errors;
    EXPECT_EQ(std::count(done.errors.begin(), done.errors.end(), '\n'), 1) << done.errors;
    EXPECT_NE(done.errors.find(address), std::string::npos) << done.errors;
    EXPECT_NE(done.errors.find("version"), std::string::npos) << done.errors;
    EXPECT_NE(done.errors.find("update"), std::string::npos) << done.errors;
}

TEST(OtherMajor, WorkersAreToldAndTheNodeSaysWho) {
    Cluster cluster(1);
    expect_refused(test::run(worker("major", cluster.address(0), {"nodes"})), cluster.address(0));
    EXPECT_TRUE(cluster.node(0).wait_for_error("127.0.0.1 speaks version 2 of the protocol, this node version 1"));

    const auto two = loopback();
    test::Process other({"/usr/bin/env", "TRANSLATION=major", MUSTERD_TRANSLATED_PATH, "--name", "other", "--listen",
                         two, "--ready-wait", "0"});
    ASSERT_TRUE(other.wait_for_error("ready"));
    expect_refused(test::run({MUSTER_PATH, "--node", two, "nodes"}), two);
    EXPECT_TRUE(other.wait_for_error("127.0.0.1 speaks version 1 of the protocol"));
    EXPECT_EQ(test::run(worker("major", two, {"nodes"})).status, 0);
}

}  // namespace
}  // namespace muster::versions
