#include <stdexcept>

#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

struct Rates {
    double calls = 0;       // memberships a second
    double with_peers = 0;  // the same, until both peers have applied the last of them
    double cpu_us = 0;      // of processor time for a membership, all processes
};

/// A join that every live node has confirmed: all that this node did before has arrived there, too.
void await_peers(Node& node) {
    const Group mark{"mark", "mark"};
    JoinOptions options;
    options.visible = true;
    options.timeout = std::chrono::minutes(1);
    if (take(node.join(mark, {}, options)).unseen != 0) throw std::runtime_error("the peers do not keep up");
    take(node.leave(mark));
}

Rates measure(Cluster& cluster, const Group& group, const OnNotification& handler, std::size_t count,
              Clock::duration duration) {
    Node& node = cluster.node();
    JoinOptions options;
    options.count = count;
    std::uint64_t memberships = 0;
    const double cpu = cluster.cpu_seconds();
    const auto begin = Clock::now();
    while (Clock::now() - begin < duration) {
        take(node.join(group, handler, options));
        take(node.leave(group, count));
        memberships += 2 * count;
    }
    const std::chrono::duration<double> calls = Clock::now() - begin;
    await_peers(node);
    const std::chrono::duration<double> with_peers = Clock::now() - begin;
    const auto done = static_cast<double>(memberships);
    return {done / calls.count(), done / with_peers.count(), (cluster.cpu_seconds() - cpu) / done * 1e6};
}

void measure_case(Cluster& cluster, const Settings& settings, const Case& one, const Group& group,
                  const OnNotification& handler, std::size_t count) {
    if (!settings.wants(one)) return;
    tell("join", one);
    std::vector<double> calls, with_peers, cpu_us;
    measure(cluster, group, handler, count, settings.duration / 10);
    for (std::size_t i = 0; i < settings.reps; ++i) {
        const auto rates = measure(cluster, group, handler, count, settings.duration);
        calls.push_back(rates.calls);
        with_peers.push_back(rates.with_peers);
        cpu_us.push_back(rates.cpu_us);
    }
    Line line("join", one);
    line.measure("memberships_s", calls).measure("with_peers_s", with_peers).measure("cpu_us", cpu_us).print();
}

}  // namespace

void join(const Settings& settings) {
    Cluster cluster(3);
    Page& page = cluster.page();
    for (const std::size_t others : {0, 1000, 10000}) {
        const Group group{"join", std::to_string(others)};
        for (const std::string handler : {"none", "real"}) {
            for (const std::size_t count : {1, 100}) {
                if (count > 1 && others > 0) continue;
                const Case one{{"per_call", std::to_string(count)}, {"others", group.feature}, {"handler", handler}};
                if (!settings.wants(one)) continue;
                const auto seen = cluster.node().members(group);
                for (auto i = (*seen).size(); i < others; ++i) take(cluster.node().join(group, counting(page, 0)));
                cluster.expect_members(group, others);
                const OnNotification called = handler == "none" ? OnNotification{} : counting(page, 0);
                measure_case(cluster, settings, one, group, called, count);
            }
        }
    }
}

}  // namespace muster::bench
