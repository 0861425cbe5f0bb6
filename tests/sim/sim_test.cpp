// A thousand random runs, and whether the simulator would notice.
#include <gtest/gtest.h>

#include <cinttypes>
#include <sstream>
#include <thread>

#include "tests/sim/batch.hpp"
#include "tests/sim/notices.hpp"
#include "tests/sim/progress.hpp"

namespace muster::sim {
namespace {

std::string command(std::uint64_t seed) {
    return "; again: muster_simulate --verbose --seed " + std::to_string(seed);
}

TEST(RandomRuns, keep_every_invariant_and_leave_nothing_out) {
    Wishes wishes;
    wishes.seed = 5001;  // among as many runs from another seed, one of the rarest paths may be missing
    constexpr std::uint64_t kRuns = 1000;
    std::printf("muster_simulate --seed %" PRIu64 " --runs %" PRIu64 "\n", wishes.seed, kRuns);
    std::string broken;
    const auto failed = [&](const Wishes& run, const Outcome& outcome) {
        broken = outcome.why + command(run.seed);
        return false;
    };
    const BatchResult result = run_batch(wishes, kRuns, std::max(1u, std::thread::hardware_concurrency()), failed);
    ASSERT_EQ(broken, "");
    EXPECT_EQ(result.coverage.never_hit(), std::vector<std::string>{});
    EXPECT_EQ(result.coverage.unlisted(), std::vector<std::string>{}) << "belongs in coverage.cpp";
}

TEST(RandomRuns, a_batch_is_the_same_on_any_number_of_threads) {
    Wishes wishes;
    wishes.seed = 4001;
    const auto never = [](const Wishes&, const Outcome&) { return false; };
    EXPECT_EQ(run_batch(wishes, 12, 1, never).hash, run_batch(wishes, 12, 3, never).hash);
}

TEST(RandomRuns, a_batch_says_how_far_it_is_and_is_the_same) {
    Wishes wishes;
    wishes.seed = 4001;
    wishes.faults = seconds(25);
    const auto never = [](const Wishes&, const Outcome&) { return false; };
    std::vector<BatchProgress> told;
    const auto progressed = [&](const BatchProgress& progress) { told.push_back(progress); };
    const BatchResult result = run_batch(wishes, 3, 2, never, progressed);
    EXPECT_EQ(result.hash, run_batch(wishes, 3, 1, never).hash);
    ASSERT_EQ(told.size(), 3u * (3 + 1)) << "27 s come in three parts, and each run has an end";
    for (std::size_t i = 1; i < told.size(); ++i) {
        EXPECT_GE(told[i].runs, told[i - 1].runs);
        EXPECT_GE(told[i].lived, told[i - 1].lived);
    }
    EXPECT_EQ(told.back().runs, 3u);
    EXPECT_EQ(told.back().lived, 3 * seconds(27));
}

TEST(Progress, is_a_line_every_so_often_with_the_time_that_is_left) {
    using namespace std::chrono_literals;
    std::ostringstream out;
    const ProgressLine::Clock::time_point begin{};
    ProgressLine line("sim", out, false, 10, begin);
    line.show(begin + 9s, 0.05, "1 of 8 runs");
    EXPECT_EQ(out.str(), "");
    line.show(begin + 10s, 0.25, "2 of 8 runs");
    line.show(begin + 19s, 0.5, "4 of 8 runs");
    line.show(begin + 600s, 0.75, "6 of 8 runs");
    line.clear();
    EXPECT_EQ(out.str(),
              "sim: 25 %, 2 of 8 runs, 10 s, some 30 s left\n"
              "sim: 75 %, 6 of 8 runs, 10 min, some 3 min left\n");
}

TEST(Progress, rewrites_its_line_on_a_terminal_and_leaves_nothing_behind) {
    using namespace std::chrono_literals;
    std::ostringstream out;
    const ProgressLine::Clock::time_point begin{};
    ProgressLine line("sim", out, true, 10, begin);
    line.show(begin + 1s, 0.5, "1 of 2 runs");
    line.clear();
    line.clear();
    EXPECT_EQ(out.str(), "\r\x1b[Ksim: 50 %, 1 of 2 runs, 1 s, some 1 s left\r\x1b[K");
}

TEST(RandomRuns, thirty_nodes_keep_every_invariant_too) {
    Wishes wishes;
    wishes.seed = 31;
    wishes.nodes = 30;
    wishes.faults = seconds(2);
    const Outcome outcome = simulate(wishes);
    EXPECT_EQ(outcome.verdict, Verdict::good) << outcome.why;
}

TEST(RandomRuns, where_some_speak_a_newer_minor_keep_every_invariant_too) {
    Wishes wishes;
    wishes.seed = 7001;
    wishes.newer = true;
    std::string broken;
    const auto failed = [&](const Wishes& run, const Outcome& outcome) {
        broken = outcome.why + command(run.seed) + " --newer";
        return false;
    };
    const BatchResult result = run_batch(wishes, 100, std::max(1u, std::thread::hardware_concurrency()), failed);
    ASSERT_EQ(broken, "");
    EXPECT_GT(result.coverage.marks.at("message of an unknown type ignored"), 1000u);
}

TEST(Coverage, what_was_never_exercised_is_named) {
    Wishes wishes;
    wishes.seed = 5;
    const auto missing = simulate(wishes).coverage.never_hit();
    EXPECT_FALSE(missing.empty()) << "one run cannot exercise everything";
    EXPECT_EQ(Coverage().never_hit().size() > missing.size(), true);
}

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

/// Core::join and Core::leave are a second entry beside Core::step: whichever a run uses, all its cores ask for the
/// same, byte for byte.
TEST(Determinism, direct_calls_do_exactly_what_their_events_do) {
    constexpr std::uint64_t kFirst = 6001;
    constexpr std::uint64_t kRuns = 60;
    std::printf("seeds %" PRIu64 " to %" PRIu64 "\n", kFirst, kFirst + kRuns - 1);
    for (std::uint64_t seed = kFirst; seed < kFirst + kRuns; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        const Outcome stepped = simulate(wishes);
        wishes.direct_calls = true;
        const Outcome called = simulate(wishes);
        ASSERT_EQ(stepped.verdict, Verdict::good) << stepped.why << command(seed);
        ASSERT_EQ(stepped.hash, called.hash) << called.why << command(seed);
        ASSERT_EQ(stepped.ended, called.ended) << command(seed);
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
        wishes.keys = false;  // so that messages can be spoiled
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
                for (proto::GroupDelta& change : delta.changes) {
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
    for (std::uint64_t seed = 9101; seed < 9141; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        bool done = false;
        const Outcome outcome = simulate(wishes, [&](Host& host, cluster::Actions& actions) {
            // Late, so that not all of the members die before the end: the dead are owed nothing.
            if (done || host.age() < seconds(4)) return;
            done = std::erase_if(actions, [](const auto& action) {
                       return std::holds_alternative<cluster::Deliver>(action);
                   }) != 0;
        });
        swallowed += done ? 1 : 0;
        noticed += outcome.verdict == Verdict::unsafe ? 1 : 0;
    }
    EXPECT_GE(swallowed, 20);
    EXPECT_GE(3 * noticed, swallowed);
}

// A request comes again when its first one has been sent to a node that is believed dead meanwhile.
TEST(Judge, a_loss_may_be_told_of_members_that_a_repeated_request_does_not_find) {
    const Group group{"judge", "repeat"};
    const Owner owner{"", 1};
    Truth truth;
    Life& from = truth.begin({"a", Incarnation{1}});
    Life& to = truth.begin({"b", Incarnation{1}});
    to.join(1, {group, owner, {}, 0, false, Reason::left});
    const auto told = [&](std::uint64_t missed, bool found_at_all) {
        const Continuity continuity(Duration{0});
        Notices notices(truth, continuity);
        const std::vector<Member> members{{{to.id, MemberNumber{1}}, "", {}}};
        for (const auto& found : {found_at_all ? members : std::vector<Member>{}, {}})
            notices.taken(1, from, {"w", 1}, NotificationKind::created, group, found, Duration{0});
        notices.gap(to, owner, missed);
        return notices.owed();
    };
    EXPECT_EQ(told(1, true), std::nullopt);
    EXPECT_NE(told(2, true), std::nullopt);
    EXPECT_NE(told(1, false), std::nullopt);
}

TEST(Canary, a_cluster_that_stays_split_misses_liveness) {
    int stalled = 0;
    for (std::uint64_t seed = 9201; seed <= 9210; ++seed) {
        Wishes wishes;
        wishes.seed = seed;
        wishes.never_heal = true;
        if (simulate(wishes).verdict == Verdict::stalled) ++stalled;
    }
    EXPECT_GE(stalled, 5) << "of 10; a run at whose end one node is left has nothing to miss";
}

}  // namespace
}  // namespace muster::sim
