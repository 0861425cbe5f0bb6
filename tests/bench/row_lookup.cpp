#include <atomic>
#include <barrier>
#include <stdexcept>
#include <thread>

#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::uint64_t kBatch = 64;  // lookups between two looks at the clock

struct Work {
    std::uint64_t lookups = 0;
    std::uint64_t members = 0;  // keeps the result alive, and is checked
};

Work look_up_until(Node& node, const Group& group, Clock::time_point end) {
    Work work;
    while (Clock::now() < end) {
        for (std::uint64_t i = 0; i < kBatch; ++i) {
            auto members = node.members(group);
            work.members += (*members).size();
        }
        work.lookups += kBatch;
    }
    return work;
}

/// Nanoseconds of one lookup by one of `threads` threads.
double measure(Node& node, const Group& group, std::size_t threads, std::size_t members, Clock::duration duration) {
    std::vector<Work> done(threads);
    std::barrier begin(static_cast<std::ptrdiff_t>(threads));
    std::vector<std::thread> running;
    for (auto& work : done)
        running.emplace_back([&] {
            begin.arrive_and_wait();
            work = look_up_until(node, group, Clock::now() + duration);
        });
    for (auto& thread : running) thread.join();
    std::uint64_t lookups = 0;
    for (const auto& work : done) {
        lookups += work.lookups;
        if (work.members != work.lookups * members) throw std::runtime_error("a lookup missed members");
    }
    return std::chrono::duration<double, std::nano>(duration).count() * static_cast<double>(threads) /
           static_cast<double>(lookups);
}

}  // namespace

void lookup(const Settings& settings) {
    Cluster cluster(2);
    const auto duration = settings.duration / 2;
    for (const std::size_t members : {1, 10, 100, 1000}) {
        const Group local{"local", std::to_string(members)}, remote{"remote", std::to_string(members)};
        for (std::size_t i = 0; i < members; ++i) take(cluster.node().join(local, {}));
        cluster.child(0).ask("join remote " + remote.feature + " " + remote.feature);
        cluster.expect_members(local, members);
        cluster.expect_members(remote, members);
        for (const auto& group : {local, remote}) {
            for (const std::size_t threads : {1, 2}) {
                const Case one{
                    {"where", group.store}, {"members", group.feature}, {"threads", std::to_string(threads)}};
                if (!settings.wants(one)) continue;
                tell("lookup", one);
                std::vector<double> ns;
                measure(cluster.node(), group, threads, members, duration / 10);
                for (std::size_t i = 0; i < settings.reps; ++i)
                    ns.push_back(measure(cluster.node(), group, threads, members, duration));
                Line("lookup", one).measure("ns_op", ns).print();
            }
        }
    }
}

}  // namespace muster::bench
