#include "cluster/delivery/replays.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMostRequests = 64;  // of one node that wait
constexpr std::size_t kEntryBytes = 64;    // of a request, in memory, without the group's name

}  // namespace

void Replays::take(const NodeId& from, proto::ReplayRequest request) {
    Asker& asker = askers_[from.name];
    if (asker.life != from) asker = {from, 0, kLongAgo, {}};
    // An asker that had forgotten this life for a while begins again. Nobody repeats a request for longer than the
    // window.
    const bool again =
        request.number == 1 && asker.queue.empty() && ctx_.now - asker.taken_at >= ctx_.options.timing.handover_window;
    if (request.to != ctx_.self || (request.number != asker.taken + 1 && !again) || asker.queue.size() == kMostRequests)
        return ctx_.count("replay_requests_ignored");
    std::size_t bytes = 0;
    for (const auto& entry : request.entries) bytes += kEntryBytes + wire_size(entry.group);
    Drawn memory(ctx_.memory, memory_of(from == ctx_.self ? ctx_.own_share : ctx_.shares.of_node(from.name)));
    if (!memory.has_room(bytes)) return ctx_.count("replay_requests_ignored");
    memory += bytes;
    asker.taken = request.number;
    asker.taken_at = ctx_.now;
    ctx_.count("replay_requests");
    asker.queue.push_back({std::move(request), ctx_.now, std::move(memory)});
}

void Replays::on(const Transition& transition) {
    const auto found = askers_.find(transition.id.name);
    if (found == askers_.end()) return;
    if (transition.kind == Transition::Kind::left || found->second.life != transition.id) askers_.erase(found);
}

void Replays::tick() {
    for (auto& [name, asker] : askers_)
        while (!asker.queue.empty() && asker.queue.front().at + ctx_.options.timing.handover_window <= ctx_.now)
            asker.queue.pop_front();
}

/// The asker's members must be in the routes, and the link must have room.
bool Replays::can_answer(const Asker& asker) const {
    if (asker.queue.empty()) return false;
    const Asked& asked = asker.queue.front();
    if (asker.life == ctx_.self) return true;
    const Replica* table = replicas_.shown(asker.life.name);
    return table && table->id() == asker.life && table->applied() >= asked.request.position && table->is_settled() &&
           links_.has_room(asker.life, size_of_next(asked));
}

std::size_t Replays::size_of_next(const Asked& asked) const {
    std::size_t size = 4 * kWireOverhead;
    if (asked.entry == asked.request.entries.size()) return size;
    const Recent::Numbered* group = recent_.find(asked.request.entries[asked.entry].group);
    if (!group || group->kept.empty()) return size;
    const std::uint64_t next = asked.has_begun ? asked.next : group->forgotten() + 1;
    if (next > group->last) return size;
    const std::uint64_t at = std::max(next, group->forgotten() + 1) - group->forgotten() - 1;
    return size + group->kept[static_cast<std::size_t>(at)].size + kWireOverhead;
}

bool Replays::wants_flush() const {
    return std::any_of(askers_.begin(), askers_.end(), [&](const auto& entry) { return can_answer(entry.second); });
}

void Replays::flush() {
    std::size_t budget = ctx_.options.bounds.repair_bytes_per_turn;
    auto at = askers_.upper_bound(last_answered_);
    for (std::size_t idle = 0; idle < askers_.size() && budget > 0;) {
        if (at == askers_.end()) at = askers_.begin();
        Asker& asker = at->second;
        last_answered_ = (at++)->first;
        if (!can_answer(asker)) {
            ++idle;
            continue;
        }
        idle = 0;
        Asked& asked = asker.queue.front();
        budget -= std::min(budget, answer_part(asker.life, asked));
        if (asked.entry >= asked.request.entries.size()) asker.queue.pop_front();
    }
}

/// With a position it does not matter when a notice was sent: the asker knows when its members joined.
Instant Replays::since_of(const Asked& asked) {
    const auto& entry = asked.request.entries[asked.entry];
    if (entry.after > 0) return kLongAgo;
    return asked.at - duration_of(entry.age_ms);
}

/// What was sent after `after`, and is not older than the joins, but is not remembered any more.
void Replays::begin_entry(Asked& asked, const Recent::Numbered* group, proto::Replay& part) const {
    const auto& entry = asked.request.entries[asked.entry];
    asked.has_begun = true;
    asked.next = entry.after + 1;
    if (!group) part.at_least = has_forgotten_groups_since(asked);
    if (!group) return;
    asked.next = std::max(asked.next, group->forgotten() + 1);
    if (entry.after == 0) {
        part.at_least = recent_.forgotten_at(group) >= since_of(asked);
    } else {
        const std::uint64_t from = std::max(entry.after, group->first);
        part.missed = group->forgotten() - std::min(from, group->forgotten());
        part.at_least = entry.after < group->first;  // it was away for so long that the numbers began again
    }
}

/// Perhaps the group that was asked for was among them.
bool Replays::has_forgotten_groups_since(const Asked& asked) const {
    return recent_.forgotten_at(nullptr) >= asked.at - ctx_.options.timing.handover_window;
}

/// While the answer was under way, a bound may have made this node forget the group, and it may have begun again.
void Replays::go_on(Asked& asked, const Recent::Numbered* group, proto::Replay& part) const {
    if (group && asked.next > group->first) return;
    part.at_least = group || has_forgotten_groups_since(asked);
    if (group) asked.next = group->forgotten() + 1;
}

/// Sends some notices of the entry under way. Returns about how many bytes they have.
std::size_t Replays::answer_part(const NodeId& to, Asked& asked) {
    proto::Replay part{asked.request.number, asked.entry, 0, false, true, {}};
    std::size_t size = 4 * kWireOverhead;
    if (asked.request.entries.empty()) return send(to, std::move(part), size);
    const Recent::Numbered* group = recent_.find(asked.request.entries[asked.entry].group);
    asked.has_begun ? go_on(asked, group, part) : begin_entry(asked, group, part);
    const Instant since = since_of(asked);
    while (group && asked.next <= group->last && (part.notices.empty() || size < ctx_.options.bounds.chunk_bytes)) {
        if (asked.next <= group->forgotten()) {  // while the answer was under way
            part.missed += group->forgotten() + 1 - asked.next;
            asked.next = group->forgotten() + 1;
            continue;
        }
        const auto& kept = group->kept[static_cast<std::size_t>(asked.next - group->forgotten() - 1)];
        if (kept.at >= since) {
            const std::size_t more = kept.size + kWireOverhead;
            if (!part.notices.empty() && (size + more > limits::kFrame / 2 || !links_.has_room(to, size + more))) break;
            size += more;
            part.notices.push_back({milliseconds_of(ctx_.now - kept.at), kept.notice});
        }
        ++asked.next;
    }
    part.last = !group || asked.next > group->last;
    if (part.last) {
        ++asked.entry;
        asked.has_begun = false;
    }
    return send(to, std::move(part), size);
}

/// Returns `size`.
std::size_t Replays::send(const NodeId& to, proto::Replay part, std::size_t size) {
    ctx_.count("notices_replayed", part.notices.size());
    if (to == ctx_.self)
        handovers_.take(to, part);
    else
        links_.put(to, std::move(part), size);
    return size;
}

std::size_t Replays::memory() const {
    std::size_t sum = 0;
    for (const auto& [name, asker] : askers_)
        for (const Asked& asked : asker.queue) sum += asked.memory.amount();
    return sum;
}

}  // namespace muster::cluster
