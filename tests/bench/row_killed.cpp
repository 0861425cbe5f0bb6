#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kMembers = 10000;

/// Milliseconds from the kill until node A shows none of its members.
double measure(Cluster& cluster, std::size_t groups) {
    const auto victim = cluster.add();
    cluster.child(victim).ask("fill " + std::to_string(groups) + " " + std::to_string(kMembers / groups) + " 0");
    wait_for("the victim's members", [&] { return holds(cluster.node(), groups, kMembers); });
    cluster.child(0).ask("expect_total " + std::to_string(groups) + " " + std::to_string(kMembers));
    const auto begin = Clock::now();
    cluster.child(victim).kill();
    wait_for("their end", [&] { return holds(cluster.node(), 0, 0); });
    const std::chrono::duration<double, std::milli> taken = Clock::now() - begin;
    cluster.drop_last();
    return taken.count();
}

}  // namespace

void killed(const Settings& settings) {
    for (const std::size_t groups : {1000, 10000}) {
        const Case one{{"groups", std::to_string(groups)}, {"memberships", std::to_string(kMembers)}};
        if (!settings.wants(one)) continue;
        tell("killed", one);
        Cluster cluster(2);
        std::vector<double> ms;
        for (std::size_t rep = 0; rep < settings.reps; ++rep) ms.push_back(measure(cluster, groups));
        Line("killed", one).measure("ms", ms).print();
    }
}

}  // namespace muster::bench
