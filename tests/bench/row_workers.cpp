#include <unistd.h>

#include <stdexcept>

#include <muster/worker.hpp>

#include "tests/bench/daemons.hpp"
#include "tests/bench/flow.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kMembers = 30;
const Group kGroup{"workers", "all"};

/// Three daemons; 15 workers in a process at B and 15 in another at C; one here at A.
struct Stage {
    Stage() : daemons(3), at_b(page), at_c(page) {
        const auto attach = [&](Child& child, std::size_t daemon, std::size_t first_slot) {
            child.ask("workers " + daemons.address(daemon) + " " + daemons.scope() + " " +
                      std::to_string(kMembers / 2) + " " + kGroup.store + " " + kGroup.feature + " " +
                      std::to_string(first_slot));
        };
        attach(at_b, 1, 0);
        attach(at_c, 2, kMembers / 2);
        Worker::Options options;
        options.nodes = {daemons.address(0)};
        options.name = "notifier";
        options.scope = daemons.scope();
        notifier = take(Worker::connect(options));
        wait_for("all members", [&] {
            auto members = notifier->members(kGroup);
            return members && (*members).size() == kMembers;
        });
    }

    [[nodiscard]] double cpu_seconds() const {
        return own_cpu_seconds() + at_b.cpu_seconds() + at_c.cpu_seconds() + daemons.cpu_seconds();
    }

    Page page;
    Daemons daemons;
    Child at_b, at_c;
    std::unique_ptr<Worker> notifier;
};

void measure_rate(Stage& stage, const Settings& settings, const Case& one, std::size_t threads, const Data& data) {
    const auto send = [&](std::uint64_t times) {
        for (; times > 0; --times) take(stage.notifier->notify_created(kGroup, data));
    };
    std::vector<double> rates, cpu_ns;
    flow(stage.page, {kMembers, settings.window, threads, settings.duration / 10}, send);
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        const double cpu = stage.cpu_seconds();
        const auto done = flow(stage.page, {kMembers, settings.window, threads, settings.duration}, send);
        rates.push_back(done.deliveries_s);
        cpu_ns.push_back((stage.cpu_seconds() - cpu) / (done.deliveries_s * done.seconds) * 1e9);
    }
    Line("workers", one).measure("deliveries_s", rates).measure("cpu_ns", cpu_ns).print();
}

void measure_latency(Stage& stage, const Settings& settings, const Case& one, const Data& data) {
    NotifyOptions options;
    options.wait = true;
    const auto measure = [&](std::size_t calls) {
        std::vector<double> us;
        for (std::size_t i = 0; i < calls; ++i) {
            const auto begin = Clock::now();
            const auto report = take(stage.notifier->notify_created(kGroup, data, options));
            us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
            if (report.delivered != kMembers) throw std::runtime_error("not every worker has acknowledged");
        }
        return us;
    };
    std::vector<double> p50, p99;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        measure(settings.calls / 10 + 1);
        const auto us = measure(settings.calls);
        p50.push_back(percentile(us, 50));
        p99.push_back(percentile(us, 99));
    }
    Line("workers", one).measure("p50_us", p50).measure("p99_us", p99).print();
}

}  // namespace

void workers(const Settings& settings) {
    Stage stage;
    for (const std::size_t bytes : {64, 1024}) {
        const Data data = data_of(bytes);
        const std::string size = std::to_string(bytes);
        for (const std::size_t threads : {1, 32}) {
            const Case one{{"how", "sustained"}, {"bytes", size}, {"threads", std::to_string(threads)}};
            if (!settings.wants(one)) continue;
            tell("workers", one);
            measure_rate(stage, settings, one, threads, data);
        }
        const Case one{{"how", "acknowledged"}, {"bytes", size}, {"threads", "1"}};
        if (!settings.wants(one)) continue;
        tell("workers", one);
        measure_latency(stage, settings, one, data);
    }
}

}  // namespace muster::bench
