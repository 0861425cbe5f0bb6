// muster_simulate: runs of the cluster in virtual time, each from a seed.
#include <CLI/CLI.hpp>

#include <cinttypes>
#include <cstdio>

#include "tests/sim/simulation.hpp"

namespace muster::sim {
namespace {

constexpr int kGood = 0;
constexpr int kUnsafe = 1;
constexpr int kBadUsage = 2;
constexpr int kStalled = 3;

struct Order {
    Wishes wishes;
    std::uint64_t runs = 1;
    double minutes = 0;
    bool keep_going = false;
};

std::string again(const Order& order, std::uint64_t seed) {
    std::string command = "muster_simulate --seed " + std::to_string(seed);
    if (order.wishes.nodes != 0) command += " --nodes " + std::to_string(order.wishes.nodes);
    if (order.minutes > 0) command += " --minutes " + std::to_string(order.minutes);
    if (order.wishes.strict) command += " --strict";
    return command + " --verbose";
}

int exit_code(Verdict verdict) {
    return verdict == Verdict::good ? kGood : verdict == Verdict::unsafe ? kUnsafe : kStalled;
}

int run(const Order& order) {
    Coverage coverage;
    Duration simulated{0};
    Duration slowest{0};
    std::uint64_t delivered = 0;
    std::uint64_t hash = 0;
    int code = kGood;
    for (std::uint64_t i = 0; i < order.runs; ++i) {
        Wishes wishes = order.wishes;
        wishes.seed += i;
        const Outcome outcome = simulate(wishes);
        coverage.add(outcome.coverage);
        simulated += outcome.ended;
        slowest = std::max(slowest, outcome.settled_after);
        delivered += outcome.delivered;
        hash = mix(hash ^ outcome.hash);
        if (outcome.verdict == Verdict::good) continue;
        std::printf("%s: seed %" PRIu64 " at %.3f s: %s\n  again: %s\n",
                    outcome.verdict == Verdict::unsafe ? "safety broken" : "liveness missed", wishes.seed,
                    static_cast<double>(outcome.ended.count()) / 1e6, outcome.why.c_str(),
                    again(order, wishes.seed).c_str());
        std::fflush(stdout);
        if (code == kGood || exit_code(outcome.verdict) < code) code = exit_code(outcome.verdict);
        if (!order.keep_going) break;
    }
    std::printf("%.1f simulated minutes, %" PRIu64 " deliveries, slowest to settle %.1f s, hash %016" PRIx64 "\n%s",
                static_cast<double>(simulated.count()) / 60e6, delivered, static_cast<double>(slowest.count()) / 1e6,
                hash, coverage.to_text().c_str());
    return code;
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) {
    using namespace muster::sim;  // NOLINT(google-build-using-namespace)
    Order order;
    CLI::App app{
        "Runs muster's core in virtual time under faults. Every run follows from its seed alone.\n"
        "Exit status: 0 good, 1 safety broken, 2 bad usage, 3 liveness missed."};
    app.add_option("--seed", order.wishes.seed, "seed of the first run; the next have the numbers after it");
    app.add_option("--runs", order.runs, "how many runs")->check(CLI::PositiveNumber);
    app.add_option("--nodes", order.wishes.nodes, "nodes in every run; else drawn from the seed")
        ->check(CLI::Range(1, 50));
    app.add_option("--minutes", order.minutes, "virtual minutes under faults in every run; else a few seconds")
        ->check(CLI::Range(0.001, 10000.0));
    app.add_flag("--strict", order.wishes.strict, "a declared death excuses no lost notification");
    app.add_flag("--keep-going", order.keep_going, "go on after a run that failed");
    app.add_flag("--verbose", order.wishes.verbose, "print every event and action");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kGood : kBadUsage;
    }
    order.wishes.faults = Duration(static_cast<Duration::rep>(order.minutes * 60e6));
    std::printf("muster_simulate --seed %" PRIu64 " --runs %" PRIu64 " --nodes %zu --minutes %g%s\n", order.wishes.seed,
                order.runs, order.wishes.nodes, order.minutes, order.wishes.strict ? " --strict" : "");
    std::fflush(stdout);
    return run(order);
}
