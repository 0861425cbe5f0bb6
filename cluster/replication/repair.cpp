#include "cluster/replication/repair.hpp"

#include <utility>
#include <vector>

#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kFramesPerAnswer = 64;  // the asker pulls again for more

struct Batch {
    std::vector<proto::Delta> deltas;
    std::size_t size = 0;  // on the wire
};

/// Takes the deltas from number `next` on, as many as fit a frame, and moves `next` behind them.
Batch take_batch(const Replica& table, Seq& next) {
    Batch batch;
    auto& [deltas, size] = batch;
    while (next <= table.applied() && (deltas.empty() || size < limits::kChunkBytes)) {
        auto delta = table.log().at(next);
        const auto more = wire_size(delta);
        if (!deltas.empty() && size + more > limits::kFrame / 2) break;
        size += more;
        deltas.push_back(std::move(delta));
        next = next.next();
    }
    return batch;
}

}  // namespace

void Repair::send_due_pulls() {
    replicas_.for_each_due_pull([&](Copy& copy) { send_pull(copy); });
}

/// The first pull goes to the origin. While pulls have no effect, every other one takes another way. Without keys, any
/// node that may have the deltas can answer it. With keys, only the origin is believed about its table, so the pull
/// goes to the origin by a detour.
void Repair::send_pull(Copy& copy) {
    const bool has_keys = ctx_.options.notary != nullptr;
    const bool another_way = copy.needs_another_way();
    const proto::Pull pull = copy.next_pull();
    std::string to = pull.about.name;
    // A snapshot that replaces a wrong table must be the origin's own.
    if (another_way && !has_keys && !pull.snapshot)
        if (const auto others = peers_.draw_peers(to, 1); !others.empty()) to = others.front();
    ctx_.count("pulls_sent");
    peers_.send(to, pull, 0, another_way && has_keys);
}

void Repair::answer(const proto::Pull& pull, const std::string& from) {
    const auto table = replicas_.table_of(pull.about);
    if (!table) return;
    if (ctx_.options.notary && table->id() != ctx_.self) return ctx_.count("pulls_refused");
    ctx_.count("pulls_answered");
    if (!pull.snapshot && pull.have >= table->applied()) return;
    if (!pull.snapshot && table->log().covers(pull.have))
        send_deltas(*table, pull.have, from);
    else
        snapshots_.begin(table, from);
}

void Repair::send_deltas(const Replica& table, Seq have, const std::string& to) {
    Seq next = have.next();
    for (std::size_t i = 0; i < kFramesPerAnswer && next <= table.applied(); ++i) {
        const Seq first = next;
        auto [deltas, size] = take_batch(table, next);
        ctx_.count("repair_bytes_sent", size);
        peers_.send(to, proto::Deltas{table.id(), first, std::move(deltas)}, table.applied().value);
    }
}

void Repair::take(const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    Copy* copy = replicas_.find(chunk.about);
    if (!copy) return;
    const auto ack = copy->take(chunk, position, from);
    if (!ack) return;
    peers_.send(from, *ack);
    copy->use_snapshot();
}

}  // namespace muster::cluster
