// Does the simulator have teeth? Each deliberate mistake of mutants.toml must be
// caught within the number of runs that stands there. With the environment
// variable MUSTER_MUTANT_RUNS=200, as many runs of each are made, and it is
// printed in how many the mistake was caught: what `within_runs` is chosen from.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/sim/mutants/mutant.hpp"
#include "tests/sim/simulation.hpp"

namespace muster::sim {
namespace {

enum class Caught : std::uint8_t { unsafe, stalled, either };

struct Mutant {
    int number;
    const char* name;
    const char* mistake;
    Caught as;
    std::uint64_t first_seed;
    std::uint64_t runs;
};

void PrintTo(const Mutant& mutant, std::ostream* out) {
    *out << mutant.name;
}

constexpr Mutant kMutants[] = {
#include <mutants.inc>  // generated
};

constexpr std::uint64_t kFirstSeed = 1;
constexpr rlim_t kSeconds = 60;  // of processor time: most runs need less than 0.1 s, those with 50 nodes some 10 s
constexpr const char* kAborted = "aborted: an invariant that the core checks itself";

Outcome run(std::uint64_t seed) {
    Wishes wishes;
    wishes.seed = seed;
    return simulate(wishes);
}

/// What one run of a core with a mistake came to. In a process of its own: the
/// core ends it when it finds a broken invariant.
Outcome run_apart(const Mutant& mutant, std::uint64_t seed) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        const rlimit enough{kSeconds, kSeconds + 1};
        setrlimit(RLIMIT_CPU, &enough);
        mutant_at_work = mutant.number;
        const Outcome outcome = run(seed);
        const std::string words = std::to_string(static_cast<int>(outcome.verdict)) + outcome.why;
        const bool told = write(ends[1], words.data(), words.size()) == static_cast<ssize_t>(words.size());
        _exit(told ? 0 : 1);
    }
    close(ends[1]);
    std::string words;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof buffer)) > 0;) words.append(buffer, static_cast<size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    Outcome outcome;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !words.empty()) {
        outcome.verdict = static_cast<Verdict>(words[0] - '0');
        outcome.why = words.substr(1);
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        outcome = {Verdict::stalled, "a step does not end", 0, {}, {}, 0, {}};
    } else {
        outcome = {Verdict::unsafe, kAborted, 0, {}, {}, 0, {}};
    }
    return outcome;
}

bool is_as(const Outcome& outcome, Caught as) {
    return (outcome.verdict == Verdict::unsafe && as != Caught::stalled) ||
           (outcome.verdict == Verdict::stalled && as != Caught::unsafe);
}

void measure(const Mutant& mutant, std::uint64_t runs) {
    std::uint64_t unsafe = 0;
    std::uint64_t stalled = 0;
    std::map<std::string, int> words;
    for (std::uint64_t i = 0; i < runs; ++i) {
        const Outcome outcome = run_apart(mutant, kFirstSeed + i);
        if (outcome.verdict == Verdict::good) continue;
        ++(outcome.verdict == Verdict::unsafe ? unsafe : stalled);
        ++words[outcome.why.substr(0, 60)];
    }
    std::string most;
    for (const auto& [why, count] : words)
        if (most.empty() || count > words[most]) most = why;
    std::printf("%s: in %lu runs %lu unsafe, %lu stalled; mostly: %s\n", mutant.name, runs, unsafe, stalled,
                most.c_str());
}

class Mutants : public testing::TestWithParam<Mutant> {};

TEST_P(Mutants, is_caught) {
    const Mutant& mutant = GetParam();
    if (const char* runs = std::getenv("MUSTER_MUTANT_RUNS")) return measure(mutant, std::strtoull(runs, nullptr, 10));
    for (std::uint64_t i = 0; i < mutant.runs; ++i) {
        const Outcome outcome = run_apart(mutant, mutant.first_seed + i);
        if (!is_as(outcome, mutant.as)) continue;
        std::printf("caught in run %lu of at most %lu, %s: %s\n", i + 1, mutant.runs,
                    outcome.verdict == Verdict::unsafe ? "unsafe" : "stalled", outcome.why.c_str());
        return;
    }
    FAIL() << "not caught in " << mutant.runs << " runs: " << mutant.mistake;
}

INSTANTIATE_TEST_SUITE_P(Core, Mutants, testing::ValuesIn(kMutants),
                         [](const auto& mutant) { return std::string(mutant.param.name); });

TEST(MutantsControl, without_a_mistake_the_same_seeds_are_good) {
    ASSERT_EQ(mutant_at_work, 0);
    for (std::uint64_t seed = kFirstSeed; seed < kFirstSeed + 100; ++seed) {
        const Outcome outcome = run(seed);
        ASSERT_EQ(outcome.verdict, Verdict::good) << "seed " << seed << ": " << outcome.why;
    }
}

}  // namespace
}  // namespace muster::sim
