#include "cluster/router.hpp"

#include <algorithm>
#include <utility>

#include "cluster/wire_size.hpp"
#include "proto/codec.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMembersPerDelivery = 8192;  // beside the largest data they fit one frame
constexpr Duration kSpreadExpires = std::chrono::seconds(60);

std::string why_invalid(const Router::Call& call) {
    if (const auto why = why_invalid_part(call.group.store); !why.empty())
        return "the store's name " + std::string(why);
    if (const auto why = why_invalid_part(call.group.feature); !why.empty())
        return "the feature's name " + std::string(why);
    if (!proto::is_valid_data(call.data.msgpack))
        return "data must be one msgpack value of at most 512 KiB, nested at most 32 deep";
    return {};
}

}  // namespace

void Router::notify(Call call) {
    if (const auto why = why_invalid(call); !why.empty())
        return answers_.emplace_back(call.caller, Error{ErrorCode::bad_request, why}), void();
    if (call.wait && pending_.size() >= ctx_.options.bounds.pending_reports)
        return answers_.emplace_back(call.caller,
                                     Error{ErrorCode::overloaded, "too many notify calls wait for reports"}),
               void();

    proto::Notice notice{call.kind,   call.group,    std::move(call.data),          ctx_.self,
                         call.worker, ++notify_seq_, call.wait ? ++last_ticket_ : 0};
    NotifyReport report;
    std::map<std::string, std::uint64_t> outstanding;
    std::vector<const Replica*> targets;
    const GroupRef ref = replicator_.groups().find(call.group);
    replicator_.for_each_shown([&](const Replica& replica) {
        const auto it = replica.groups().find(ref);
        if (ref == kNoGroup || it == replica.groups().end()) return;
        const auto members = it->second.size();
        report.matched += members;
        ++report.nodes;
        outstanding[replica.id().name] = members;
        targets.push_back(&replica);
    });
    ctx_.count("notifications");
    ctx_.count("notifications_matched", report.matched);
    report.waited = call.wait;
    if (call.wait)
        pending_[notice.ticket] = {call.caller, report, outstanding, ctx_.now + call.timeout};
    else
        answers_.emplace_back(call.caller, report);

    for (const Replica* replica : targets) {
        const NodeId& node = replica->id();
        if (node == ctx_.self) {
            spread(node, notice);
        } else if (!links_.put(node, notice)) {
            ctx_.count("notifications_refused", outstanding[node.name]);
            if (call.wait)
                settle(notice.ticket, node.name, 0, {{node.name, outstanding[node.name], MissReason::overflow}});
        }
    }
    if (call.wait) finish_if_done(notice.ticket);
}

// ---- at the members' node --------------------------------------------------------

void Router::take(const NodeId& from, proto::Notice notice) {
    spread(from, notice);
}

void Router::spread(const NodeId& from, const proto::Notice& notice) {
    FanOut id;
    if (notice.ticket != 0 && spreads_.size() < ctx_.options.bounds.pending_reports) {
        id = last_spread_ = last_spread_.next();
        spreads_[id] = {from, {notice.ticket, 0, {}}, {}, 0, ctx_.now + kSpreadExpires};
    }
    Notification notification{notice.kind,        notice.group, notice.data, notice.from_node,
                              notice.from_worker, notice.seq,   {}};
    const std::size_t size = wire_size(notice);
    local_.for_each_owner(notice.group, [&](const Owner& owner, const std::vector<MemberNumber>& members) {
        for (std::size_t at = 0; at < members.size(); at += kMembersPerDelivery) {
            const auto from_here = members.begin() + static_cast<std::ptrdiff_t>(at);
            const auto count = std::min(kMembersPerDelivery, members.size() - at);
            notification.members.assign(from_here, from_here + static_cast<std::ptrdiff_t>(count));
            deliver(owner, notification, size + count * 9, id);
        }
    });
    if (id) report_if_done(id);
}

