#include "cluster/replication/replicas.hpp"

#include <utility>

#include "cluster/base/random.hpp"
#include "cluster/check.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {

Replicas::Replicas(Context& context, Peers& peers)
    : ctx_(context),
      peers_(peers),
      groups_(context.options.index_hash, mix64(~context.options.random_seed)),
      updates_(context.journal, context.now),
      shared_{context, updates_, {groups_, context.options.bounds, mix64(context.options.random_seed), total_}},
      own_(context, peers, shared_.setup, updates_) {}

// ---- copies ----------------------------------------------------------------------

const Copy* Replicas::find(const std::string& node) const {
    const auto it = copies_.find(node);
    return it == copies_.end() ? nullptr : &it->second;
}

Copy* Replicas::find(const NodeId& origin) {
    const auto it = copies_.find(origin.name);
    return it == copies_.end() || it->second.origin() != origin ? nullptr : &it->second;
}

void Replicas::apply(proto::Deltas deltas) {
    Copy* copy = find(deltas.about);
    if (!copy) return ctx_.count("deltas_of_strangers");
    copy->apply(std::move(deltas));
}

void Replicas::on(const Transition& transition) {
    const NodeId& id = transition.id;
    if (transition.kind != Transition::Kind::up) {
        const bool left = transition.kind == Transition::Kind::left;
        if (Copy* copy = find(id)) copy->origin_gone(left ? Reason::node_left : Reason::node_down);
        // A node that has left does not return in this life. One that is down may: its copy is kept.
        if (left && find(id)) copies_.erase(id.name);
        return;
    }
    if (const Copy* earlier = find(id.name); earlier && earlier->origin() != id) {
        // Peers has ended the earlier life first, which has hidden its table.
        MUSTER_CHECK(!earlier->replica()->is_shown());
        copies_.erase(id.name);
    }
    shared_.hide_retired(id.name);
    copies_.try_emplace(id.name, shared_, id).first->second.origin_up(transition.seq);
}

void Replicas::forget() {
    std::erase_if(copies_, [&](const auto& entry) { return !entry.second.is_live() && !peers_.find(entry.first); });
    shared_.has_backlog = shared_.has_backlog || !shared_.retired.empty();
}

// ---- lookups ---------------------------------------------------------------------

Replicas::Totals Replicas::totals() const {
    Totals totals{groups_.shown_groups(), own().member_count()};
    for (const auto& [name, copy] : copies_) totals.members += copy.replica()->visible_members();
    for (const auto& table : shared_.retired) totals.members += table->visible_members();
    return totals;
}

const Replica* Replicas::shown(const std::string& node) const {
    if (node == own().id().name) return &own();
    const Copy* copy = find(node);
    return copy && copy->replica()->is_fully_shown() ? copy->replica().get() : nullptr;
}

std::shared_ptr<const Replica> Replicas::table_of(const NodeId& origin) const {
    if (origin == own().id()) return own_.replica();
    const Copy* copy = find(origin.name);
    return copy && copy->origin() == origin ? copy->replica() : nullptr;
}

Seq Replicas::applied(const std::string& node) const {
    if (node == own().id().name) return own().applied();
    const Copy* copy = find(node);
    return copy ? copy->replica()->applied() : Seq{};
}

Seq Replicas::known(const NodeId& origin) const {
    const Copy* copy = find(origin.name);
    return copy && copy->origin() == origin ? copy->known() : Seq{};
}

SyncProgress Replicas::progress() const {
    SyncProgress progress;
    for (const auto& [name, copy] : copies_)
        if (copy.is_live()) copy.add_to(progress);
    return progress;
}

void Replicas::check() const {
    own().check();
    for (const auto& [name, copy] : copies_) {
        copy.check();
        MUSTER_CHECK(copy.origin().name == name);
    }
    for (const auto& table : shared_.retired) table->check();
    Totals walked;
    for (GroupRef group = 0; group < groups_.limit(); ++group) {
        std::uint64_t members = 0;
        for_each_shown_in(group, [&](const Replica&, const MemberList& list) { members += list.size(); });
        walked.groups += members > 0 ? 1 : 0;
        walked.members += members;
    }
    MUSTER_CHECK(totals() == walked);
}

std::optional<std::string> Replicas::over_bounds() const {
    if (own().log().size() > ctx_.options.bounds.log_deltas) return "own log";
    for (const auto& [name, copy] : copies_)
        if (auto over = copy.over_bounds()) return over;
    // What a share allows beyond `all` is less than as much again: see Share.
    const Bounds& bounds = ctx_.options.bounds;
    if (total_.members > 2 * bounds.all_members + limits::kMembersPerFrame) return "members of all tables";
    if (total_.log_bytes > 2 * bounds.all_log_bytes + limits::kFrame) return "bytes of all logs";
    if (shared_.work >= bounds.table_work + shared_.last_work) return "work of a turn";
    if (shared_.early_bytes > 2 * bounds.all_early_bytes) return "bytes of all early deltas";
    return std::nullopt;
}

}  // namespace muster::cluster
