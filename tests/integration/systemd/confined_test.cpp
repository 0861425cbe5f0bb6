// A cluster under the limits on system calls, address families and memory that the systemd unit sets.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/integration/cluster.hpp"

namespace muster::test {
namespace {

using Words = std::vector<std::string>;

const Words kConfined{"/usr/bin/python3", "-B", CONFINED, UNIT};

std::string loopback() {
    return "127.0.0.1:" + std::to_string(free_port());
}

TEST(Unit, NodesRunWithinItsLimits) {
    Words check = kConfined;
    check.emplace_back("--check");
    const auto able = run(check);
    if (able.status == 77) GTEST_SKIP() << able.lines.at(0);
    ASSERT_EQ(able.status, 0) << able.errors;

    const auto first = loopback();
    const auto port = first.substr(first.find(':'));
    // A seed by name, so that names are looked up within the limits, too.
    Cluster cluster(
        {{kConfined, first, {"--http", loopback()}}, {kConfined, loopback(), {"--seed", "localhost" + port}}});
    const auto worker = cluster.stay(0, {"join", "orders", "subscriptions", "--visible"});
    ASSERT_TRUE(worker->wait_for_line("joined"));
    const auto told = cluster.muster(1, {"notify", "created", "orders", "subscriptions", "--wait"});
    ASSERT_EQ(told.status, 0) << told.errors;
    EXPECT_EQ(nlohmann::json::parse(told.lines.at(0)).at("delivered"), 1);
    for (std::size_t i = 0; i < cluster.size(); ++i) {
        cluster.node(i).signal(SIGTERM);
        EXPECT_EQ(cluster.node(i).wait_exit(), 0);
    }
}

TEST(Unit, ItsLimitsAreSet) {
    Words check = kConfined;
    check.emplace_back("--check");
    if (const auto able = run(check); able.status == 77) GTEST_SKIP() << able.lines.at(0);
    for (const char* forbidden :
         {"import socket; socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)", "import os; os.chroot('/')",
          "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)"}) {
        Words command = kConfined;
        command.insert(command.end(), {"/usr/bin/python3", "-c", forbidden});
        const auto done = run(command);
        EXPECT_EQ(done.status, 1) << forbidden;
        EXPECT_NE(done.errors.find("Operation not permitted"), std::string::npos) << done.errors;
    }
}

}  // namespace
}  // namespace muster::test
