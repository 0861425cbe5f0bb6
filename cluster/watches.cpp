#include "cluster/watches.hpp"

#include <map>
#include <string_view>
#include <utility>

#include "cluster/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

bool covers(const Group& watched, const Group& group) {
    return watched.store.empty() || watched == group;
}

}  // namespace

std::vector<Member> members_of(const Replicator& replicator, const Group& group, const std::string& node) {
    std::vector<Member> members;
    const GroupRef ref = replicator.groups().find(group);
    if (ref == kNoGroup) return members;
    std::map<std::string_view, const Replica*> by_name;
    std::size_t count = 0;
    replicator.for_each_shown([&](const Replica& replica) {
        if (!node.empty() && replica.id().name != node) return;
        const auto it = replica.groups().find(ref);
        if (it == replica.groups().end()) return;
        by_name.emplace(replica.id().name, &replica);
        count += it->second.size();
    });
    members.reserve(count);
    for (const auto& [name, replica] : by_name)
        for (const Entry& entry : replica->groups().at(ref).entries()) members.push_back(replica->member(entry));
    return members;
}

std::map<Group, std::uint64_t> group_sizes(const Replicator& replicator) {
    std::map<Group, std::uint64_t> sizes;
    replicator.for_each_shown([&](const Replica& replica) {
        for (const auto& [ref, list] : replica.groups()) sizes[replicator.groups().name(ref)] += list.size();
    });
    return sizes;
}

WatchEvent Watches::snapshot(const Group& group) const {
    WatchEvent event{WatchEvent::Kind::snapshot, Reason::left, {}};
    if (!group.store.empty()) {
        auto members = members_of(replicator_, group);
        if (!members.empty()) event.groups.push_back({group, std::move(members)});
        return event;
    }
    for (const auto& [name, size] : group_sizes(replicator_))
        event.groups.push_back({name, members_of(replicator_, name)});
    return event;
}

void Watches::watch(WatchId watch, const Group& group) {
    embedded_[watch] = group;
    ctx_.emit(TellWatcher{watch, snapshot(group)});
}

Result<Done> Watches::watch(const SessionRequest& request, const Group& group) {
    const auto first = remote_.lower_bound({request.token, 0});
    const auto last = remote_.upper_bound({request.token, UINT64_MAX});
    if (static_cast<std::size_t>(std::distance(first, last)) >= ctx_.options.bounds.watches_per_session)
        return Error{ErrorCode::overloaded, "this worker has as many watches as it may: end some first"};
    remote_[request] = group;
    push(request, snapshot(group));
    return Done{};
}

Result<Done> Watches::unwatch(SessionToken token, std::uint64_t number) {
    if (remote_.erase({token, number}) == 0)
        return Error{ErrorCode::bad_request, "no such watch: it has ended already"};
    return Done{};
}

void Watches::session_ended(SessionToken token) {
    remote_.erase(remote_.lower_bound({token, 0}), remote_.upper_bound({token, UINT64_MAX}));
}

void Watches::push(const SessionRequest& watch, const WatchEvent& event) {
    proto::WatchNews part{watch.number, {event.kind, event.reason, {}}, false};
    std::size_t size = 0;
    const auto send = [&](bool last) {
        part.last = last;
        sessions_.push(watch.token, part, size + 64);
        part.event.groups.clear();
        size = 0;
    };
    for (const auto& group : event.groups) {
        part.event.groups.push_back({group.group, {}});
        size += wire_size(group.group);
        for (const auto& member : group.members) {
            if (size > limits::kChunkBytes) {
                send(false);
                part.event.groups.push_back({group.group, {}});
            }
            size += wire_size(member);
            part.event.groups.back().members.push_back(member);
        }
    }
    send(true);
}

void Watches::tell(const std::vector<Merge>& merges) {
    if (embedded_.empty() && remote_.empty()) return;
    for (const auto& merge : merges) {
        const WatchEvent event{merge.kind, merge.reason, {{merge.group, merge.members}}};
        for (const auto& [watch, group] : embedded_)
            if (covers(group, merge.group)) ctx_.emit(TellWatcher{watch, event});
        // A push can end a session, but only marks it: remote_ stands until session_ended.
        for (const auto& [watch, group] : remote_)
            if (covers(group, merge.group)) push(watch, event);
    }
}

}  // namespace muster::cluster
