// What callers read: lookups, and what the status page, metrics and the command line show.
#include <algorithm>

#include "cluster/core_impl.hpp"

namespace muster::cluster {
namespace {

std::chrono::milliseconds age(Instant now, Instant at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::max(now - at, Duration{}));
}

}  // namespace

NodeInfo Core::Impl::self_info() const {
    return {ctx.self, stopped ? NodeState::left : NodeState::alive, ctx.options.address, sessions.size(), draining};
}

std::vector<NodeInfo> Core::Impl::nodes() const {
    std::vector<NodeInfo> nodes{self_info()};
    for (const auto& [name, peer] : peers.all()) nodes.push_back(peer.info());
    std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return nodes;
}

std::vector<GroupInfo> Core::Impl::groups() const {
    return group_sizes(replicas);
}

Status Core::Impl::status() const {
    const auto totals = replicas.totals();
    Status status{self_info(),   ctx.options.scope, ready,           replicas.own().applied().value,
                  totals.groups, totals.members,    sessions.size(), {}};
    status.counters = counters();
    status.counters["link_queue_bytes"] = links.queued_bytes();
    status.counters["channels_silent"] = channels.silent();
    for (const auto& [name, peer] : peers.all())
        for (const auto& text : peer.is_live() ? channels.faults_of(peer) : std::vector<std::string>())
            status.silent_channels.push_back(text);
    status.counters["memory_used"] = ctx.memory.used();
    status.counters["memory_limit"] = ctx.memory.capacity();
    status.counters["backlog_queue"] = ctx.backlog_items;
    status.counters["backlog_queue_bytes"] = ctx.backlog_bytes;
    const auto progress = replicas.progress();
    status.counters["members_missing"] = progress.expected - progress.present;
    status.counters["tables_missing"] = progress.tables - progress.complete;
    return status;
}

std::map<std::string, std::uint64_t> Core::Impl::counters() const {
    auto counters = ctx.counters.by_name();
    counters["link_queue"] = links.queued();
    return counters;
}

std::vector<NodeView> Core::Impl::views(Instant now) const {
    std::vector<NodeView> views;
    const auto view_table = [](NodeView& view, const Replica& replica) {
        view.shown = replica.is_fully_shown();
        view.applied = replica.applied().value;
        view.groups = replica.parts().size();
        view.members = replica.member_count();
    };
    NodeView& self = views.emplace_back();
    self.node = self_info();
    view_table(self, replicas.own());
    self.known = self.applied;
    for (const auto& [name, peer] : peers.all()) {
        NodeView& view = views.emplace_back();
        view.node = peer.info();
        view.state_age = age(now, peer.state_since);
        view.heard_age = age(now, peer.heard_at);
        if (peers.is_hearing(peer) && !peers.is_hearing_directly(peer)) view.via = peer.relay;
        view.silent_channels = channels.faults_of(peer);
        if (const auto replica = replicas.table_of(peer.record.id)) view_table(view, *replica);
        view.known = std::max(view.applied, replicas.known(peer.record.id).value);
        if (const Link* link = links.find(peer.record.id)) {
            view.notices_sent = link->notices_sent();
            view.notices_received = link->notices_received();
            view.waiting = link->items() + link->losses();
        }
    }
    std::sort(views.begin(), views.end(), [](const NodeView& a, const NodeView& b) { return a.node.id < b.node.id; });
    return views;
}

GroupsPart Core::Impl::groups_part(std::uint64_t from, std::uint64_t most) const {
    const GroupIndex& groups = replicas.groups();
    const std::uint64_t end = std::min<std::uint64_t>(groups.limit(), from + most);
    GroupsPart part;
    for (auto ref = static_cast<GroupRef>(from); ref < end; ++ref) {
        std::uint64_t members = 0;
        replicas.for_each_shown_in(ref, [&](const Replica&, const MemberList& list) { members += list.size(); });
        if (members > 0) part.groups.push_back({groups.name(ref), members});
    }
    part.next = end < groups.limit() ? end : 0;
    return part;
}

// ---- the public face -------------------------------------------------------------

const NodeId& Core::self() const {
    return impl_->ctx.self;
}
bool Core::is_ready() const {
    return impl_->ready;
}

std::vector<Member> Core::members(const Group& group, bool local) const {
    return members_of(impl_->replicas, group, local ? impl_->ctx.self.name : std::string());
}

std::vector<GroupInfo> Core::groups() const {
    return impl_->groups();
}
std::vector<NodeInfo> Core::nodes() const {
    return impl_->nodes();
}
Status Core::status() const {
    return impl_->status();
}
const Durations& Core::durations() const {
    return impl_->ctx.durations;
}
bool Core::is_busy() const {
    return impl_->replicas.has_backlog() || impl_->local.wants_flush() || !impl_->queries.empty() ||
           impl_->replays.wants_flush();
}
bool Core::is_drained() const {
    // Nodes to which workers have gone ask this one for what it has sent, and again after kReplayAskAgain.
    const Impl& impl = *impl_;
    if (!impl.draining || impl.stopped) return impl.stopped;
    const Duration quiet = impl.had_workers ? 2 * kReplayAskAgain : 2 * impl.ctx.options.timing.tick;
    return impl.ctx.now - impl.drain_quiet_since >= quiet;
}
Seq Core::applied(const std::string& node) const {
    return impl_->replicas.applied(node);
}

std::map<std::string, std::uint64_t> Core::counters() const {
    return impl_->counters();
}
std::vector<NodeView> Core::views(Instant now) const {
    return impl_->views(now);
}
GroupsPart Core::groups_part(std::uint64_t from, std::uint64_t most) const {
    return impl_->groups_part(from, most);
}
MembersPart Core::members_part(const Group& group, std::uint64_t from, std::uint64_t most) const {
    return muster::cluster::members_part(impl_->replicas, group, from, most);
}
std::vector<Change> Core::changes(std::uint64_t version, Instant now) const {
    return impl_->ctx.journal.since(version, now);
}

}  // namespace muster::cluster
