// A firewall closes single ports between hosts: the other channel carries, and everyone says which address fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <thread>

#include "tests/integration/hosts.hpp"
#include "tests/integration/listener.hpp"

namespace muster::test {
namespace {

constexpr int kDoor = 7100;
constexpr int kControl = 7101;
constexpr int kGossip = 7102;
/// Longer than all times of the protocol after which a node that is not reached flaps.
constexpr std::chrono::seconds kLongLook{12};

std::string at(std::size_t host, int port) {
    return Hosts::address(host) + ':' + std::to_string(port);
}

class ClosedPorts : public testing::Test {
protected:
    void make_hosts(std::size_t count) {
        if (const auto obstacle = Hosts::obstacle()) GTEST_SKIP() << *obstacle;
        hosts_.emplace(count);
    }
    /// `more`: for the second node.
    void start(std::vector<std::string> more = {}) {
        auto places = hosts_->places();
        places[1].more.insert(places[1].more.end(), more.begin(), more.end());
        cluster_.emplace(places, std::vector<std::string>{"--control-port", std::to_string(kControl), "--gossip-port",
                                                          std::to_string(kGossip)});
        for (std::size_t i = 0; i < cluster_->size(); ++i) EXPECT_TRUE(cluster_->wait_alive(i, cluster_->size()));
    }
    void TearDown() override {
        cluster_.reset();
        hosts_.reset();
    }

    static bool eventually(const std::function<bool()>& holds) {
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(milliseconds(100));
        }
        return true;
    }
    bool know(const Ids& all) {
        return eventually([&] {
            for (std::size_t i = 0; i < cluster_->size(); ++i)
                if (table(*cluster_, i) != all) return false;
            return true;
        });
    }
    [[nodiscard]] Json status(std::size_t node) const { return ask(*cluster_, node, {"status"}); }
    [[nodiscard]] bool says_silent(std::size_t node, const std::string& text) const {
        const auto lines = status(node)["silent_channels"];
        return std::any_of(lines.begin(), lines.end(),
                           [&](const Json& line) { return line.get<std::string>().find(text) != std::string::npos; });
    }
    std::size_t times_logged(std::size_t node, const std::string& text) {
        const auto log = cluster_->node(node).errors();
        std::size_t times = 0;
        for (auto found = log.find(text); found != std::string::npos; found = log.find(text, found + 1)) ++times;
        return times;
    }
    /// A join and a leave at every node reach all, and a notification from every node reaches all members.
    void expect_all_carried() {
        std::vector<Listener> workers;
        Ids all;
        for (std::size_t i = 0; i < cluster_->size(); ++i) {
            workers.push_back(join(*cluster_, i));
            all = all + ids(workers.back());
        }
        EXPECT_TRUE(know(all));
        for (std::size_t i = 0; i < cluster_->size(); ++i)
            EXPECT_EQ(notify(*cluster_, i, "1", {"--wait"})["delivered"], cluster_->size()) << "from " << i;
        for (auto& worker : workers) {
            worker->signal(SIGTERM);
            EXPECT_EQ(worker->wait_exit(), 0);
        }
        EXPECT_TRUE(know({}));
    }
    /// Both ends log the address that fails, and show it.
    void expect_told(int port, const std::string& name) {
        const auto ours = "to the " + name + " port of n2, " + at(1, port);
        const auto theirs = "from n1 to the " + name + " port of this node, " + at(1, port);
        EXPECT_TRUE(cluster_->node(0).wait_for_error(ours)) << cluster_->node(0).errors();
        EXPECT_TRUE(cluster_->node(1).wait_for_error(theirs)) << cluster_->node(1).errors();
        EXPECT_TRUE(says_silent(0, ours)) << status(0);
        EXPECT_TRUE(says_silent(1, theirs)) << status(1);
        EXPECT_GE(status(0)["counters"]["channels_silent"], 1);
    }

