#include "cluster/delivery/router.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/codec.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(24);
constexpr Duration kReportTravels = std::chrono::milliseconds(200);
constexpr std::size_t kMembersPerDelivery = 8192;  // beside the largest data they fit one frame

/// A group that has members needs no look at its name.
std::string why_invalid(const Router::Call& call, bool is_empty) {
    if (is_empty) {
        if (const auto why = why_invalid_part(call.group.store); !why.empty())
            return "the store's name " + std::string(why);
        if (const auto why = why_invalid_part(call.group.feature); !why.empty())
            return "the feature's name " + std::string(why);
    }
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
    const Routes::Route& route = routes_.of(call.group);
    if (const auto why = why_invalid(call, route.targets.empty()); !why.empty())
        return answers_.emplace_back(call.caller, Error{ErrorCode::bad_request, why}), void();
    if (call.wait && pending_reports_.size() >= ctx_.options.bounds.pending_reports) {
        ctx_.count("waits_refused");
        return answers_.emplace_back(call.caller,
                                     Error{ErrorCode::overloaded, "too many notify calls wait for reports"}),
               void();
    }

    proto::Notice notice{call.kind,
                         std::move(call.group),
                         std::move(call.data),
                         ctx_.self,
                         std::move(call.worker),
                         notify_seq_ + 1,
                         0,
                         {},
                         0};
    const std::size_t size = wire_size(notice);
    if (const auto* target = full(route.targets, size)) {
        ctx_.count("notifications_refused");
        return answers_.emplace_back(
                   call.caller, Error{ErrorCode::overloaded, "the queue to node " + target->node.name +
                                                                 " is full, and nothing was sent: try again later"}),
               void();
    }
    ++notify_seq_;
    NotifyReport report{route.matched, route.targets.size(), call.wait, 0, {}};
    ctx_.count("notifications");
    ctx_.count("notifications_matched", report.matched);
    if (call.wait) return send_and_wait(call, route.targets, std::move(notice), size, std::move(report));
    send(route.targets, std::move(notice), size, report);
    answers_.emplace_back(call.caller, std::move(report));
}

void Router::send_and_wait(const Call& call, const Targets& targets, proto::Notice notice, std::size_t size,
                           NotifyReport report) {
    const auto ticket = ++last_ticket_;
    notice.ticket = ticket;
    notice.wait_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, call.timeout / milliseconds(1)));
    PendingReport& pending = pending_reports_[ticket] = {call.caller, report, {}, ctx_.now + call.timeout, ctx_.now};
    for (const auto& target : targets) pending.outstanding[target.node.name] = target.members;
    send(targets, std::move(notice), size, report);
    for (const auto& miss : report.missed) settle(ticket, miss.node, 0, {miss});
    finish_if_done(ticket);
}

const Routes::Target* Router::full(const Targets& targets, std::size_t size) const {
    if (ctx_.options.bounds.link_policy != OverflowPolicy::refuse_newest) return nullptr;
    const auto it = std::ranges::find_if(
        targets, [&](const auto& target) { return target.node != ctx_.self && !links_.has_room(target.node, size); });
    return it == targets.end() ? nullptr : &*it;
}

void Router::send(const Targets& targets, proto::Notice notice, std::size_t size, NotifyReport& report) {
    const bool wait = notice.ticket != 0;
    const proto::SharedNotice for_all = wait ? proto::SharedNotice() : std::move(notice);
    for (const auto& target : targets) {
        if (wait) notice.newest = target.newest;
        const proto::SharedNotice to_target = wait ? proto::SharedNotice(notice) : for_all;
        if (target.node == ctx_.self) {
            fan_out(target.node, to_target);
            continue;
        }
        const auto put = links_.put(target.node, to_target, size);
        dropped(target.node, put.dropped);
        if (put.taken) continue;
        ctx_.count("notifications_dropped", target.members);
        report.missed.push_back({target.node.name, target.members, MissReason::overflow});
    }
}

/// These gave way on the link to `node`: whoever waits for them is told; the members are by the link.
void Router::dropped(const NodeId& node, const std::vector<std::uint64_t>& tickets) {
    for (const auto ticket : tickets) {
        const auto it = pending_reports_.find(ticket);
        if (it == pending_reports_.end()) continue;
        const auto expected = it->second.outstanding.find(node.name);
        if (expected == it->second.outstanding.end()) continue;
        const Missed missed{node.name, expected->second, MissReason::overflow};
        settle(ticket, node.name, 0, {missed});
        finish_if_done(ticket);
    }
}

// ---- at the members' node --------------------------------------------------------

FanOutId Router::begin_fan_out(const NodeId& from, const proto::Notice& notice) {
    if (notice.ticket == 0) return {};
    const auto wait =
        std::min<Duration>(kLongestWait, milliseconds(std::min<std::uint64_t>(notice.wait_ms, INT32_MAX)));
    // What is known by then must arrive before the notifier stops waiting.
    const auto on_the_way = from == ctx_.self ? Duration{} : std::min<Duration>(wait / 10, kReportTravels);
    FanOut fan_out{from, {notice.ticket, 0, {}}, {}, 0, ctx_.now + wait - on_the_way};
    last_fan_out_ = last_fan_out_.next();
    fan_outs_.emplace(last_fan_out_, std::move(fan_out));
    return last_fan_out_;
}

