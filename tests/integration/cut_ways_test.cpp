// Ways between hosts that are cut while nobody is lost: another way is left, or the cut is short.
#include <algorithm>
#include <cstdio>

#include "tests/integration/three_hosts.hpp"

namespace muster::test {
namespace {

using CutWays = ThreeHosts;

/// Less than the 2.5 s after which a silent host is down.
constexpr milliseconds kShort{1800};

TEST_F(CutWays, WhereOnlyOneWayIsCutNobodyIsDownAndBothWaysDeliver) {
    hosts_->cut(a, b);  // a hears b, b does not hear a
    start_clock();
    expect_all_reached("1", 3);
    say("reached while the cut is fresh");
    expect_quiet(kQuiet);
    start_clock();
    expect_all_reached("2", 3);
    say("reached when the cut is old");
    const auto late_a = join(*cluster_, a);
    const auto late_b = join(*cluster_, b);
    const Ids all = everyone_ + ids(late_a) + ids(late_b);
    await_told(all, "joins");

    start_clock();
    hosts_->mend(a, b);
    await_connections(a, b, true);
    await_connections(b, a, true);
    expect_settled(all, "the heal");
    expect_all_reached("3", 5);
    for (const auto host : kHosts)
        for (const auto other : kHosts) EXPECT_EQ(story(host, of(other)), "there");
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker),
                  (Strings{"n1#1 1", "n2#1 1", "n3#1 1", "n1#2 2", "n2#2 2", "n3#2 2", "n1#3 3", "n2#3 3", "n3#3 3"}));
}

TEST_F(CutWays, TwoHostsThatReachEachOtherOnlyThroughTheThirdMissNobody) {
    hosts_->cut(a, b);
    hosts_->cut(b, a);
    start_clock();
    expect_all_reached("1", 3);
    say("reached while the cut is fresh");
    expect_quiet(kQuiet);
    await_connections(a, b, false);
    await_connections(b, a, false);
    start_clock();
    expect_all_reached("2", 3);
    say("reached when the cut is old");

    start_clock();
    hosts_->mend(a, b);
    hosts_->mend(b, a);
    await_connections(a, b, true);
    await_connections(b, a, true);
    expect_all_reached("3", 3);
    expect_settled(everyone_, "the heal");
    expect_nothing_told();
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker),
                  (Strings{"n1#1 1", "n2#1 1", "n3#1 1", "n1#2 2", "n2#2 2", "n3#2 2", "n1#3 3", "n2#3 3", "n3#3 3"}));
}

TEST_F(CutWays, WhatIsSentDuringAShortCutArrivesOnceAndInOrder) {
    constexpr int kCount = 200;
    Strings expected;
    for (const milliseconds length : {milliseconds(50), milliseconds(300), milliseconds(900)}) {
        start_clock();
        hosts_->pull_cable(b);
        const auto report = notify(*cluster_, a, "1", {"--count", std::to_string(kCount)});
        const auto waits = cluster_->stay(a, {"notify", "created", "orders", "subscriptions", "1", "--wait"});
        std::this_thread::sleep_for(length);  // the length of the cut is the point
        hosts_->plug_cable(b);
        say("the cut was over");
        if (elapsed() > kShort) GTEST_SKIP() << "this machine is too busy for a short cut";
        EXPECT_EQ(report["matched"], 3 * kCount);
        EXPECT_EQ(Json::parse(waits->wait_for_line("delivered").value_or("{}"))["delivered"], 3);
        say("everything was delivered");
        for (int i = 0; i <= kCount; ++i) expected.push_back("n1#" + std::to_string(expected.size() + 1) + " 1");
    }
    for (const auto& worker : workers_) EXPECT_EQ(received(worker), expected);
    expect_nothing_told();
}

TEST_F(CutWays, AStreamOverAFlappingNetworkArrivesOnceAndInOrder) {
    constexpr std::size_t kCount = 15000;
    const auto stream =
        cluster_->stay(a, {"notify", "created", "orders", "subscriptions", "1", "--count", std::to_string(kCount)});
    int cuts = 0;
    milliseconds longest{0};
    do {
        start_clock();
        hosts_->pull_cable(b);
        std::this_thread::sleep_for(milliseconds(150));
        hosts_->plug_cable(b);
        longest = std::max(longest, elapsed());
        ++cuts;
        // Longer than the cut: TCP doubles its patience at each loss that follows a loss.
    } while (!stream->wait_exit(milliseconds(450)) && cuts < 100);
    std::printf("[ measured ] %d cuts, the longest %lld ms\n", cuts, static_cast<long long>(longest.count()));
    if (longest > kShort && is_anything_told()) GTEST_SKIP() << "this machine is too busy for a short cut";
    EXPECT_GT(cuts, 1);
    for (const auto& worker : workers_) EXPECT_TRUE(eventually([&] { return worker->lines().size() > kCount; }));
    Strings expected;
    for (std::size_t i = 1; i <= kCount; ++i) expected.push_back("n1#" + std::to_string(i) + " 1");
    for (const auto& worker : workers_) EXPECT_EQ(received(worker), expected);
    expect_nothing_told();
}

}  // namespace
}  // namespace muster::test
