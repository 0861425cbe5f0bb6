#include <stdexcept>

#include "tests/bench/flow.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kNodes = 3;

/// Microseconds of one call that returns when every member has handled it.
double one_acknowledged(Node& node, const Group& group, const Data& data, std::size_t members) {
    NotifyOptions options;
    options.wait = true;
    const auto begin = Clock::now();
    const auto report = take(node.notify_created(group, data, options));
    const std::chrono::duration<double, std::micro> taken = Clock::now() - begin;
    if (report.delivered != members) throw std::runtime_error("not every member has acknowledged");
    return taken.count();
}

void measure_latency(Cluster& cluster, const Settings& settings, const Case& one, const Group& group, const Data& data,
                     std::size_t members) {
    std::vector<double> p50, p99;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        std::vector<double> us;
        for (std::size_t i = 0; i < settings.calls / 10; ++i) one_acknowledged(cluster.node(), group, data, members);
        for (std::size_t i = 0; i < settings.calls; ++i)
            us.push_back(one_acknowledged(cluster.node(), group, data, members));
        p50.push_back(percentile(us, 50));
        p99.push_back(percentile(us, 99));
    }
    Line("fanout", one).measure("p50_us", p50).measure("p99_us", p99).print();
}

void measure_rate(Cluster& cluster, const Settings& settings, const Case& one, const Group& group, const Data& data,
                  std::size_t members) {
    const auto send = [&](std::uint64_t times) {
        for (; times > 0; --times) take(cluster.node().notify_created(group, data));
    };
    std::vector<double> rates, cpu_ns;
    const Stream stream{members, settings.window, 1, settings.duration};
    flow(cluster.page(), {members, settings.window, 1, settings.duration / 10}, send);
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        const double cpu = cluster.cpu_seconds();
        const auto done = flow(cluster.page(), stream, send);
        rates.push_back(done.deliveries_s);
        cpu_ns.push_back((cluster.cpu_seconds() - cpu) / (done.deliveries_s * done.seconds) * 1e9);
    }
    Line("fanout", one).measure("deliveries_s", rates).measure("cpu_ns", cpu_ns).print();
}

}  // namespace

void fanout(const Settings& settings) {
    Cluster cluster(kNodes);
    for (const std::size_t members : {3, 30, 300}) {
        const Group group{"fanout", std::to_string(members)};
        const std::size_t each = members / kNodes;
        join_counting(cluster.node(), group, each, cluster.page(), 0);
        for (std::size_t i = 0; i < cluster.children(); ++i)
            cluster.child(i).ask("join_counting fanout " + group.feature + " " + std::to_string(each) + " " +
                                 std::to_string((i + 1) * each));
        cluster.expect_members(group, members);
        for (const std::size_t bytes : {64, 1024}) {
            const Data data = data_of(bytes);
            for (const std::string how : {"sustained", "acknowledged"}) {
                Case one{{"how", how}, {"members", group.feature}, {"bytes", std::to_string(bytes)}};
                if (!settings.wants(one)) continue;
                tell("fanout", one);
                if (how == "sustained")
                    measure_rate(cluster, settings, one, group, data, members);
                else
                    measure_latency(cluster, settings, one, group, data, members);
            }
        }
        take(cluster.node().leave(group, each));
    }
}

}  // namespace muster::bench
