#include "cluster/router.hpp"

#include <algorithm>
#include <utility>

#include "cluster/wire_size.hpp"
#include "proto/codec.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(24);
constexpr Duration kReportTravels = std::chrono::milliseconds(200);
constexpr std::size_t kMembersPerDelivery = 8192;  // beside the largest data they fit one frame

std::string why_invalid(const Router::Call& call) {
    if (const auto why = why_invalid_part(call.group.store); !why.empty())
        return "the store's name " + std::string(why);
    if (const auto why = why_invalid_part(call.group.feature); !why.empty())
        return "the feature's name " + std::string(why);
    if (!proto::is_valid_data(call.data.msgpack))
        return "data must be one msgpack value of at most 512 KiB, nested at most 32 deep";
    return {};
}

/// A hostile count must not turn into a small one.
std::uint64_t saturating_product(std::uint64_t a, std::uint64_t b) {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

}  // namespace

void Router::notify(Call call) {
    if (const auto why = why_invalid(call); !why.empty())
        return answers_.emplace_back(call.caller, Error{ErrorCode::bad_request, why}), void();
    if (call.wait && pending_.size() >= ctx_.options.bounds.pending_reports)
        return answers_.emplace_back(call.caller,
                                     Error{ErrorCode::overloaded, "too many notify calls wait for reports"}),
               void();

    proto::Notice notice{call.kind,
                         call.group,
                         std::move(call.data),
                         ctx_.self,
                         call.worker,
                         notify_seq_ + 1,
                         call.wait ? last_ticket_ + 1 : 0,
                         {},
                         0};
    if (call.wait)
        notice.wait_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, call.timeout / milliseconds(1)));
    const auto targets = targets_of(call.group);
    if (const Target* target = full(targets, notice)) {
        ctx_.count("notifications_refused");
        return answers_.emplace_back(
                   call.caller, Error{ErrorCode::overloaded, "the queue to node " + target->node.name +
                                                                 " is full, and nothing was sent: try again later"}),
               void();
    }
    ++notify_seq_;
    NotifyReport report{0, targets.size(), call.wait, 0, {}};
    for (const Target& target : targets) report.matched += target.members;
    ctx_.count("notifications");
    ctx_.count("notifications_matched", report.matched);
    if (!call.wait) {
        send(targets, std::move(notice), report);
        return answers_.emplace_back(call.caller, std::move(report)), void();
    }
    const auto ticket = ++last_ticket_;
    Pending& pending = pending_[ticket] = {call.caller, report, {}, ctx_.now + call.timeout};
    for (const Target& target : targets) pending.outstanding[target.node.name] = target.members;
    send(targets, std::move(notice), report);
    for (const auto& miss : report.missed) settle(ticket, miss.node, 0, {miss});
    finish_if_done(ticket);
}

std::vector<Router::Target> Router::targets_of(const Group& group) const {
    std::vector<Target> targets;
    const GroupRef ref = replicator_.groups().find(group);
    if (ref == kNoGroup) return targets;
    replicator_.for_each_shown_in(ref, [&](const Replica& replica, const MemberList& members) {
        targets.push_back({replica.id(), members.size(), members.newest()});
    });
    return targets;
}

const Router::Target* Router::full(const std::vector<Target>& targets, const proto::Notice& notice) const {
    if (ctx_.options.bounds.link_policy != OverflowPolicy::refuse_newest) return nullptr;
    const auto it = std::ranges::find_if(targets, [&](const Target& target) {
        return target.node != ctx_.self && !links_.has_room(target.node, notice);
    });
    return it == targets.end() ? nullptr : &*it;
}

void Router::send(const std::vector<Target>& targets, proto::Notice notice, NotifyReport& report) {
    for (const Target& target : targets) {
        if (notice.ticket != 0) notice.newest = target.newest;
        if (target.node == ctx_.self) {
            spread(target.node, notice);
            continue;
        }
        const auto put = links_.put(target.node, notice);
        dropped(target.node, put.dropped);
        if (put.taken) continue;
        ctx_.count("notifications_dropped", target.members);
        report.missed.push_back({target.node.name, target.members, MissReason::overflow});
    }
}

/// These gave way on the link to `node`: whoever waits for them is told; the members are by the link.
void Router::dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets) {
    for (const auto ticket : tickets) {
        const auto it = pending_.find(ticket);
        if (it == pending_.end()) continue;
        const auto expected = it->second.outstanding.find(node.name);
        if (expected == it->second.outstanding.end()) continue;
        const Missed missed{node.name, expected->second, MissReason::overflow};
        settle(ticket, node.name, 0, {missed});
        finish_if_done(ticket);
    }
}

