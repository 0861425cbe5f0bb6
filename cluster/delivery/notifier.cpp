#include "cluster/delivery/notifier.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/validate.hpp"

namespace muster::cluster {
namespace {

/// Skips the group's name if the group has members, because they joined under a name that was checked.
std::string why_invalid(const proto::NotifyRequest& request, bool group_has_members) {
    if (!group_has_members)
        if (auto why = proto::why_invalid(request.group); !why.empty()) return why;
    return proto::why_invalid(request.data);
}

}  // namespace

void Notifier::notify(const Caller& caller, const std::string& worker, proto::NotifyRequest request,
                      const SharedShare& share) {
    // The route stays valid below: only an event can change the group.
    const Routes::Route& route = routes_.of(request.group);
    if (auto why = why_invalid(request, !route.targets.empty()); !why.empty())
        return reports_.answer(caller, Error{ErrorCode::bad_request, std::move(why)});
    if (request.wait && !reports_.has_room(*share, route.targets.size())) {
        ctx_.count("waits_refused");
        return reports_.answer(caller, Error{ErrorCode::overloaded,
                                             "too many notify calls wait for reports at this node: try again later"});
    }

    proto::Notice notice{
        request.kind, std::move(request.group), std::move(request.data), ctx_.self, worker, last_seq_ + 1, 0, {}, 0};
    const std::size_t size = wire_size(notice);
    if (const auto* target = first_full(route.targets, size)) {
        ctx_.count("notifications_refused");
        return reports_.answer(caller,
                               Error{ErrorCode::overloaded, "the queue to node " + target->node.name +
                                                                " is full, and nothing was sent: try again later"});
    }
    ++last_seq_;
    NotifyReport report{route.matched, route.targets.size(), request.wait, 0, {}};
    ctx_.count("notifications");
    ctx_.count("notifications_matched", report.matched);
    if (!request.wait) {
        send(route.targets, std::move(notice), size, report);
        return reports_.answer(caller, std::move(report));
    }
    notice.wait_ms = std::min(request.timeout_ms, milliseconds_of(kLongestWait));
    const auto ticket = notice.ticket =
        reports_.open(caller, report, route.targets, milliseconds(notice.wait_ms), share);
    send(route.targets, std::move(notice), size, report);
    for (const auto& missed : report.missed) reports_.missed(ticket, missed.node, missed.reason);
    reports_.answer_if_complete(ticket);
}

const Routes::Target* Notifier::first_full(const Targets& targets, std::size_t size) const {
    if (ctx_.options.bounds.link_policy != OverflowPolicy::refuse_newest) return nullptr;
    const auto it = std::find_if(targets.begin(), targets.end(), [&](const auto& target) {
        return target.node != ctx_.self && !links_.has_room(target.node, size);
    });
    return it == targets.end() ? nullptr : &*it;
}

void Notifier::send(const Targets& targets, proto::Notice notice, std::size_t size, NotifyReport& report) {
    // Without a ticket one notice serves all targets. With one, each target gets its own, since `newest` differs.
    const bool wait = notice.ticket != 0;
    const proto::SharedNotice for_all = wait ? proto::SharedNotice() : std::move(notice);
    for (const auto& target : targets) {
        if (wait) notice.newest = target.newest;  // NOLINT(bugprone-use-after-move): with `wait` it was not moved
        const proto::SharedNotice to_target = wait ? proto::SharedNotice(notice) : for_all;
        if (target.node == ctx_.self) {
            fan_outs_.take(target.node, to_target);
            continue;
        }
        const auto put = links_.put(target.node, to_target, size);
        reports_.dropped(target.node, put.dropped);
        if (put.taken) continue;
        ctx_.count("notifications_dropped", target.members);
        report.missed.push_back({target.node.name, target.members, MissReason::overflow});
    }
}

}  // namespace muster::cluster
