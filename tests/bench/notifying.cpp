#include "tests/bench/notifying.hpp"

#include <stdexcept>
#include <vector>

#include "tests/bench/flow.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

std::vector<double> acknowledged(const Notifying& what, std::size_t calls) {
    NotifyOptions options;
    options.wait = true;
    std::vector<double> us;
    for (std::size_t i = 0; i < calls; ++i) {
        const auto begin = Clock::now();
        const auto report = take(what.notifier.notify_created(what.group, what.data, options));
        us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
        if (report.delivered != what.members) throw std::runtime_error("not every member has acknowledged");
    }
    return us;
}

}  // namespace

void measure_sustained(std::string_view row, const Settings& settings, const Case& one, const Notifying& what) {
    const auto call = [&](std::uint64_t times) {
        for (; times > 0; --times) take(what.notifier.notify_created(what.group, what.data));
    };
    const auto send = what.send ? what.send : call;
    Stream stream{what.members, settings.window, what.threads, settings.duration / 10};
    flow(what.page, stream, send);
    stream.duration = settings.duration;
    std::vector<double> rates, cpu_ns;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        const double cpu = what.cpu_seconds();
        const auto done = flow(what.page, stream, send);
        rates.push_back(done.deliveries_s);
        cpu_ns.push_back((what.cpu_seconds() - cpu) / (done.deliveries_s * done.seconds) * 1e9);
    }
    Line(row, one).measure("deliveries_s", rates).measure("cpu_ns", cpu_ns).print();
}

void measure_acknowledged(std::string_view row, const Settings& settings, const Case& one, const Notifying& what) {
    std::vector<double> p50, p99;
    for (std::size_t rep = 0; rep < settings.reps; ++rep) {
        acknowledged(what, settings.calls / 10);
        const auto us = acknowledged(what, settings.calls);
        p50.push_back(percentile(us, 50));
        p99.push_back(percentile(us, 99));
    }
    Line(row, one).measure("p50_us", p50).measure("p99_us", p99).print();
}

}  // namespace muster::bench
