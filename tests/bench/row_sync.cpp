#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kGroups = 10000;

void measure_case(const Settings& settings, const Case& one, std::size_t members, bool singly) {
    tell("sync", one);
    Cluster cluster(1);
    fill(cluster.node(), kGroups, members, singly);
    const std::string shape = std::to_string(kGroups) + " " + std::to_string(kGroups * members);
    std::vector<double> ms;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        Child fresh(cluster.page());
        ms.push_back(std::stod(fresh.ask("learn fresh" + std::to_string(rep) + " " + cluster.scope() + " " +
                                         cluster.node().address() + " " + shape)));
        fresh.ask("read_back " + std::to_string(kGroups * members));
    }
    Line("sync", one).measure("ms", ms).print();
}

}  // namespace

void sync(const Settings& settings) {
    for (const std::size_t members : {10, 100}) {
        for (const bool singly : {true, false}) {
            const Case one{{"memberships", std::to_string(kGroups * members)}, {"joined", singly ? "singly" : "batch"}};
            if (settings.wants(one)) measure_case(settings, one, members, singly);
        }
    }
}

}  // namespace muster::bench
