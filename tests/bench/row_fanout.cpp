#include "tests/bench/flow.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/notifying.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kNodes = 3;

/// `members` joins of one member each, evenly on all nodes; the slots of each node's are together.
void join_evenly(Cluster& cluster, const Group& group, std::size_t members) {
    const std::size_t each = members / kNodes;
    join_counting(cluster.node(), group, each, cluster.page(), 0);
    for (std::size_t i = 0; i < cluster.children(); ++i)
        cluster.child(i).ask("join_counting " + group.store + " " + group.feature + " " + std::to_string(each) + " " +
                             std::to_string((i + 1) * each));
    cluster.expect_members(group, members);
}

}  // namespace

void fanout(const Settings& settings) {
    Cluster cluster(kNodes);
    for (const std::size_t members : {3, 30, 300}) {
        const Group group{"fanout", std::to_string(members)};
        join_evenly(cluster, group, members);
        for (const std::size_t bytes : {64, 1024}) {
            Notifying what{cluster.node(), cluster.page(), group, members, data_of(bytes)};
            what.cpu_seconds = [&] { return cluster.cpu_seconds(); };
            for (const std::string how : {"sustained", "acknowledged"}) {
                const Case one{{"how", how}, {"members", group.feature}, {"bytes", std::to_string(bytes)}};
                if (!settings.wants(one)) continue;
                tell("fanout", one);
                const auto measure = how == "sustained" ? measure_sustained : measure_acknowledged;
                measure("fanout", settings, one, what);
            }
        }
    }
}

}  // namespace muster::bench
