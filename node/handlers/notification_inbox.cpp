#include "node/handlers/notification_inbox.hpp"

#include <utility>

namespace muster::node {
namespace {

constexpr std::size_t kItemBytes = 256;  // approximate memory of a queued notification without its data

/// The notification as a handler sees it. Each thread has one object that it reuses, so a call allocates nothing.
Notification& as_notification(const proto::Notice& notice) {
    static thread_local Notification scratch;
    proto::assign(scratch, notice);
    scratch.members.resize(1);
    return scratch;
}

void call_for_each_member(const OnNotification& handler, const QueuedNotification& queued,
                          const HandlerReports& reports) {
    Notification& notification = as_notification(queued.notice());
    std::uint64_t awaited = queued.awaited();  // members are ascending, and the first ones are awaited
    for (const MemberNumber member : queued.members()) {
        notification.members.front() = member;
        reports.errors.guard(queued.notice().group, [&] { handler(notification); });
        HandlerPool::call_ended();
        if (awaited == 0) continue;
        --awaited;
        reports.outcomes->add({queued.fan_out(), 1, std::nullopt});
    }
}

}  // namespace

std::size_t QueuedNotification::bytes() const {
    return kItemBytes + notice().data.msgpack.size();
}

std::shared_ptr<NotificationInbox> make_inbox(HandlerPool& pool, const NotificationInbox::Limits& limits,
                                              const Group& group, OnNotification handler,
                                              NotificationInbox::OnGap on_gap, HandlerReports reports) {
    auto gap = [on_gap = std::move(on_gap), errors = reports.errors, group](std::uint64_t missed) {
        if (on_gap) errors.guard(group, [&] { on_gap(missed); });
    };
    auto missed = [outcomes = reports.outcomes](const QueuedNotification& queued, MissReason reason) {
        if (const auto awaited = queued.awaited(); awaited != 0) outcomes->add({queued.fan_out(), awaited, reason});
    };
    auto run = [handler = std::move(handler), reports = std::move(reports)](const QueuedNotification& queued) {
        call_for_each_member(handler, queued, reports);
    };
    return std::make_shared<NotificationInbox>(pool, limits, std::move(run), std::move(gap), std::move(missed));
}

}  // namespace muster::node