void Router::deliver(const Owner& owner, const Notification& notification, std::size_t size, FanOut id) {
    const std::uint64_t members = notification.members.size();
    ctx_.count("notifications_delivered", members);
    if (id) spreads_[id].outstanding += members;
    if (const auto* handler = std::get_if<HandlerId>(&owner)) {
        ctx_.emit(Deliver{*handler, notification, id, id ? members : 0});
    } else {
        sessions_.push(std::get<SessionToken>(owner), proto::Delivery{notification}, size, id);
    }
}

void Router::took(const std::vector<Outcome>& outcomes) {
    for (const auto& outcome : outcomes) account(outcome);
    for (const auto& outcome : outcomes) report_if_done(outcome.fan_out);
}

void Router::account(const Outcome& outcome) {
    const auto it = spreads_.find(outcome.fan_out);
    if (it == spreads_.end()) return;
    it->second.outstanding -= std::min(outcome.members, it->second.outstanding);
    if (outcome.missed)
        it->second.missed[*outcome.missed] += outcome.members;
    else
        it->second.report.delivered += outcome.members;
}

void Router::report_if_done(FanOut id) {
    const auto it = spreads_.find(id);
    if (it == spreads_.end() || it->second.outstanding > 0) return;
    Spread done = std::move(it->second);
    spreads_.erase(it);
    for (const auto& [reason, members] : done.missed) done.report.missed.push_back({ctx_.self.name, members, reason});
    if (done.from == ctx_.self)
        take(ctx_.self, done.report);
    else
        links_.put(done.from, done.report);
}

// ---- back at the notifier's node --------------------------------------------------

void Router::take(const NodeId& from, const proto::NoticeReport& report) {
    settle(report.ticket, from.name, report.delivered, report.missed);
    finish_if_done(report.ticket);
}

void Router::settle(std::uint64_t ticket, const std::string& node, std::uint64_t delivered,
                    std::vector<Missed> missed) {
    const auto it = pending_.find(ticket);
    if (it == pending_.end()) return;
    Pending& pending = it->second;
    const auto expected = pending.outstanding.find(node);
    if (expected == pending.outstanding.end()) return;
    std::uint64_t accounted = delivered;
    for (auto& miss : missed) {
        miss.node = node;
        accounted += miss.members;
    }
    // Members that this node's table had and theirs no more; theirs may also have had newer ones.
    if (accounted < expected->second) missed.push_back({node, expected->second - accounted, MissReason::left});
    pending.report.delivered += delivered;
    pending.report.missed.insert(pending.report.missed.end(), missed.begin(), missed.end());
    pending.outstanding.erase(expected);
}

void Router::finish_if_done(std::uint64_t ticket) {
    const auto it = pending_.find(ticket);
    if (it == pending_.end() || !it->second.outstanding.empty()) return;
    answers_.emplace_back(it->second.caller, std::move(it->second.report));
    pending_.erase(it);
}

void Router::on(const Transition& transition) {
    if (transition.kind == Transition::Kind::up) return;
    std::vector<std::uint64_t> tickets;
    for (const auto& [ticket, pending] : pending_)
        if (pending.outstanding.contains(transition.id.name)) tickets.push_back(ticket);
    for (const auto ticket : tickets) {
        const auto members = pending_[ticket].outstanding[transition.id.name];
        settle(ticket, transition.id.name, 0, {{transition.id.name, members, MissReason::node_down}});
        finish_if_done(ticket);
    }
}

void Router::tick() {
    std::vector<std::pair<std::uint64_t, std::map<std::string, std::uint64_t>>> late;
    for (const auto& [ticket, pending] : pending_)
        if (ctx_.now >= pending.deadline) late.emplace_back(ticket, pending.outstanding);
    for (const auto& [ticket, outstanding] : late) {
        for (const auto& [node, members] : outstanding) settle(ticket, node, 0, {{node, members, MissReason::timeout}});
        finish_if_done(ticket);
    }
    std::erase_if(spreads_, [&](const auto& entry) { return ctx_.now >= entry.second.expires; });
}

std::optional<std::string> Router::over_bounds() const {
    if (pending_.size() > ctx_.options.bounds.pending_reports) return "pending notify calls";
    if (spreads_.size() > ctx_.options.bounds.pending_reports) return "spreads";
    return std::nullopt;
}

}  // namespace muster::cluster
