// The options that all programs of the benchmark share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tests/bench/settings.hpp"

namespace muster::bench {

/// Parsing `app` fills `settings`, which outlives it.
inline void add_options(CLI::App& app, Settings& settings) {
    app.add_option("--reps", settings.reps, "repetitions of each measurement")->check(CLI::PositiveNumber);
    app.add_option("--calls", settings.calls, "calls of one measurement of a latency")->check(CLI::PositiveNumber);
    app.add_option("--window", settings.window, "notifications that may be under way")->check(CLI::Range(128, 60000));
    app.add_flag("--quick", settings.quick, "watch what is idle for a shorter time");
    const auto set_ms = [&settings](const std::size_t& ms) { settings.duration = std::chrono::milliseconds(ms); };
    app.add_option_function<std::size_t>("--ms", set_ms, "length of one measurement of a rate; default 2000")
        ->check(CLI::PositiveNumber);
    const auto add_only = [&settings](const std::vector<std::string>& all) {
        for (const auto& text : all) {
            const auto at = text.find('=');
            if (at == std::string::npos) throw CLI::ValidationError("--only", "takes KEY=VALUE");
            settings.only.emplace(text.substr(0, at), text.substr(at + 1));
        }
    };
    app.add_option_function<std::vector<std::string>>(
        "--only", add_only, "KEY=VALUE, repeatable: only the cases with one of the values given for a key");
}

/// The exit status of `run`; 1, and a line that says why, when it throws.
inline int main_of(const char* program, int (*run)(int argc, char** argv), int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", program, error.what());
        return 1;
    }
}

}  // namespace muster::bench
