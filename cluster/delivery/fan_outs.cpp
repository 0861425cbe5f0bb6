#include "cluster/delivery/fan_outs.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/saturating.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kReportTravels = std::chrono::milliseconds(200);
constexpr std::size_t kLivesInGroups = 8192;  // of notifying workers, of which it is known what handlers have had

}  // namespace

void FanOuts::take(const NodeId& from, const proto::SharedNotice& notice) {
    const FanOutId id = begin(from, *notice);
    const Routes::Route& route = routes_.of(notice->group);
    const auto copy = route.handlers || sessions_.has_older() ? copy_of(*notice) : proto::Copy::fresh;
    if (route.handlers) deliver(route.handlers, notice, id, copy);
    for (const auto& [session, members] : route.sessions) {
        if (copy == proto::Copy::fresh || !is_older(session)) {
            deliver(from, session, members, notice, id);
            continue;
        }
        if (copy == proto::Copy::late) sessions_.lose(session, members->size());
        drop_copy(id, awaited_of(*members, id, notice->newest).members, copy);
    }
    if (id) report_if_done(id);
}

bool FanOuts::is_older(SessionToken token) {
    const Session* session = sessions_.find(token);
    return session && session->life() == 0;
}

proto::Copy FanOuts::copy_of(const proto::Notice& notice) {
    if (notice.life == 0 || notice.call == 0) return proto::Copy::fresh;
    const auto [known, is_new] = calls_.try_emplace({notice.life, notice.group});
    const auto copy = known->second.accept(notice);
    if (copy == proto::Copy::had) ctx_.count("notices_repeated");
    if (copy == proto::Copy::late) ctx_.count("notices_repeated_late");
    if (!is_new) return copy;
    calls_order_.push_back(known->first);
    if (calls_.size() > kLivesInGroups) {
        calls_.erase(calls_order_.front());
        calls_order_.pop_front();
    }
    return copy;
}

void FanOuts::drop_copy(FanOutId id, std::uint64_t awaited, proto::Copy copy) {
    if (!id) return;
    FanOut& fan_out = fan_outs_.at(id);
    if (copy == proto::Copy::had)
        fan_out.report.delivered += awaited;
    else if (awaited > 0)
        fan_out.missed[MissReason::overflow] += awaited;
}

FanOutId FanOuts::begin(const NodeId& from, const proto::Notice& notice) {
    if (notice.ticket == 0) return {};
    // The waits of this node's own callers have their places in Reports.
    Drawn place = from == ctx_.self ? Drawn() : Drawn(ctx_.waits, waits_of(ctx_.shares.of_node(from.name)));
    if (!place.has_room(1)) return {};
    place += 1;
    const auto wait = duration_of(notice.wait_ms);
    // The report must arrive before the notifier stops waiting: it leaves early by the time that it may travel.
    const auto travels = from == ctx_.self ? Duration{} : std::min<Duration>(wait / 10, kReportTravels);
    last_id_ = last_id_.next();
    fan_outs_.emplace(last_id_,
                      FanOut{from, {notice.ticket, 0, {}}, {}, 0, ctx_.now + wait - travels, std::move(place)});
    return last_id_;
}

void FanOuts::deliver(const std::shared_ptr<const Recipients>& handlers, const proto::SharedNotice& notice, FanOutId id,
                      proto::Copy copy) {
    Deliver action{notice, handlers, id};
    std::uint64_t members = 0;
    std::uint64_t awaited = 0;
    for (const auto& to : *handlers) {
        members += to.members.size();
        awaited += action.awaited(to.members);
    }
    if (copy == proto::Copy::late)
        for (const auto& to : *handlers) ctx_.emit(DeliverGap{to.handler, to.members.size()});
    if (copy != proto::Copy::fresh) return drop_copy(id, awaited, copy);
    ctx_.count("notifications_delivered", members);
    if (id) fan_outs_.at(id).outstanding += awaited;
    ctx_.emit(std::move(action));
}

void FanOuts::deliver(const NodeId& from, SessionToken session, const Routes::SharedMembers& members,
                      const proto::SharedNotice& notice, FanOutId id) {
    const std::size_t size = wire_size(*notice);
    const Session::Awaited all = awaited_of(*members, id, notice->newest);
    // Count them before the push: it may already have the outcome.
    if (all.fan_out) fan_outs_.at(id).outstanding += all.members;
    if (handovers_.holds_back(from, *notice, session, all)) return;
    ctx_.count("notifications_delivered", members->size());
    in_parts(members, [&](Routes::SharedMembers part) {
        const Session::Awaited awaited = awaited_of(*part, id, notice->newest);
        const std::size_t part_size = size + part->size() * kMemberBytes;
        sessions_.push(session, proto::Delivery{notice, std::move(part)}, part_size, awaited);
    });
}

void FanOuts::take(const NodeId& from, const proto::NoticesLost& lost) {
    ctx_.count("notifications_lost_on_links", lost.notices);
    const Routes::Route& route = routes_.of(lost.group);
    if (route.handlers)
        for (const auto& to : *route.handlers)
            ctx_.emit(DeliverGap{to.handler, proto::saturating_product(lost.notices, to.members.size())});
    for (const auto& [session, members] : route.sessions)
        if (!handovers_.is_waiting(from, lost.group, session))  // the replay has them
            sessions_.lose(session, proto::saturating_product(lost.notices, members->size()));
}

void FanOuts::record(const std::vector<Outcome>& outcomes) {
    for (const auto& outcome : outcomes) account(outcome);
    for (const auto& outcome : outcomes) report_if_done(outcome.fan_out);
}

void FanOuts::account(const Outcome& outcome) {
    const auto it = fan_outs_.find(outcome.fan_out);
    if (it == fan_outs_.end()) return;
    it->second.outstanding -= std::min(outcome.members, it->second.outstanding);
    if (outcome.missed)
        it->second.missed[*outcome.missed] += outcome.members;
    else
        it->second.report.delivered += outcome.members;
}

void FanOuts::report_if_done(FanOutId id) {
    const auto it = fan_outs_.find(id);
    if (it == fan_outs_.end() || it->second.outstanding > 0) return;
    FanOut done = std::move(it->second);
    fan_outs_.erase(it);
    for (const auto& [reason, members] : done.missed) done.report.missed.push_back({ctx_.self.name, members, reason});
    if (done.from.name == ctx_.self.name)  // perhaps of an earlier incarnation
        reports_.take(ctx_.self, done.report);
    else  // A report has precedence over waiting notices; the link may drop some of ours for it.
        reports_.dropped(done.from, links_.put(done.from, std::move(done.report)).dropped);
}

void FanOuts::tick() {
    std::vector<FanOutId> expired;
    for (auto& [id, fan_out] : fan_outs_) {
        if (ctx_.now < fan_out.deadline) continue;
        fan_out.missed[MissReason::timeout] += std::exchange(fan_out.outstanding, 0);
        expired.push_back(id);
    }
    for (const FanOutId id : expired) report_if_done(id);
}

std::optional<std::string> FanOuts::over_bounds() const {
    if (fan_outs_.size() > ctx_.options.bounds.pending_reports) return "fan-outs";
    return std::nullopt;
}

}  // namespace muster::cluster