void Router::fan_out(const NodeId& from, const proto::SharedNotice& notice) {
    const FanOutId id =
        fan_outs_.size() < ctx_.options.bounds.pending_reports ? begin_fan_out(from, *notice) : FanOutId{};
    const Routes::Route& route = routes_.of(notice->group);
    if (route.handlers) deliver(route.handlers, notice, id);
    for (const auto& [session, members] : route.sessions) deliver(session, members, notice, id);
    if (id) report_if_done(id);
}

void Router::deliver(const std::shared_ptr<const Recipients>& handlers, const proto::SharedNotice& notice,
                     FanOutId id) {
    Deliver action{notice, handlers, id};
    std::uint64_t members = 0;
    std::uint64_t awaited = 0;
    for (const auto& to : *handlers) {
        members += to.members.size();
        awaited += action.awaited(to.members);
    }
    ctx_.count("notifications_delivered", members);
    if (id) fan_outs_.at(id).outstanding += awaited;
    ctx_.emit(std::move(action));
}

void Router::deliver(SessionToken session, const Routes::SharedMembers& members, const proto::SharedNotice& notice,
                     FanOutId id) {
    ctx_.count("notifications_delivered", members->size());
    const std::size_t size = wire_size(*notice);
    for (std::size_t at = 0; at < members->size(); at += kMembersPerDelivery) {
        const auto begin = members->begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kMembersPerDelivery, members->size() - at));
        const bool all = begin == members->begin() && end == members->end();
        proto::Delivery delivery{notice, all ? members : std::make_shared<const std::vector<MemberNumber>>(begin, end)};
        Session::Awaited awaited;
        // Who joined since is served too, but is none of those that the report is about.
        if (id) awaited = {id, static_cast<std::uint64_t>(std::upper_bound(begin, end, notice->newest) - begin)};
        if (awaited.members == 0) awaited = {};
        if (awaited.fan_out) fan_outs_.at(id).outstanding += awaited.members;
        sessions_.push(session, std::move(delivery), size + static_cast<std::size_t>(end - begin) * 9, awaited);
    }
}

void Router::take(const proto::NoticesLost& lost) {
    ctx_.count("notifications_lost_on_links", lost.notices);
    const Routes::Route& route = routes_.of(lost.group);
    if (route.handlers)
        for (const auto& to : *route.handlers)
            ctx_.emit(DeliverGap{to.handler, saturating_product(lost.notices, to.members.size())});
    for (const auto& [session, members] : route.sessions)
        sessions_.lose(session, saturating_product(lost.notices, members->size()));
}

void Router::took(const std::vector<Outcome>& outcomes) {
    for (const auto& outcome : outcomes) account(outcome);
    for (const auto& outcome : outcomes) report_if_done(outcome.fan_out);
}

void Router::account(const Outcome& outcome) {
    const auto it = fan_outs_.find(outcome.fan_out);
    if (it == fan_outs_.end()) return;
    it->second.outstanding -= std::min(outcome.members, it->second.outstanding);
    if (outcome.missed)
        it->second.missed[*outcome.missed] += outcome.members;
    else
        it->second.report.delivered += outcome.members;
}

void Router::report_if_done(FanOutId id) {
    const auto it = fan_outs_.find(id);
    if (it == fan_outs_.end() || it->second.outstanding > 0) return;
    FanOut done = std::move(it->second);
    fan_outs_.erase(it);
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
    const auto it = pending_reports_.find(ticket);
    if (it == pending_reports_.end()) return;
    PendingReport& pending = it->second;
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
    const auto it = pending_reports_.find(ticket);
    if (it == pending_reports_.end() || !it->second.outstanding.empty()) return;
    ctx_.durations.report.add(ctx_.now - it->second.begun);
    answers_.emplace_back(it->second.caller, std::move(it->second.report));
    pending_reports_.erase(it);
}

void Router::on(const Transition& transition) {
    if (transition.kind == Transition::Kind::up) return;
    std::vector<std::uint64_t> tickets;
    for (const auto& [ticket, pending] : pending_reports_)
        if (pending.outstanding.contains(transition.id.name)) tickets.push_back(ticket);
    for (const auto ticket : tickets) {
        const auto members = pending_reports_[ticket].outstanding[transition.id.name];
        settle(ticket, transition.id.name, 0, {{transition.id.name, members, MissReason::node_down}});
        finish_if_done(ticket);
    }
}

void Router::tick() {
    std::vector<FanOutId> expired;
    for (auto& [id, fan_out] : fan_outs_) {
        if (ctx_.now < fan_out.expires) continue;
        fan_out.missed[MissReason::timeout] += std::exchange(fan_out.outstanding, 0);
        expired.push_back(id);
    }
    for (const FanOutId id : expired) report_if_done(id);
    std::vector<std::pair<std::uint64_t, std::map<std::string, std::uint64_t>>> late;
    for (const auto& [ticket, pending] : pending_reports_)
        if (ctx_.now >= pending.deadline) late.emplace_back(ticket, pending.outstanding);
    for (const auto& [ticket, outstanding] : late) {
        for (const auto& [node, members] : outstanding) settle(ticket, node, 0, {{node, members, MissReason::timeout}});
        finish_if_done(ticket);
    }
}

std::optional<std::string> Router::over_bounds() const {
    if (pending_reports_.size() > ctx_.options.bounds.pending_reports) return "pending notify calls";
    if (fan_outs_.size() > ctx_.options.bounds.pending_reports) return "fan-outs";
    return std::nullopt;
}

}  // namespace muster::cluster
