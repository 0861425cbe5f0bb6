// muster_bench: measures one row of the table of speed after the other; see rows.hpp.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/arguments.hpp"
#include "tests/bench/child.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/settings.hpp"

namespace muster::bench {

const std::vector<Row> kRows{
    {"lookup", lookup, "members() of 1 to 1000, local and remote, 1 and 2 threads"},
    {"join", join, "join and leave with two peers; groups of 0 to 10,000; 1 and 100 a call"},
    {"propagate", propagate, "join at A, watch event at B, reply at A"},
    {"sync", sync, "a fresh node learns 100,000 and 1,000,000 members"},
    {"fanout", fanout, "3 to 300 members on three nodes: sustained, and one at a time"},
    {"workers", workers, "a worker at A notifies 30 workers at B and C, through musterd"},
    {"killed", killed, "a killed node's 10,000 members are gone"},
    {"memory", memory, "resident bytes for a remote member"},
    {"idle", idle, "what ten nodes take that have nothing to do"},
    {"scale", scale, "what a million members, a thousand workers and fifty nodes take"},
};

namespace {

std::string list_of_rows() {
    std::string text = "Rows:";
    for (const auto& row : kRows) text.append("\n  ").append(row.name).append("  ").append(row.what);
    return text;
}

int run(const std::vector<std::string>& names, const Settings& settings) {
    for (const auto& name : names) {
        const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) { return one.name == name; });
        row->run(settings);
    }
    return 0;
}

int run_with(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "child") return run_child(std::stoi(argv[2]));
    CLI::App app{"Measures what the table of speed says. All traffic is on 127.0.0.1."};
    app.footer(list_of_rows());
    Settings settings;
    std::vector<std::string> names, known;
    for (const auto& row : kRows) known.emplace_back(row.name);
    app.add_option("rows", names, "which rows; default: all")->check(CLI::IsMember(known));
    add_options(app, settings);
    CLI11_PARSE(app, argc, argv);
    return run(names.empty() ? known : names, settings);
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
    return muster::bench::main_of("muster_bench", muster::bench::run_with, argc, argv);
}
