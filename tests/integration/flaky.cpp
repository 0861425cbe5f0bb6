// The flaky run at any size; see scripts/flaky.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <random>

#include "tests/integration/flaky_run.hpp"

int main(int argc, char** argv) {
    muster::test::FlakyOptions options;
    options.notifications = 1'000'000;
    options.seed = std::random_device{}();
    int every = 200;
    int grace = 30'000;
    options.blackouts = 5;
    CLI::App app("Sends notifications over connections that break at random, and accounts for each.", "flaky");
    app.add_option("--notifications", options.notifications, "how many (default 1000000)");
    app.add_option("--seed", options.seed, "of the faults (default: a random one)");
    app.add_option("--fault-every", every, "mean time between faults in ms (default 200; 0: none)");
    app.add_option("--grace", grace, "--session-grace of the nodes in ms (default 30000)");
    app.add_option("--blackouts", options.blackouts,
                   "times that nothing passes between the nodes until they take each other for dead (default 5)");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    options.faults.every = std::chrono::milliseconds(every);
    options.grace = std::chrono::milliseconds(grace);
    options.on_progress = [](const std::string& line) { std::printf("%s\n", line.c_str()), std::fflush(stdout); };

    std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
    try {
        const auto result = muster::test::run_flaky(options);
        std::printf("%s\n", to_text(result).c_str());
        for (const auto& line : result.broken) std::printf("BROKEN: %s\n", line.c_str());
        return result.broken.empty() ? 0 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flaky: %s\n", error.what());
        return 1;
    }
}
