#include "cluster/replication/repair.hpp"

#include <utility>

namespace muster::cluster {
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
        answers_.begin_deltas(table, pull.have, from);
    else
        answers_.begin_snapshot(table, from);
}

void Repair::take(proto::SnapshotChunk chunk, Seq position, const std::string& from) {
    Copy* copy = replicas_.find(chunk.about);
    if (copy && !copy->postpone(chunk, position, from)) take_now(*copy, chunk, position, from);
}

void Repair::take_now(Copy& copy, const proto::SnapshotChunk& chunk, Seq position, const std::string& from) {
    const auto ack = copy.take(chunk, position, from);
    if (!ack) return;
    peers_.send(from, *ack);
    copy.use_snapshot();
}

void Repair::work_off_backlog() {
    replicas_.work_off_backlog([&](Copy& copy) {
        if (const auto waiting = copy.next_chunk())
            take_now(copy, waiting->chunk, waiting->position, waiting->from);
        else
            copy.apply_waiting();
    });
}

}  // namespace muster::cluster
