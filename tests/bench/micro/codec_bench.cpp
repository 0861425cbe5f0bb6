// What encoding and decoding the frames of the hot paths costs.
#include <benchmark/benchmark.h>

#include <string>

#include "proto/codec.hpp"

namespace muster::bench {
namespace {

constexpr std::size_t kItems = 64;  // of one frame

proto::Message link_data(std::size_t bytes) {
    proto::LinkData data;
    data.to = {"n2", Incarnation{2}};
    data.first = 1000;
    data.acked = 900;
    for (std::size_t i = 0; i < kItems; ++i) {
        proto::Notice notice;
        notice.group = {"orders", "subscriptions"};
        notice.data = *data_from_json('"' + std::string(bytes - 2, 'x') + '"');
        notice.from_node = {"n1", Incarnation{1}};
        notice.seq = i + 1;
        data.items.emplace_back(std::move(notice));
    }
    return {{"default", "n1", 1, 5}, std::move(data)};
}

proto::Message deltas() {
    proto::Deltas deltas;
    deltas.about = {"n1", Incarnation{1}};
    deltas.first = Seq{100};
    for (std::size_t i = 0; i < kItems; ++i) {
        proto::GroupDelta change;
        change.group = {"orders", "subscriptions"};
        if (i % 2 == 0)
            change.joins.push_back({MemberNumber{i + 1}, 1, "", {}});
        else
            change.leaves.push_back({MemberNumber{i}, 1});
        deltas.deltas.push_back({{std::move(change)}});
    }
    return {{"default", "n1", 1, 163}, std::move(deltas)};
}

void encode(benchmark::State& state, const proto::Message& message) {
    std::string frame;
    for (auto _ : state) {
        frame.clear();
        proto::encode(message, frame);
        benchmark::DoNotOptimize(frame.data());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kItems));
    state.counters["frame_bytes"] = static_cast<double>(frame.size());
}

void decode(benchmark::State& state, const proto::Message& message) {
    const std::string frame = proto::encode(message);
    for (auto _ : state) {
        auto decoded = proto::decode(frame);
        if (!decoded) return state.SkipWithError("the frame is refused");
        benchmark::DoNotOptimize(decoded);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kItems));
}

void encode_link_data(benchmark::State& state) {
    encode(state, link_data(static_cast<std::size_t>(state.range(0))));
}
void decode_link_data(benchmark::State& state) {
    decode(state, link_data(static_cast<std::size_t>(state.range(0))));
}
void encode_deltas(benchmark::State& state) {
    encode(state, deltas());
}
void decode_deltas(benchmark::State& state) {
    decode(state, deltas());
}

BENCHMARK(encode_link_data)->ArgName("bytes")->Arg(64)->Arg(1024);
BENCHMARK(decode_link_data)->ArgName("bytes")->Arg(64)->Arg(1024);
BENCHMARK(encode_deltas);
BENCHMARK(decode_deltas);

}  // namespace
}  // namespace muster::bench
