#include "cluster/workers/watches.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "cluster/replication/lookups.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kPartOverhead = 64;  // bytes on the wire, approximately

}  // namespace

WatchEvent Watches::snapshot(const Group& group) const {
    WatchEvent event{WatchEvent::Kind::snapshot, Reason::left, {}};
    if (!group.store.empty()) {
        auto members = members_of(replicas_, group);
        if (!members.empty()) event.groups.push_back({group, std::move(members)});
        return event;
    }
    for (const auto& info : group_sizes(replicas_))
        event.groups.push_back({info.group, members_of(replicas_, info.group)});
    return event;
}

GroupRef Watches::begin(const Group& group) {
    const GroupRef ref = group.store.empty() ? kNoGroup : replicas_.groups().acquire(group);
    replicas_.groups().add_watcher(ref);
    return ref;
}

void Watches::end(GroupRef ref) {
    replicas_.groups().remove_watcher(ref);
    const auto it = by_group_.find(ref);
    if (it != by_group_.end() && it->second.embedded.empty() && it->second.remote.empty()) by_group_.erase(it);
    if (ref != kNoGroup) replicas_.groups().release(ref);
}

void Watches::watch(WatchId watch, const Group& group) {
    unwatch(watch);
    const GroupRef ref = embedded_[watch] = begin(group);
    by_group_[ref].embedded.insert(watch);
    ctx_.emit(TellWatcher{watch, snapshot(group)});
}

void Watches::unwatch(WatchId watch) {
    const auto it = embedded_.find(watch);
    if (it == embedded_.end()) return;
    by_group_[it->second].embedded.erase(watch);
    end(it->second);
    embedded_.erase(it);
}

Result<Done> Watches::watch(const SessionRequest& request, const Group& group) {
    const auto first = remote_.lower_bound({request.token, 0});
    const auto last = remote_.upper_bound({request.token, UINT64_MAX});
    if (static_cast<std::size_t>(std::distance(first, last)) >= ctx_.options.bounds.watches_per_session) {
        ctx_.count("watches_refused");
        return Error{ErrorCode::overloaded, "this worker has as many watches as it may have: end some first"};
    }
    (void)unwatch(request.token, request.number);
    const GroupRef ref = remote_[request] = begin(group);
    by_group_[ref].remote.insert(request);
    push(request, snapshot(group));
    return Done{};
}

Result<Done> Watches::unwatch(SessionToken token, std::uint64_t number) {
    const auto it = remote_.find({token, number});
    if (it == remote_.end()) return Error{ErrorCode::bad_request, "there is no such watch, or it has ended already"};
    by_group_[it->second].remote.erase(it->first);
    end(it->second);
    remote_.erase(it);
    return Done{};
}

void Watches::session_ended(SessionToken token) {
    for (auto it = remote_.lower_bound({token, 0}); it != remote_.end() && it->first.token == token;) {
        by_group_[it->second].remote.erase(it->first);
        end(it->second);
        it = remote_.erase(it);
    }
}

/// Splits the event into parts that fit a frame. A group that continues in the next part is named there again.
void Watches::push(const SessionRequest& watch, const WatchEvent& event) {
    proto::WatchNews part{watch.number, {event.kind, event.reason, {}}, false};
    std::size_t size = 0;
    const auto send = [&](bool last) {
        part.last = last;
        sessions_.push(watch.token, part, size + kPartOverhead);
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

void Watches::tell(const Watchers& watchers, const WatchEvent& event) {
    for (const WatchId watch : watchers.embedded) ctx_.emit(TellWatcher{watch, event});
    // A push may end a session, but its watches stand until session_ended(), so `watchers` does not change here.
    for (const auto& watch : watchers.remote) push(watch, event);
}

void Watches::tell(const std::vector<GroupUpdate>& updates) {
    const auto all = by_group_.find(kNoGroup);
    for (const auto& update : updates) {
        const WatchEvent event{update.kind, update.reason, {{update.group, update.members}}};
        if (all != by_group_.end()) tell(all->second, event);
        // If nobody watches the group, its ref may be another group's by now. Refs of watched groups do not change.
        const auto one = by_group_.find(update.ref);
        if (one != by_group_.end() && replicas_.groups().name(update.ref) == update.group) tell(one->second, event);
    }
}

}  // namespace muster::cluster