// ---- at the members' node --------------------------------------------------------

void Router::take(const NodeId& from, proto::Notice notice) {
    spread(from, notice);
}

FanOut Router::begin_spread(const NodeId& from, const proto::Notice& notice) {
    if (notice.ticket == 0) return {};
    const auto wait =
        std::min<Duration>(kLongestWait, milliseconds(std::min<std::uint64_t>(notice.wait_ms, INT32_MAX)));
    // What is known by then must arrive before the notifier stops waiting.
    const auto on_the_way = from == ctx_.self ? Duration{} : std::min<Duration>(wait / 10, kReportTravels);
    Spread spread{from, {notice.ticket, 0, {}}, {}, 0, ctx_.now + wait - on_the_way};
    last_spread_ = last_spread_.next();
    spreads_.emplace(last_spread_, std::move(spread));
    return last_spread_;
}

void Router::spread(const NodeId& from, const proto::Notice& notice) {
    const FanOut id = spreads_.size() < ctx_.options.bounds.pending_reports ? begin_spread(from, notice) : FanOut{};
    Notification notification{notice.kind,        notice.group, notice.data, notice.from_node,
                              notice.from_worker, notice.seq,   {}};
    const std::size_t size = wire_size(notice);
    local_.for_each_owner(notice.group, [&](const Owner& owner, const std::vector<MemberNumber>& members) {
        for (std::size_t at = 0; at < members.size(); at += kMembersPerDelivery) {
            const auto begin = members.begin() + static_cast<std::ptrdiff_t>(at);
            const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kMembersPerDelivery, members.size() - at));
            notification.members.assign(begin, end);
            // Who joined since is served too, but is none of those that the report is about.
            const auto matched = std::upper_bound(begin, end, notice.newest) - begin;
            deliver(owner, notification, size + notification.members.size() * 9,
                    {id, static_cast<std::uint64_t>(matched)});
        }
    });
    if (id) report_if_done(id);
}

void Router::deliver(const Owner& owner, const Notification& notification, std::size_t size, Session::Waiter waiter) {
    ctx_.count("notifications_delivered", notification.members.size());
    if (!waiter.fan_out || waiter.members == 0) waiter = {};
    if (waiter.fan_out) spreads_.at(waiter.fan_out).outstanding += waiter.members;
    if (const auto* handler = std::get_if<HandlerId>(&owner)) {
        // Members are in the order of their numbers: those that are matched come first.
        ctx_.emit(Deliver{*handler, notification, waiter.fan_out, waiter.members});
    } else {
        sessions_.push(std::get<SessionToken>(owner), proto::Delivery{notification}, size, waiter);
    }
}

void Router::take(const proto::NoticesLost& lost) {
    ctx_.count("notifications_lost_on_links", lost.notices);
    local_.for_each_owner(lost.group, [&](const Owner& owner, const std::vector<MemberNumber>& members) {
        const auto missed = saturating_product(lost.notices, members.size());
        if (const auto* handler = std::get_if<HandlerId>(&owner))
            ctx_.emit(DeliverGap{*handler, missed});
        else
            sessions_.lose(std::get<SessionToken>(owner), missed);
    });
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
        dropped(done.from, links_.put(done.from, std::move(done.report)).dropped);
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
    std::vector<FanOut> expired;
    for (auto& [id, spread] : spreads_) {
        if (ctx_.now < spread.expires) continue;
        spread.missed[MissReason::timeout] += std::exchange(spread.outstanding, 0);
        expired.push_back(id);
    }
    for (const FanOut id : expired) report_if_done(id);
    std::vector<std::pair<std::uint64_t, std::map<std::string, std::uint64_t>>> late;
    for (const auto& [ticket, pending] : pending_)
        if (ctx_.now >= pending.deadline) late.emplace_back(ticket, pending.outstanding);
    for (const auto& [ticket, outstanding] : late) {
        for (const auto& [node, members] : outstanding) settle(ticket, node, 0, {{node, members, MissReason::timeout}});
        finish_if_done(ticket);
    }
}

std::optional<std::string> Router::over_bounds() const {
    if (pending_.size() > ctx_.options.bounds.pending_reports) return "pending notify calls";
    if (spreads_.size() > ctx_.options.bounds.pending_reports) return "spreads";
    return std::nullopt;
}

}  // namespace muster::cluster
