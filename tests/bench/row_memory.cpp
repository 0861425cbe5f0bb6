#include <thread>

#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kGroups = 10000;
constexpr std::size_t kMembers = 100;  // of each
constexpr double kAll = kGroups * kMembers;
constexpr std::chrono::seconds kSettled{2};

struct Bytes {
    double resident = 0;
    double trimmed = 0;  // after what was freed went back to the system
};

/// Of one learning node: `live` was connected while the other filled its groups, otherwise it is a fresh node.
Bytes measure(bool singly, bool live) {
    Cluster cluster(1);
    const std::string shape = std::to_string(kGroups) + " " + std::to_string(kGroups * kMembers);
    Child learner(cluster.page());
    if (live) learner.ask("node learner " + cluster.scope() + " " + cluster.node().address());
    learner.ask("trim");
    const double before = learner.resident_bytes();
    fill(cluster.node(), kGroups, kMembers, singly);
    if (live)
        learner.ask("expect_total " + shape);
    else
        learner.ask("learn learner " + cluster.scope() + " " + cluster.node().address() + " " + shape);
    std::this_thread::sleep_for(kSettled);
    const double after = learner.resident_bytes();
    learner.ask("trim");
    return {(after - before) / kAll, (learner.resident_bytes() - before) / kAll};
}

}  // namespace

void memory(const Settings& settings) {
    for (const bool singly : {true, false}) {
        for (const bool live : {false, true}) {
            const Case one{{"joined", singly ? "singly" : "batch"}, {"learned", live ? "live" : "fresh"}};
            if (!settings.wants(one)) continue;
            tell("memory", one);
            std::vector<double> resident, trimmed;
            for (std::size_t rep = 0; rep < settings.reps; ++rep) {
                const auto bytes = measure(singly, live);
                resident.push_back(bytes.resident);
                trimmed.push_back(bytes.trimmed);
            }
            Line("memory", one).measure("bytes_member", resident).measure("trimmed", trimmed).print();
        }
    }
}

}  // namespace muster::bench
