#include <semaphore>

#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

const Group kWatched{"propagate", "watched"};
const Group kReply{"propagate", "reply"};

/// When the reply came: taken by the handler, that is, where a user has it.
struct Arrival {
    Clock::time_point at;
    std::binary_semaphore told{0};

    void tell() {
        at = Clock::now();
        told.release();
    }
    Clock::time_point await() {
        if (!told.try_acquire_for(std::chrono::seconds(10))) throw std::runtime_error("a reply does not come");
        return at;
    }
};

std::vector<double> measure(Node& node, Arrival& arrival, std::size_t calls) {
    std::vector<double> us;
    for (std::size_t i = 0; i < calls; ++i) {
        const auto begin = Clock::now();
        take(node.join(kWatched, {}));
        us.push_back(std::chrono::duration<double, std::micro>(arrival.await() - begin).count());
        take(node.leave(kWatched));
        arrival.await();
    }
    return us;
}

/// Has the other node reply in this way from now on, and tells `arrival` of each reply.
void prepare(Cluster& cluster, const std::string& reply, Arrival& arrival) {
    Node& node = cluster.node();
    if (reply == "notify") {
        take(node.join(kReply, [&arrival](const Notification&) { arrival.tell(); }));
        cluster.expect_members(kReply, 1);
    } else {
        take(node.watch(kReply, [&arrival](const WatchEvent&) { arrival.tell(); }));
        arrival.await();  // the snapshot
    }
    cluster.child(0).ask("echo " + kWatched.store + " " + kWatched.feature + " " + kReply.store + " " + kReply.feature +
                         " " + reply);
}

}  // namespace

void propagate(const Settings& settings) {
    for (const std::string reply : {"notify", "join"}) {
        const Case one{{"reply", reply}};
        if (!settings.wants(one)) continue;
        tell("propagate", one);
        Arrival arrival;  // outlives the handlers that tell it
        Cluster cluster(3);
        prepare(cluster, reply, arrival);
        std::vector<double> p50, p99;
        measure(cluster.node(), arrival, settings.calls / 10);
        for (std::size_t rep = 0; rep < settings.reps; ++rep) {
            const auto us = measure(cluster.node(), arrival, settings.calls);
            p50.push_back(percentile(us, 50));
            p99.push_back(percentile(us, 99));
        }
        Line("propagate", one).measure("p50_us", p50).measure("p99_us", p99).print();
    }
}

}  // namespace muster::bench
