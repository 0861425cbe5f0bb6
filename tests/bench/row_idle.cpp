#include <thread>

#include "tests/bench/daemons.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"
#include "tests/bench/usage.hpp"

namespace muster::bench {
namespace {

constexpr std::chrono::seconds kSettled{3};
constexpr std::size_t kGroups = 10000;
constexpr std::size_t kOfEach = 33;  // members of each group at each of three nodes
constexpr std::size_t kWorkers = 1000;

std::chrono::seconds period(const Settings& settings) {
    return std::chrono::seconds(settings.quick ? 4 : 10);
}

std::vector<pid_t> processes(Cluster& cluster) {
    std::vector<pid_t> pids;
    for (std::size_t i = 0; i < cluster.children(); ++i) pids.push_back(cluster.child(i).pid());
    return pids;
}

void watch_nodes(std::string_view row, const Settings& settings, const Case& one, std::size_t nodes) {
    tell(row, one);
    Cluster cluster(nodes + 1);  // the one in this process is not watched
    std::this_thread::sleep_for(kSettled);
    print(row, one, watch_usage(processes(cluster), period(settings)));
}

void watch_members(const Settings& settings, const Case& one) {
    tell("scale", one);
    Cluster cluster(4);
    const std::size_t all = 3 * kOfEach * kGroups;
    for (std::size_t i = 0; i < 3; ++i)
        cluster.child(i).ask("fill " + std::to_string(kGroups) + " " + std::to_string(kOfEach) + " 0");
    for (std::size_t i = 0; i < 3; ++i)
        cluster.child(i).ask("expect_total " + std::to_string(kGroups) + " " + std::to_string(all));
    std::this_thread::sleep_for(kSettled);
    print("scale", one, watch_usage(processes(cluster), period(settings)));
}

/// Of the one node that all workers are attached to.
void watch_workers(const Settings& settings, const Case& one) {
    tell("scale", one);
    Page page;
    Daemons daemons(1);
    std::vector<std::unique_ptr<Child>> holders;
    for (std::size_t i = 0; i < 4; ++i) holders.push_back(std::make_unique<Child>(page));
    for (auto& holder : holders)
        holder->ask("workers " + daemons.address(0) + " " + daemons.scope() + " " +
                    std::to_string(kWorkers / holders.size()) + " scale workers 0");
    std::this_thread::sleep_for(kSettled);
    print("scale", one, watch_usage({daemons.process(0).pid()}, period(settings)));
}

}  // namespace

void idle(const Settings& settings) {
    const Case one{{"nodes", "10"}};
    if (settings.wants(one)) watch_nodes("idle", settings, one, 10);
}

void scale(const Settings& settings) {
    const Case members{{"nodes", "3"}, {"memberships", std::to_string(3 * kOfEach * kGroups)}, {"workers", "0"}};
    if (settings.wants(members)) watch_members(settings, members);
    const Case workers{
        {"nodes", "1"}, {"memberships", std::to_string(kWorkers)}, {"workers", std::to_string(kWorkers)}};
    if (settings.wants(workers)) watch_workers(settings, workers);
    const Case nodes{{"nodes", "50"}, {"memberships", "0"}, {"workers", "0"}};
    if (settings.wants(nodes)) watch_nodes("scale", settings, nodes, 50);
}

}  // namespace muster::bench
