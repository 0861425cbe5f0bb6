#include "cluster/delivery/notifier.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/validate.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kMostRepeated = 16384;  // calls that are kept for nodes that are not known yet
constexpr std::size_t kRepeatedBytes = 96;    // of one, without its text

/// Skips the group's name if the group has members, because they joined under a name that was checked.
std::string why_invalid(const proto::NotifyRequest& request, bool group_has_members) {
    if (!group_has_members)
        if (auto why = proto::why_invalid(request.group); !why.empty()) return why;
    return proto::why_invalid(request.data);
}

}  // namespace

void Notifier::notify(const Caller& caller, const std::string& worker, std::uint64_t life, proto::NotifyRequest request,
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

    if (!route.numbered && route.matched > 0) route.numbered = recent_.of(request.group);
    const Recent::SharedNumbered numbered = route.numbered ? route.numbered : recent_.needed(request.group);
    proto::Notice notice{request.kind,
                         std::move(request.group),
                         std::move(request.data),
                         ctx_.self,
                         worker,
                         recent_.last_seq + 1,
                         0,
                         {},
                         0,
                         numbered ? numbered->last + 1 : 0,
                         life,
                         life == 0 ? 0 : request.call,
                         request.repeated};
    const std::size_t size = wire_size(notice);
    // A call that is repeated was accepted before: where a link is full now, its members are told of a loss.
    const bool was_accepted = request.repeated && life != 0;
    if (const auto* target = was_accepted ? nullptr : first_full(route.targets, size)) {
        ctx_.count("notifications_refused");
        return reports_.answer(caller,
                               Error{ErrorCode::overloaded, "the queue to node " + target->node.name +
                                                                " is full, and nothing was sent: try again later"});
    }
    ++recent_.last_seq;
    NotifyReport report{route.matched, route.targets.size(), request.wait, 0, {}};
    ctx_.count("notifications");
    ctx_.count("notifications_matched", report.matched);
    if (request.wait) {
        notice.wait_ms = std::min(request.timeout_ms, milliseconds_of(kLongestWait));
        notice.ticket = reports_.open(caller, report, route.targets, milliseconds(notice.wait_ms), share);
    }
    const std::uint64_t ticket = notice.ticket;
    if (was_accepted) keep_repeated(notice, size, route.targets);
    const bool remember = numbered && recent_.number_next(*numbered, route.for_workers);
    // Without a ticket one notice serves all targets. With one, each target gets its own, since `newest` differs.
    const proto::SharedNotice shared = !request.wait ? proto::SharedNotice(std::move(notice))
                                                     : (remember ? proto::SharedNotice(notice) : proto::SharedNotice());
    if (remember) recent_.keep(numbered, shared, size);
    send(route.targets, notice, shared, size, report);
    if (!request.wait) return reports_.answer(caller, std::move(report));
    for (const auto& missed : report.missed) reports_.missed(ticket, missed.node, missed.reason);
    reports_.answer_if_complete(ticket);
}

void Notifier::keep_repeated(proto::Notice notice, std::size_t size, const Targets& targets) {
    const std::set<NodeId> whole = whole_nodes();
    if (repeated_.empty()) {
        served_ = whole;
        behind_.clear();
    }
    std::erase_if(served_, [&](const NodeId& node) {
        if (whole.contains(node)) return false;
        behind_[node] = notice.seq;
        return true;
    });
    notice.ticket = 0;
    Repeated repeated{std::move(notice), ctx_.now, size, {}};
    for (const auto& target : targets)
        if (is_open(target.node)) repeated.sent_to.push_back(target.node);
    while (!repeated_.empty() && (repeated_.size() >= kMostRepeated || !repeated_bytes_.has_room(repeated.bytes()))) {
        ctx_.count("repeated_calls_forgotten");
        forget_repeated();
    }
    repeated_bytes_ += repeated.bytes();
    repeated_.push_back(std::move(repeated));
}

std::size_t Notifier::Repeated::bytes() const {
    return size + kRepeatedBytes + sent_to.size() * sizeof(NodeId);
}

