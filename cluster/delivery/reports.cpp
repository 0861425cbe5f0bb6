#include "cluster/delivery/reports.hpp"

#include <algorithm>

namespace muster::cluster {
namespace {

/// In memory, approximately.
std::size_t bytes_of_wait(std::size_t nodes) {
    return 384 + nodes * 96;
}

}  // namespace

bool Reports::has_room(const Shares::Share& share, std::size_t nodes) const {
    return ctx_.waits.has_room(share.waits, 1) && ctx_.memory.has_room(share.memory, bytes_of_wait(nodes));
}

std::uint64_t Reports::open(const Caller& caller, NotifyReport report, const std::vector<Routes::Target>& targets,
                            Duration timeout, const SharedShare& share) {
    const auto ticket = ++last_ticket_;
    PendingReport& pending = pending_[ticket] = {caller,
                                                 std::move(report),
                                                 {},
                                                 ctx_.now + timeout,
                                                 ctx_.now,
                                                 Drawn(ctx_.waits, waits_of(share)),
                                                 Drawn(ctx_.memory, memory_of(share))};
    pending.place += 1;
    pending.memory += bytes_of_wait(targets.size());
    for (const auto& target : targets) pending.outstanding[target.node.name] = target.members;
    return ticket;
}

void Reports::answer_if_complete(std::uint64_t ticket) {
    const auto it = pending_.find(ticket);
    if (it == pending_.end() || !it->second.outstanding.empty()) return;
    ctx_.durations.report.add(ctx_.now - it->second.begun);
    answer(it->second.caller, std::move(it->second.report));
    pending_.erase(it);
}

void Reports::take(const NodeId& from, const proto::NoticeReport& report) {
    const auto it = pending_.find(report.ticket);
    if (it == pending_.end()) return;
    PendingReport& pending = it->second;
    const auto matched = pending.outstanding.find(from.name);
    if (matched == pending.outstanding.end()) return;
    // A node cannot tell of more members than were matched there, whatever it says.
    std::uint64_t unknown = matched->second;
    const auto take = [&](std::uint64_t members) {
        const auto taken = std::min(members, unknown);
        unknown -= taken;
        return taken;
    };
    pending.report.delivered += take(report.delivered);
    for (const auto& missed : report.missed)
        if (const auto members = take(missed.members))
            pending.report.missed.push_back({from.name, members, missed.reason});
    // That node's table is ahead of the copy here: members that it does not report had left it already.
    if (unknown > 0) pending.report.missed.push_back({from.name, unknown, MissReason::left});
    pending.outstanding.erase(matched);
    answer_if_complete(report.ticket);
}

void Reports::missed(std::uint64_t ticket, const std::string& node, MissReason reason) {
    const auto it = pending_.find(ticket);
    if (it == pending_.end()) return;
    const auto matched = it->second.outstanding.find(node);
    if (matched == it->second.outstanding.end()) return;
    it->second.report.missed.push_back({node, matched->second, reason});
    it->second.outstanding.erase(matched);
    answer_if_complete(ticket);
}

void Reports::dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets) {
    for (const auto ticket : tickets) missed(ticket, node.name, MissReason::overflow);
}

void Reports::on(const Transition& transition) {
    if (transition.kind == Transition::Kind::up) return;
    std::vector<std::uint64_t> tickets;  // missed() may erase from pending_
    for (const auto& [ticket, pending] : pending_)
        if (pending.outstanding.contains(transition.id.name)) tickets.push_back(ticket);
    for (const auto ticket : tickets) missed(ticket, transition.id.name, MissReason::node_down);
}

void Reports::tick() {
    std::vector<std::pair<std::uint64_t, std::string>> late;
    for (const auto& [ticket, pending] : pending_)
        if (ctx_.now >= pending.deadline)
            for (const auto& [node, members] : pending.outstanding) late.emplace_back(ticket, node);
    for (const auto& [ticket, node] : late) missed(ticket, node, MissReason::timeout);
}

std::size_t Reports::memory() const {
    std::size_t sum = 0;
    for (const auto& [ticket, pending] : pending_) sum += pending.memory.amount();
    return sum;
}

std::optional<std::string> Reports::over_bounds() const {
    if (pending_.size() > ctx_.options.bounds.pending_reports) return "pending notify calls";
    return std::nullopt;
}

}  // namespace muster::cluster
