// What the logic of joining, looking up and notifying costs, in two cores that step each other.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "tests/bench/micro/pair.hpp"

namespace muster::bench {
namespace {

constexpr std::uint64_t kTurn = 64;  // calls in one turn of a loop
const Group kGroup{"orders", "subscriptions"};

/// Joins and leaves at one node, merged by the other; `others` members stand in the group. An item is one of either.
void join_and_merge(benchmark::State& state) {
    Pair pair;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
        pair.join(Pair::a, kGroup, cluster::HandlerId{1000 + static_cast<std::uint64_t>(i)});
        if (i % 1000 == 999) pair.pump();
    }
    pair.pump();
    const cluster::HandlerId me{1};
    for (auto _ : state) {
        for (std::uint64_t i = 0; i < kTurn; ++i) {
            pair.join(Pair::a, kGroup, me);
            pair.step(Pair::a, cluster::LocalLeave{cluster::CallId{1}, me, kGroup, {}, 1});
        }
        pair.pump();
    }
    if (pair.core(Pair::b).applied("a") != pair.core(Pair::a).applied("a"))
        state.SkipWithError("the other node has not followed");
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(2 * kTurn));
}

/// members() of a group with so many remote members.
void look_up(benchmark::State& state) {
    Pair pair;
    const auto wanted = static_cast<std::size_t>(state.range(0));
    for (std::size_t i = 0; i < wanted; ++i) pair.join(Pair::b, kGroup, cluster::HandlerId{1 + i});
    pair.pump();
    for (auto _ : state) {
        const auto members = pair.core(Pair::a).members(kGroup, false);
        if (members.size() != wanted) return state.SkipWithError("members are missing");
        benchmark::DoNotOptimize(members.size());
    }
    state.SetItemsProcessed(state.iterations());
}

/// Notifications at one node for handlers of both, evenly; an item is one delivery.
void fan_out(benchmark::State& state) {
    Pair pair;
    const auto handlers = static_cast<std::uint64_t>(state.range(0));
    for (std::uint64_t i = 0; i < handlers; ++i)
        pair.join(i % 2 == 0 ? Pair::a : Pair::b, kGroup, cluster::HandlerId{1 + i});
    pair.pump();
    const Data data = *data_from_json('"' + std::string(62, 'x') + '"');
    const std::uint64_t before = pair.delivered();
    for (auto _ : state) {
        for (std::uint64_t i = 0; i < kTurn; ++i) {
            cluster::LocalNotify event;
            event.call = cluster::CallId{1};
            event.group = kGroup;
            event.data = data;
            pair.step(Pair::a, std::move(event));
        }
        pair.pump();
    }
    const auto wanted = static_cast<std::uint64_t>(state.iterations()) * kTurn * handlers;
    if (pair.delivered() - before != wanted) state.SkipWithError("deliveries are missing");
    state.SetItemsProcessed(static_cast<std::int64_t>(wanted));
}

BENCHMARK(join_and_merge)->ArgName("others")->Arg(0)->Arg(1000)->Arg(10000);
BENCHMARK(look_up)->ArgName("members")->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
BENCHMARK(fan_out)->ArgName("members")->Arg(2)->Arg(30)->Arg(300);

}  // namespace
}  // namespace muster::bench
