#include <muster/worker.hpp>

#include <deque>
#include <future>

#include "tests/bench/daemons.hpp"
#include "tests/bench/flow.hpp"
#include "tests/bench/keyed.hpp"
#include "tests/bench/nodes.hpp"
#include "tests/bench/notifying.hpp"
#include "tests/bench/rows.hpp"
#include "tests/bench/samples.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kMembers = 30;
constexpr std::size_t kThreads = 32;  // a worker's call waits for its node's answer, so that one thread sends little
constexpr std::size_t kUnanswered = 256;  // posts, before the first is looked at
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
        notifier = take(Worker::connect(keyed(options, "w")));
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

}  // namespace

void workers(const Settings& settings) {
    Stage stage;
    std::deque<std::future<Result<NotifyReport>>> posted;
    const auto post = [&](const Data& data) {
        return [&, data](std::uint64_t times) {
            for (; times > 0; --times) {
                posted.push_back(stage.notifier->post(NotificationKind::created, kGroup, data));
                if (posted.size() <= kUnanswered) continue;
                take(posted.front().get());
                posted.pop_front();
            }
        };
    };
    const auto run = [&](const std::string& how, std::size_t bytes, std::size_t threads) {
        const Case one{{"how", how}, {"bytes", std::to_string(bytes)}, {"threads", std::to_string(threads)}};
        if (!settings.wants(one)) return;
        tell("workers", one);
        const auto measure = how == "acknowledged" ? measure_acknowledged : measure_sustained;
        Notifying what{*stage.notifier,
                       stage.page,
                       kGroup,
                       kMembers,
                       data_of(bytes),
                       threads,
                       [&] { return stage.cpu_seconds(); }};
        if (how == "posted") what.send = post(what.data);
        measure("workers", settings, one, what);
    };
    for (const std::size_t bytes : {64, 1024}) {
        run("posted", bytes, 1);
        run("sustained", bytes, 1);
        run("sustained", bytes, kThreads);
        run("acknowledged", bytes, 1);
    }
}

}  // namespace muster::bench