    std::optional<Hosts> hosts_;
    std::optional<Cluster> cluster_;
};

TEST_F(ClosedPorts, AGossipPortThatClosesLaterCostsNothingAndIsTold) {
    make_hosts(2);
    if (!hosts_) return;
    start();
    hosts_->close_port(1, kGossip);
    expect_all_carried();
    expect_told(kGossip, "gossip");
    expect_all_carried();
    hosts_->open_port(1, kGossip);
    EXPECT_TRUE(cluster_->node(0).wait_for_error("node n2 is connected again"));
    EXPECT_TRUE(eventually([&] { return status(0)["counters"]["channels_silent"] == 0; }));
    EXPECT_EQ(times_logged(0, "node n2 is down") + times_logged(1, "node n1 is down"), 0u);
}

TEST_F(ClosedPorts, AControlPortThatClosesLaterCostsNothingAndIsTold) {
    make_hosts(2);
    if (!hosts_) return;
    start();
    hosts_->close_port(1, kControl);
    expect_told(kControl, "control");
    expect_all_carried();
    hosts_->open_port(1, kControl);
    EXPECT_TRUE(eventually([&] { return status(0)["counters"]["channels_silent"] == 0; }));
    EXPECT_EQ(times_logged(0, "node n2 is down") + times_logged(1, "node n1 is down"), 0u);
}

TEST_F(ClosedPorts, OnePortThatWasNeverOpenCostsNothingAndIsTold) {
    make_hosts(3);
    if (!hosts_) return;
    hosts_->close_port(1, kGossip);
    start();
    expect_all_carried();
    expect_told(kGossip, "gossip");
}

TEST_F(ClosedPorts, AControlPortThatWasNeverOpenCostsNothingAndIsTold) {
    make_hosts(2);
    if (!hosts_) return;
    hosts_->close_port(1, kControl);
    start();
    expect_told(kControl, "control");
    expect_all_carried();
}

TEST_F(ClosedPorts, APathThatLosesLargePacketsIsToldAndLosesNothing) {
    make_hosts(2);
    if (!hosts_) return;
    start();
    const auto worker = join(*cluster_, 1);
    try {
        hosts_->lose_large_packets(0);
    } catch (const std::runtime_error& refused) {
        GTEST_SKIP() << refused.what();
    }
    notify(*cluster_, 0, '"' + std::string(4000, 'x') + '"');
    EXPECT_TRUE(cluster_->node(1).wait_for_error("node n1 is connected in part only")) << cluster_->node(1).errors();
    EXPECT_TRUE(received(worker).empty());
    hosts_->find_packet_size(0);  // what OPERATING.md advises
    EXPECT_TRUE(eventually([&] { return received(worker).size() == 1; }));
    EXPECT_TRUE(eventually([&] { return status(1)["counters"]["channels_silent"] == 0; }));
}

TEST_F(ClosedPorts, ANodeThatNobodyCanConnectToWorksAndLearnsIt) {
    make_hosts(3);
    if (!hosts_) return;
    for (const int port : {kDoor, kControl, kGossip}) hosts_->close_port(1, port);
    start();
    expect_told(kControl, "control");
    expect_told(kGossip, "gossip");
    expect_all_carried();
    EXPECT_EQ(times_logged(0, "node n2 is down") + times_logged(2, "node n2 is down"), 0u);
}

TEST_F(ClosedPorts, ANodeThatAdvertisesAWrongAddressWorksAndLearnsIt) {
    make_hosts(2);
    if (!hosts_) return;
    start({"--advertise", "10.77.0.77:7100"});
    EXPECT_TRUE(cluster_->node(1).wait_for_error("from n1 to the gossip port of this node, 10.77.0.77:7102"));
    EXPECT_TRUE(cluster_->node(0).wait_for_error("to the control port of n2, 10.77.0.77:7101"));
    expect_all_carried();
}

TEST_F(ClosedPorts, ANodeThatListensOnLoopbackAloneWorksWithASeedOnAnotherHostAndLearnsIt) {
    make_hosts(2);
    if (!hosts_) return;
    auto places = hosts_->places();
    // The commonest mistake: on the second host nothing but --seed is given. Its address is one of the first host, too.
    places[0].more.insert(places[0].more.end(), {"--listen", "0.0.0.0:7100", "--advertise", at(0, kDoor)});
    places[1].address = "127.0.0.1:7100";
    cluster_.emplace(places, std::vector<std::string>{"--control-port", std::to_string(kControl), "--gossip-port",
                                                      std::to_string(kGossip)});
    for (const std::size_t i : {0, 1}) EXPECT_TRUE(cluster_->wait_alive(i, 2));
    EXPECT_TRUE(cluster_->node(1).wait_for_error("from n1 to the gossip port of this node, 127.0.0.1:7102"));
    EXPECT_TRUE(cluster_->node(0).wait_for_error("to the control port of n2, 127.0.0.1:7101"));
    expect_all_carried();
    EXPECT_EQ(times_logged(0, "node n2 is down") + times_logged(1, "node n1 is down"), 0u);
}

TEST_F(ClosedPorts, NodesThatReachOnlyEachOthersFrontDoorsAreNotAliveAndDoNotFlap) {
    make_hosts(2);
    if (!hosts_) return;
    for (const std::size_t host : {0, 1})
        for (const int port : {kControl, kGossip}) hosts_->close_port(host, port);
    auto places = hosts_->places();
    cluster_.emplace(places, std::vector<std::string>{"--control-port", std::to_string(kControl), "--gossip-port",
                                                      std::to_string(kGossip)});
    const auto are_down = [&] {
        for (const std::size_t i : {0, 1}) {
            const auto nodes = ask(*cluster_, i, {"nodes"})["nodes"];
            for (const auto& node : nodes)
                if (node["name"] != Cluster::name(i) && node["state"] != "down") return false;
        }
        return true;
    };
    EXPECT_TRUE(cluster_->node(0).wait_for_error("node n2 is down"));
    EXPECT_TRUE(cluster_->node(1).wait_for_error("node n1 is down"));
    EXPECT_TRUE(cluster_->node(0).wait_for_error("from n2 to the gossip port of this node, " + at(0, kGossip)));
    EXPECT_TRUE(cluster_->node(1).wait_for_error("from n1 to the control port of this node, " + at(1, kControl)));
    const auto ups = times_logged(0, "node n2 is up");
    const auto until = std::chrono::steady_clock::now() + kLongLook;
    while (std::chrono::steady_clock::now() < until) {
        EXPECT_TRUE(are_down());
        std::this_thread::sleep_for(milliseconds(300));
    }
    EXPECT_EQ(times_logged(0, "node n2 is up"), ups);
    hosts_->open_port(1, kGossip);  // one channel each way is enough: n1 is connected to n2's gossip port
    hosts_->open_port(1, kControl);
    EXPECT_TRUE(cluster_->wait_alive(0, 2));
    EXPECT_TRUE(cluster_->wait_alive(1, 2));
    expect_all_carried();
}

}  // namespace
}  // namespace muster::test