void Notifier::forget_repeated() {
    repeated_bytes_ -= repeated_.front().bytes();
    repeated_.pop_front();
}

std::set<NodeId> Notifier::whole_nodes() const {
    std::set<NodeId> nodes;
    replicas_.for_each_whole([&](const NodeId& node) { nodes.insert(node); });
    return nodes;
}

void Notifier::group_changed(const std::optional<Group>& group) {
    if (repeated_.empty()) return;
    if (group)
        changed_.insert(*group);
    else
        all_changed_ = true;
}

void Notifier::tables_changed() {
    std::set<Group> changed = std::exchange(changed_, {});
    if (std::exchange(all_changed_, false))
        for (const Repeated& repeated : repeated_) changed.insert(repeated.notice->group);
    if (repeated_.empty()) return;
    if (!changed.empty()) send_repeated(changed);
    for (const NodeId& node : whole_nodes()) {
        behind_.erase(node);
        served_.insert(node);
    }
}

void Notifier::send_repeated(const std::set<Group>& groups) {
    std::set<Group> open;
    for (const Group& group : groups) {
        const auto& targets = routes_.of(group).targets;
        if (std::any_of(targets.begin(), targets.end(), [&](const auto& target) { return is_open(target.node); }))
            open.insert(group);
    }
    if (open.empty()) return;
    for (Repeated& repeated : repeated_)
        if (open.contains(repeated.notice->group)) send_repeated(repeated, routes_.of(repeated.notice->group).targets);
}

void Notifier::send_repeated(Repeated& repeated, const Targets& targets) {
    for (const auto& [node, members, newest] : targets) {
        const auto since = behind_.find(node);
        const bool served = !is_open(node) || (since != behind_.end() && repeated.notice->seq < since->second);
        if (served || std::find(repeated.sent_to.begin(), repeated.sent_to.end(), node) != repeated.sent_to.end())
            continue;
        ctx_.count("repeated_calls_sent_later");
        repeated_bytes_ += sizeof(NodeId);
        repeated.sent_to.push_back(node);
        reports_.dropped(node, links_.put(node, repeated.notice, repeated.size).dropped);
    }
}

void Notifier::tick() {
    const Instant since = ctx_.now - ctx_.options.timing.handover_window;
    while (!repeated_.empty() && repeated_.front().at < since) forget_repeated();
}

std::uint64_t Notifier::lowest_repeated(Duration age) const {
    const auto young = std::partition_point(repeated_.begin(), repeated_.end(),
                                            [&](const Repeated& repeated) { return ctx_.now - repeated.at >= age; });
    return young == repeated_.end() ? UINT64_MAX : young->notice->seq;
}

void Notifier::begin_life() {
    served_.clear();
    behind_.clear();
    changed_.clear();
    all_changed_ = true;
    for (Repeated& repeated : repeated_) {
        proto::Notice notice = *repeated.notice;
        const auto group = recent_.of(notice.group);
        notice.from_node = ctx_.self;
        notice.seq = ++recent_.last_seq;
        notice.group_seq = group->last + 1;
        repeated.notice = proto::SharedNotice(std::move(notice));
        (void)recent_.number_next(*group, true);
        recent_.keep(group, repeated.notice, repeated.size);
        repeated_bytes_ -= repeated.sent_to.size() * sizeof(NodeId);
        repeated.sent_to.clear();
    }
}

const Routes::Target* Notifier::first_full(const Targets& targets, std::size_t size) const {
    if (ctx_.options.bounds.link_policy != OverflowPolicy::refuse_newest) return nullptr;
    const auto it = std::find_if(targets.begin(), targets.end(), [&](const auto& target) {
        return target.node != ctx_.self && !links_.has_room(target.node, size);
    });
    return it == targets.end() ? nullptr : &*it;
}

void Notifier::send(const Targets& targets, proto::Notice& notice, const proto::SharedNotice& for_all, std::size_t size,
                    NotifyReport& report) {
    const bool wait = notice.ticket != 0;
    for (const auto& target : targets) {
        notice.newest = target.newest;
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
