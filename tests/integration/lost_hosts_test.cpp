// Hosts that are out of reach, and come back: splits, dead cards and switches, lost power.
#include "tests/integration/three_hosts.hpp"

namespace muster::test {
namespace {

using LostHosts = ThreeHosts;

TEST_F(LostHosts, ASplitIsNoticedOnBothSidesAndHealsByWhatChanged) {
    auto goes = join(*cluster_, b);
    await_told(everyone_ + ids(goes), "a join");
    expect_all_reached("\"before\"", 4);

    start_clock();
    hosts_->split({a});
    const Ids other_side = of(b) + of(c) + ids(goes);
    await_told({{a, of(a)}, {b, other_side}, {c, other_side}}, "the split");

    const auto new_a = join(*cluster_, a);
    const auto new_b = join(*cluster_, b);
    goes->signal(SIGTERM);
    ASSERT_EQ(goes->wait_exit(), 0);
    await_told({{a, of(a) + ids(new_a)}, {c, of(b) + of(c) + ids(new_b)}}, "joins and leaves of its side");
    EXPECT_EQ(notify(*cluster_, a, "\"during\"", {"--wait"})["delivered"], 2);
    EXPECT_EQ(notify(*cluster_, b, "\"during\"", {"--wait"})["delivered"], 3);

    start_clock();
    hosts_->heal({a});
    expect_settled(everyone_ + ids(new_a) + ids(new_b), "the heal");
    expect_quiet(kAfterHeal);
    EXPECT_EQ(story(a, of(a)), "there");
    EXPECT_EQ(story(a, of(b)), "there, node_down, join");
    EXPECT_EQ(story(a, of(c)), "there, node_down, join");
    EXPECT_EQ(story(a, ids(goes)), "join, node_down");
    EXPECT_EQ(story(a, ids(new_a)), "join");
    EXPECT_EQ(story(a, ids(new_b)), "join");
    for (const auto host : {b, c}) {
        EXPECT_EQ(story(host, of(a)), "there, node_down, join");
        EXPECT_EQ(story(host, of(b)), "there");
        EXPECT_EQ(story(host, of(c)), "there");
        EXPECT_EQ(story(host, ids(goes)), "join, left");
        EXPECT_EQ(story(host, ids(new_a)), "join");
        EXPECT_EQ(story(host, ids(new_b)), "join");
    }

    expect_all_reached("\"after\"", 5);
    const Strings before{"n1#1 \"before\"", "n2#1 \"before\"", "n3#1 \"before\""};
    const Strings after{"n1#3 \"after\"", "n2#3 \"after\"", "n3#2 \"after\""};
    const auto all = [&](const std::string& during) {
        Strings list = before;
        list.push_back(during);
        list.insert(list.end(), after.begin(), after.end());
        return list;
    };
    EXPECT_EQ(received(workers_[a]), all("n1#2 \"during\""));
    EXPECT_EQ(received(workers_[b]), all("n2#2 \"during\""));
    EXPECT_EQ(received(workers_[c]), all("n2#2 \"during\""));
}

TEST_F(LostHosts, ALongSplitThatBrokeTheConnectionsHealsAndLosesNothing) {
    start_clock();
    hosts_->split({b});
    // Taken before the split is noticed: for b's worker they wait at a until b is back.
    EXPECT_EQ(notify(*cluster_, a, "1", {"--count", "3"})["matched"], 9);
    await_told({{a, of(a) + of(c)}, {b, of(b)}, {c, of(a) + of(c)}}, "the split");
    for (const auto host : {a, c}) {
        await_connections(host, b, false);
        await_connections(b, host, false);
    }
    EXPECT_EQ(received(workers_[b]), Strings{});

    start_clock();
    hosts_->heal({b});
    expect_settled(everyone_, "the heal");
    expect_quiet(kAfterHeal);
    for (const auto host : {a, c}) EXPECT_EQ(story(host, of(b)), "there, node_down, join");
    for (const auto host : {a, c}) EXPECT_EQ(story(b, of(host)), "there, node_down, join");
    EXPECT_EQ(story(a, of(c)), "there");
    expect_all_reached("2", 3);
    for (const auto& worker : workers_)
        EXPECT_EQ(received(worker), (Strings{"n1#1 1", "n1#2 1", "n1#3 1", "n1#4 2", "n2#1 2", "n3#1 2"}));
}

TEST_F(LostHosts, AHostThatNobodyHearsIsDownUntilItIsHeard) {
    hosts_->cut(a, b);
    hosts_->cut(a, c);
    start_clock();
    await_told({{a, of(a)}, {b, of(b) + of(c)}, {c, of(b) + of(c)}}, "the silence");
    start_clock();
    hosts_->mend(a, b);
    hosts_->mend(a, c);
    expect_settled(everyone_, "the heal");
    expect_quiet(kAfterHeal);
    for (const auto host : {b, c}) {
        EXPECT_EQ(story(host, of(a)), "there, node_down, join");
        EXPECT_EQ(story(a, of(host)), "there, node_down, join");
    }
    expect_all_reached("1", 3);
}

TEST_F(LostHosts, AKilledNodeOfAnotherHostIsNoticedAtOnce) {
    start_clock();
    cluster_->node(c).signal(SIGKILL);
    const Ids rest = of(a) + of(b);
    await_told({{a, rest}, {b, rest}}, "the kill");
    EXPECT_LT(elapsed(), milliseconds(1500));  // less than silence takes
    for (const auto host : {a, b}) EXPECT_EQ(story(host, of(c)), "there, node_down");
}

TEST_F(LostHosts, AHostThatLostItsPowerComesBackAsANewLife) {
    hosts_->split({c});
    for (Process* process : {&cluster_->node(c), workers_[c].operator->(), watchers_[c].operator->()}) {
        process->signal(SIGKILL);
        ASSERT_TRUE(process->wait_exit());
    }
    start_clock();
    const Ids rest = of(a) + of(b);
    await_told({{a, rest}, {b, rest}}, "the loss");

    hosts_->heal({c});
    cluster_->start(c);
    cluster_->wait_ready(c);
    const auto worker = join(*cluster_, c);
    watchers_[c] = watch(*cluster_, c);
    expect_settled(rest + ids(worker), "the new life");
    expect_quiet(kAfterHeal);
    for (const auto host : {a, b}) EXPECT_EQ(story(host, of(c)), "there, node_down");
    for (const auto host : {a, b}) EXPECT_EQ(story(host, ids(worker)), "join");
    expect_all_reached("1", 3);
}

TEST_F(LostHosts, AHostWhoseCardWasDownIsBackWithItsMembers) {
    start_clock();
    hosts_->card_down(b);
    const Ids rest = of(a) + of(c);
    await_told({{a, rest}, {b, of(b)}, {c, rest}}, "the dead card");
    EXPECT_EQ(notify(*cluster_, b, "1", {"--wait"})["delivered"], 1);

    start_clock();
    hosts_->card_up(b);
    expect_settled(everyone_, "the heal");
    expect_quiet(kAfterHeal);
    for (const auto host : {a, c}) {
        EXPECT_EQ(story(host, of(b)), "there, node_down, join");
        EXPECT_EQ(story(b, of(host)), "there, node_down, join");
    }
    EXPECT_EQ(story(a, of(c)), "there");
    expect_all_reached("2", 3);
}

TEST_F(LostHosts, WhenTheSwitchDiesEveryHostIsAloneAndThenAllAreBack) {
    start_clock();
    hosts_->switch_off();
    await_told({{a, of(a)}, {b, of(b)}, {c, of(c)}}, "the dead switch");
    for (const auto host : kHosts) EXPECT_EQ(notify(*cluster_, host, "1", {"--wait"})["delivered"], 1);

    start_clock();
    hosts_->switch_on();
    expect_settled(everyone_, "the heal");
    expect_quiet(kAfterHeal);
    for (const auto host : kHosts)
        for (const auto other : kHosts)
            EXPECT_EQ(story(host, of(other)), host == other ? "there" : "there, node_down, join");
    expect_all_reached("2", 3);
    for (const auto host : kHosts)
        EXPECT_EQ(received(workers_[host]), (Strings{Cluster::name(host) + "#1 1", "n1#2 2", "n2#2 2", "n3#2 2"}));
}

}  // namespace
}  // namespace muster::test
