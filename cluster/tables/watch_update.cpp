#include "cluster/tables/watch_update.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"

namespace muster::cluster {

void GroupRuns::add(const NodeId& node, const Run& run, const OwnerTable& owners) {
    if (nodes_.empty() || nodes_.back() != node) nodes_.push_back(node);
    runs_.push_back({run.first, run.count, static_cast<std::uint32_t>(nodes_.size() - 1), owners.share(run.tag)});
    size_ += run.count;
}

std::size_t GroupRuns::bytes() const {
    return sizeof *this + nodes_.size() * sizeof(NodeId) + runs_.size() * sizeof(Members);
}

std::size_t GroupRuns::wire_size_in(const Members& run) const {
    return wire_size(nodes_[run.node], run.owner->worker, run.owner->meta);
}

GroupRuns GroupRuns::below(MemberNumber number) const {
    GroupRuns part(group_);
    part.nodes_ = nodes_;
    for (Members run : runs_) {
        if (run.first >= number) continue;
        run.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(run.count, number.value - run.first.value));
        part.size_ += run.count;
        part.runs_.push_back(std::move(run));
    }
    return part;
}

void GroupRuns::append(const Members& run, std::uint32_t from, std::uint32_t to, std::vector<Member>& members) const {
    for (std::uint32_t i = from; i < to; ++i)
        members.push_back({{nodes_[run.node], run.first.plus(i)}, run.owner->worker, run.owner->meta});
}

std::size_t WatchUpdate::bytes() const {
    std::size_t sum = sizeof *this;
    for (const auto& group : groups) sum += group.bytes();
    return sum;
}

WatchUpdate::Place WatchUpdate::cut(Place from, std::size_t most, std::size_t& size) const {
    const std::size_t bound = size + most;
    for (Place at = from; at.group < groups.size(); at = {at.group + 1, 0, 0}) {
        const GroupRuns& group = groups[at.group];
        size += wire_size(group.group());
        for (; at.run < group.runs().size(); ++at.run, at.done = 0) {
            const auto& run = group.runs()[at.run];
            if (size >= bound && at != from) return at;
            const std::size_t each = group.wire_size_in(run);
            const std::size_t room = bound > size ? (bound - size + each - 1) / each : 1;  // at least one is taken
            const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(room, run.count - at.done));
            size += taken * each;
            at.done += taken;
            if (at.done < run.count) return at;
        }
    }
    return end();
}

WatchEvent WatchUpdate::part(Place from, Place to) const {
    WatchEvent event{kind, reason, {}};
    for (Place at = from; at < to && at.group < groups.size(); at = {at.group + 1, 0, 0}) {
        const GroupRuns& group = groups[at.group];
        auto& members = event.groups.emplace_back(GroupMembers{group.group(), {}}).members;
        for (; at.run < group.runs().size() && at < to; ++at.run, at.done = 0) {
            const auto& run = group.runs()[at.run];
            const bool last = at.group == to.group && at.run == to.run;
            group.append(run, at.done, last ? to.done : run.count, members);
        }
    }
    return event;
}

}  // namespace muster::cluster
