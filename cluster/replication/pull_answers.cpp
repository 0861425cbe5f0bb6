#include "cluster/replication/pull_answers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "cluster/base/random.hpp"
#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMaxSnapshots = 256;
constexpr Duration kStalledAfter = std::chrono::seconds(5);
constexpr std::size_t kPingsPerWindow = 4;  // so that the window never closes while the asker takes what comes

struct Batch {
    std::vector<proto::Delta> deltas;
    std::size_t size = 0;       // on the wire
    std::uint64_t members = 0;  // that join or leave
};

/// Takes the deltas from number `next` to `end`, as many as fit a frame, and moves `next` behind them.
Batch take_batch(const Replica& table, Seq& next, Seq end) {
    Batch batch;
    auto& [deltas, size, members] = batch;
    while (next <= end && (deltas.empty() || size < limits::kChunkBytes)) {
        auto delta = table.log().at(next);
        const auto more = wire_size(delta);
        const auto more_members = members_in(delta);
        const bool fits = size + more <= limits::kFrame / 2 && members + more_members <= limits::kMembersPerFrame;
        if (!deltas.empty() && !fits) break;
        size += more;
        members += more_members;
        deltas.push_back(std::move(delta));
        next = next.next();
    }
    return batch;
}

}  // namespace

// ---- askers ----------------------------------------------------------------------

PullAnswers::Answer* PullAnswers::begin(const std::shared_ptr<const Replica>& table, const std::string& to) {
    const Peer* peer = peers_.find(to);
    if (!peer) return nullptr;
    Asker& asker = askers_[to];
    asker.id = peer->record.id;
    due_ = true;
    Answer& answer = asker.answers[table->id().name];
    answer = {table, {}, {}, std::nullopt, ctx_.now};
    return &answer;
}

void PullAnswers::begin_deltas(const std::shared_ptr<const Replica>& table, Seq have, const std::string& to) {
    Answer* answer = begin(table, to);
    if (!answer) return;
    answer->next = have.next();
    answer->end = table->applied();
}

void PullAnswers::begin_snapshot(const std::shared_ptr<const Replica>& table, const std::string& to) {
    // Each chunk is sent once. A receiver that pulls again misses one, so the snapshot begins again.
    if (const auto asker = askers_.find(to); asker != askers_.end()) asker->second.answers.erase(table->id().name);
    if (snapshots() >= kMaxSnapshots) return ctx_.count("snapshots_refused");
    Answer* answer = begin(table, to);
    if (!answer) return;
    ctx_.count("snapshots_sent");
    answer->snapshot.emplace(*table, ctx_.options.bounds.chunk_bytes);
}

void PullAnswers::acked(const proto::SnapshotAck& ack, const std::string& from) {
    const auto asker = askers_.find(from);
    if (asker == askers_.end()) return;
    const auto answer = asker->second.answers.find(ack.about.name);
    if (answer == asker->second.answers.end() || !answer->second.snapshot) return;
    if (answer->second.snapshot->acked(ack)) answer->second.last_progress = ctx_.now;
    if (answer->second.snapshot->is_done()) asker->second.answers.erase(answer);
    due_ = true;
}

void PullAnswers::on(const Transition& transition) {
    const auto asker = askers_.find(transition.id.name);
    if (asker == askers_.end()) return;
    // One that is down may come back with the connection that it had, and what it did not take still waits there.
    if (transition.kind == Transition::Kind::left || asker->second.id != transition.id)
        askers_.erase(asker);
    else if (transition.kind == Transition::Kind::down)
        asker->second.answers.clear();
}

void PullAnswers::tick() {
    for (auto& [name, asker] : askers_) {
        std::erase_if(asker.answers,
                      [&](const auto& entry) { return ctx_.now - entry.second.last_progress > kStalledAfter; });
        // The Ping or its answer may be lost, and what it was to confirm with it. One that is down is asked when it is
        // back.
        const bool is_due = asker.nonce != 0 && ctx_.now - asker.asked_at >= ctx_.options.timing.pull_retry;
        if (is_due && peers_.find_live(asker.id)) ping(asker, name);
    }
}

// ---- what an asker has taken -------------------------------------------------------

bool PullAnswers::may_send(const Asker& asker) const {
    return !asker.answers.empty() && asker.untaken < ctx_.options.bounds.answer_window;
}

