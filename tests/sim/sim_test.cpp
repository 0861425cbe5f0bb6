// A thousand random runs, in shards; and whether the simulator would notice.
#include <gtest/gtest.h>

#include "tests/sim/simulation.hpp"

namespace muster::sim {
namespace {

std::string command(std::uint64_t seed) {
    return "; again: muster_simulate --verbose --seed " + std::to_string(seed);
}

class RandomRuns : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomRuns, keep_every_invariant) {
    constexpr std::uint64_t kRuns = 125;
    for (std::uint64_t i = 0; i < kRuns; ++i) {
        Wishes wishes;
        wishes.seed = 1 + GetParam() * kRuns + i;
        wishes.strict = true;
        const Outcome outcome = simulate(wishes);
        ASSERT_EQ(outcome.verdict, Verdict::good) << outcome.why << command(wishes.seed);
    }
}

INSTANTIATE_TEST_SUITE_P(Shard, RandomRuns, testing::Range<std::uint64_t>(0, 8));

TEST(Determinism, a_seed_gives_the_same_transcript_twice) {
    for (std::uint64_t seed = 5001; seed < 5011; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        const Outcome first = simulate(wishes);
        const Outcome second = simulate(wishes);
        ASSERT_EQ(first.hash, second.hash) << command(seed);
        ASSERT_EQ(first.ended, second.ended) << command(seed);
        wishes.seed += 1000;
        ASSERT_NE(first.hash, simulate(wishes).hash) << "another seed, the same transcript" << command(seed);
    }
}

/// Does one kind of damage in ten runs, wherever it can be done: it is noticed
/// as an unsafe step in at least `noticed` of them. (What is published to nobody
/// does no damage.)
template <class Spoil>
void expect_noticed(int noticed, Spoil spoil) {
    int unsafe = 0;
    for (std::uint64_t seed = 9001; seed < 9011; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        bool spoiled = false;
        const Outcome outcome =
            simulate(wishes, [&](Host&, cluster::Actions& actions) { spoiled = spoil(actions) || spoiled; });
        EXPECT_NE(outcome.verdict, Verdict::stalled) << outcome.why << command(seed);
        EXPECT_TRUE(spoiled || outcome.verdict == Verdict::good) << outcome.why << command(seed);
        if (outcome.verdict == Verdict::unsafe) ++unsafe;
    }
    EXPECT_GE(unsafe, noticed);
}

TEST(Canary, a_renumbered_member_is_noticed) {
    expect_noticed(8, [](cluster::Actions& actions) {
        for (cluster::Action& action : actions) {
            auto* publish = std::get_if<cluster::Publish>(&action);
            auto* deltas = publish ? std::get_if<proto::Deltas>(&publish->message.body) : nullptr;
            if (!deltas) continue;
            for (proto::Delta& delta : deltas->deltas) {
                for (proto::Change& change : delta.changes) {
                    if (change.joins.empty()) continue;
                    change.joins[0].first.value += 1000;
                    return true;
                }
            }
        }
        return false;
    });
}

TEST(Canary, a_swallowed_watch_event_is_noticed) {
    expect_noticed(10, [](cluster::Actions& actions) {
        return std::erase_if(actions, [](const cluster::Action& action) {
                   const auto* told = std::get_if<cluster::TellWatcher>(&action);
                   return told && told->watch == kMainWatch && told->event.kind == WatchEvent::Kind::leave;
               }) != 0;
    });
}

TEST(Canary, a_notification_delivered_twice_is_noticed) {
    expect_noticed(10, [](cluster::Actions& actions) {
        for (const cluster::Action& action : actions) {
            if (!std::holds_alternative<cluster::Deliver>(action)) continue;
            const cluster::Action copy = action;
            actions.push_back(copy);
            return true;
        }
        return false;
    });
}

TEST(Canary, a_claimed_member_that_never_joined_is_noticed) {
    expect_noticed(10, [](cluster::Actions& actions) {
        for (cluster::Action& action : actions) {
            auto* answer = std::get_if<cluster::Answer>(&action);
            auto* joined = answer ? std::get_if<proto::JoinReply>(&answer->result) : nullptr;
            if (!joined) continue;
            joined->members[0].count += 1;
            return true;
        }
        return false;
    });
}

TEST(Canary, a_lost_notification_is_noticed) {
    int swallowed = 0;
    int noticed = 0;
    for (std::uint64_t seed = 9101; seed < 9121; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        bool done = false;
        const Outcome outcome = simulate(wishes, [&](Host& host, cluster::Actions& actions) {
            // Late, so that few of the members die before the end: the dead are owed nothing.
            if (done || host.age() < seconds(4)) return;
            done = std::erase_if(actions, [](const auto& action) {
                       return std::holds_alternative<cluster::Deliver>(action);
                   }) != 0;
        });
        swallowed += done ? 1 : 0;
        noticed += outcome.verdict == Verdict::unsafe ? 1 : 0;
    }
    EXPECT_GE(swallowed, 15);
    EXPECT_GE(noticed, 10);
}

TEST(Canary, a_cluster_that_stays_split_misses_liveness) {
    Wishes wishes;
    wishes.seed = 9201;
    wishes.never_heal = true;
    EXPECT_EQ(simulate(wishes).verdict, Verdict::stalled);
}

}  // namespace
}  // namespace muster::sim
