// muster_simulate: runs of the cluster in virtual time, each from a seed.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>

#include "tests/sim/batch.hpp"
#include "tests/sim/progress.hpp"

namespace muster::sim {
namespace {

constexpr int kGood = 0;
constexpr int kUnsafe = 1;
constexpr int kBadUsage = 2;
constexpr int kStalled = 3;
constexpr int kCrashed = 4;
constexpr int kNotCovered = 5;
constexpr std::uint64_t kCoveringRuns = 2000;  // so many runs must have exercised everything

struct Order {
    Wishes wishes;
    std::uint64_t runs = 1;
    double minutes = 0;
    unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
    bool keep_going = false;
    double progress = 10;  // seconds between lines about it; 0: none
};

std::string again(const Order& order, std::uint64_t seed) {
    std::string command = "muster_simulate --seed " + std::to_string(seed);
    if (order.wishes.nodes != 0) command += " --nodes " + std::to_string(order.wishes.nodes);
    if (order.minutes > 0) command += " --minutes " + std::to_string(order.minutes);
    if (order.wishes.newer) command += " --newer";
    return command + " --verbose";
}

int exit_code(Verdict verdict) {
    return verdict == Verdict::good ? kGood : verdict == Verdict::unsafe ? kUnsafe : kStalled;
}

/// The core aborts when it no longer knows what it does: say in which run.
void report_crash(int) {
    char text[64];
    const int size = std::snprintf(text, sizeof text, "crash: seed %" PRIu64 "\n", seed_of_this_thread());
    const auto written = write(STDOUT_FILENO, text, static_cast<std::size_t>(size));
    _exit(written < 0 ? kCrashed + 128 : kCrashed);
}

/// How much of the order is done: by the virtual time, where it is known how much that will be.
double part_of(const Order& order, const BatchProgress& progress) {
    const auto runs = static_cast<double>(order.runs);
    if (order.minutes <= 0) return static_cast<double>(progress.runs) / runs;
    return static_cast<double>(progress.lived.count()) / (runs * static_cast<double>(order.wishes.faults.count()));
}

int run(const Order& order) {
    int code = kGood;
    ProgressLine line("muster_simulate", std::cerr, isatty(STDERR_FILENO) == 1, order.progress);
    const auto progressed = [&](const BatchProgress& progress) {
        line.show(ProgressLine::Clock::now(), part_of(order, progress),
                  std::to_string(progress.runs) + " of " + std::to_string(order.runs) + " runs");
    };
    const auto failed = [&](const Wishes& wishes, const Outcome& outcome) {
        line.clear();
        std::printf("%s: seed %" PRIu64 " at %.3f s: %s\n  again: %s\n",
                    outcome.verdict == Verdict::unsafe ? "safety broken" : "liveness missed", wishes.seed,
                    static_cast<double>(outcome.ended.count()) / 1e6, outcome.why.c_str(),
                    again(order, wishes.seed).c_str());
        std::fflush(stdout);
        if (code == kGood || exit_code(outcome.verdict) < code) code = exit_code(outcome.verdict);
        return order.keep_going;
    };
    const BatchResult result = run_batch(order.wishes, order.runs, order.wishes.verbose ? 1 : order.jobs, failed,
                                         order.progress > 0 ? progressed : std::function<void(const BatchProgress&)>());
    line.clear();
    std::printf("%" PRIu64 " runs, %.1f simulated minutes, %" PRIu64
                " deliveries, slowest to settle %.1f s, hash %016" PRIx64 "\n%s",
                result.runs, static_cast<double>(result.simulated.count()) / 60e6, result.delivered,
                static_cast<double>(result.slowest.count()) / 1e6, result.hash, result.coverage.to_text().c_str());
    const auto missing = result.coverage.never_hit();
    std::printf("never exercised:");
    for (const auto& name : missing) std::printf(" %s;", name.c_str());
    std::printf("%s\n", missing.empty() ? " nothing" : "");
    const bool must_cover = result.runs >= kCoveringRuns && order.wishes.nodes == 0;
    return code == kGood && must_cover && !missing.empty() ? kNotCovered : code;
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) {
    using namespace muster::sim;  // NOLINT(google-build-using-namespace)
    Order order;
    CLI::App app{
        "Runs muster's core in virtual time under faults. Every run follows from its seed alone.\n"
        "Exit status: 0 good, 1 safety broken, 2 bad usage, 3 liveness missed, 4 crash,\n"
        "5 something was never exercised (only of 2,000 runs or more, of any size)."};
    app.add_option("--seed", order.wishes.seed, "seed of the first run; the next have the numbers after it");
    app.add_option("--runs", order.runs, "how many runs")->check(CLI::PositiveNumber);
    app.add_option("--nodes", order.wishes.nodes, "nodes in every run; else drawn from the seed")
        ->check(CLI::Range(1, 50));
    app.add_option("--minutes", order.minutes, "virtual minutes under faults in every run; else a few seconds")
        ->check(CLI::Range(0.001, 10000.0));
    app.add_option("--jobs", order.jobs, "threads; one per processor if not said, and one with --verbose")
        ->check(CLI::Range(1, 256));
    app.add_option("--progress", order.progress,
                   "seconds between lines on standard error that say how far it is; 0: none")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--newer", order.wishes.newer, "in every run some nodes and workers speak a newer minor");
    app.add_flag("--keep-going", order.keep_going, "go on after a run that failed");
    app.add_flag("--verbose", order.wishes.verbose, "print every event and action");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kGood : kBadUsage;
    }
    order.wishes.faults = Duration(static_cast<Duration::rep>(order.minutes * 60e6));
    std::printf("muster_simulate --seed %" PRIu64 " --runs %" PRIu64 " --nodes %zu --minutes %g\n", order.wishes.seed,
                order.runs, order.wishes.nodes, order.minutes);
    std::fflush(stdout);
    for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(number, report_crash);
    return run(order);
}