void PullAnswers::ping(Asker& asker, const std::string& to) {
    asker.nonce = (ctx_.options.secret ? ctx_.options.secret() : mix64(++nonces_)) | 1u << 8;  // neither 0 nor 1
    asker.asked = asker.untaken;
    asker.asked_at = ctx_.now;
    peers_.send(to, proto::Ping{asker.nonce});
}

void PullAnswers::ponged(const std::string& from, std::uint64_t nonce) {
    const auto asker = askers_.find(from);
    if (nonce == 0 || asker == askers_.end() || asker->second.nonce != nonce) return;
    asker->second.untaken -= std::exchange(asker->second.asked, 0);
    asker->second.nonce = 0;
    due_ = true;
    ping_if_much_is_untaken(asker->second, from);
}

/// Also after a Pong: what was sent since its Ping may fill the window by itself, and then nothing is sent that would
/// ask again.
void PullAnswers::ping_if_much_is_untaken(Asker& asker, const std::string& to) {
    if (asker.nonce == 0 && asker.untaken >= ctx_.options.bounds.answer_window / kPingsPerWindow) ping(asker, to);
}

// ---- sending ---------------------------------------------------------------------

void PullAnswers::flush() {
    if (!std::exchange(due_, false)) return;
    std::size_t left = ctx_.options.bounds.repair_bytes_per_turn;
    auto at = askers_.upper_bound(last_served_);
    std::size_t idle = 0;  // askers in a row to whom nothing can be sent now
    while (idle < askers_.size() && left > 0) {
        if (at == askers_.end()) at = askers_.begin();
        auto& [name, asker] = *at++;
        const std::size_t size = may_send(asker) ? send_frame(asker, name) : 0;
        idle = size == 0 ? idle + 1 : 0;
        left -= std::min(left, size);
        if (size > 0) last_served_ = name;
    }
    due_ = left == 0;
}

std::size_t PullAnswers::send_frame(Asker& asker, const std::string& to) {
    std::size_t size = 0;
    for (auto at = asker.answers.begin(); size == 0 && at != asker.answers.end();) {
        Answer& answer = at->second;
        const auto table = answer.table.lock();
        if (table) size = answer.snapshot ? send_chunk(*table, answer, to) : send_deltas(*table, answer, to);
        const bool is_done = !table || (!answer.snapshot && answer.next > answer.end);
        at = is_done ? asker.answers.erase(at) : std::next(at);
    }
    if (size > 0) asker.untaken += asker.last_frame = size;
    ping_if_much_is_untaken(asker, to);
    return size;
}

std::size_t PullAnswers::send_deltas(const Replica& table, Answer& answer, const std::string& to) {
    const Seq first = answer.next;
    if (!table.log().covers(Seq{first.value - 1})) {  // not any more: the asker pulls again, and gets a snapshot
        answer.next = answer.end.next();
        return 0;
    }
    auto [deltas, size, members] = take_batch(table, answer.next, answer.end);
    ctx_.count("repair_bytes_sent", size);
    answer.last_progress = ctx_.now;
    peers_.send(to, proto::Deltas{table.id(), first, std::move(deltas)}, table.applied().value);
    return size;
}

std::size_t PullAnswers::send_chunk(const Replica& table, Answer& answer, const std::string& to) {
    auto chunk = answer.snapshot->next(table);
    if (!chunk) return 0;
    const std::size_t size = answer.snapshot->size() + kWireOverhead;
    ctx_.count("repair_bytes_sent", size);
    peers_.send(to, std::move(*chunk), table.applied().value);
    return size;
}

std::size_t PullAnswers::snapshots() const {
    std::size_t count = 0;
    for (const auto& [name, asker] : askers_)
        for (const auto& [origin, answer] : asker.answers) count += answer.snapshot ? 1 : 0;
    return count;
}

std::optional<std::string> PullAnswers::over_bounds() const {
    if (snapshots() > kMaxSnapshots) return "snapshot senders";
    for (const auto& [name, asker] : askers_)
        if (asker.untaken >= ctx_.options.bounds.answer_window + asker.last_frame)
            return "answers that " + name + " has not taken";
    return std::nullopt;
}

}  // namespace muster::cluster
