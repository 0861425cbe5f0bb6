#include "cluster/workers/watches.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/base/wire_size.hpp"

namespace muster::cluster {
namespace {

constexpr GroupRef kGroupsPerTurn = 4096;  // that walks look at
constexpr GroupRef kPartCost = 64;         // of a part with thousands of members, as many groups

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
    const Session* session = sessions_.find(request.token);
    if (!session) return Done{};
    const bool all = ref == kNoGroup;
    walks_[request] = {
        all ? 0 : ref, {}, all ? kNoGroup : ref + 1, {}, Drawn(ctx_.memory, memory_of(session->share()))};
    ready_.insert(request.token);
    return Done{};
}

Result<Done> Watches::unwatch(SessionToken token, std::uint64_t number) {
    const auto it = remote_.find({token, number});
    if (it == remote_.end()) return Error{ErrorCode::bad_request, "there is no such watch, or it has ended already"};
    by_group_[it->second].remote.erase(it->first);
    walks_.erase(it->first);
    end(it->second);
    remote_.erase(it);
    return Done{};
}

void Watches::session_ended(SessionToken token) {
    ready_.erase(token);
    for (auto it = remote_.lower_bound({token, 0}); it != remote_.end() && it->first.token == token;) {
        by_group_[it->second].remote.erase(it->first);
        walks_.erase(it->first);
        end(it->second);
        it = remote_.erase(it);
    }
}

void Watches::push(const SessionRequest& watch, const std::shared_ptr<const WatchUpdate>& update, bool last) {
    sessions_.push(watch.token, WatchPart{watch.number, update, {}, update->end(), last}, update->bytes());
}

// ---- snapshots for workers -----------------------------------------------------------

void Watches::flush() {
    for (const SessionToken token : sessions_.take_roomy()) ready_.insert(token);
    GroupRef budget = kGroupsPerTurn;
    while (!ready_.empty() && budget > 0) {
        const auto next = ready_.upper_bound(last_);  // after the end, the first
        last_ = next == ready_.end() ? *ready_.begin() : *next;
        budget -= std::min(budget, kPartCost);
        if (!walk_on(last_, budget)) ready_.erase(last_);
    }
}

/// Continues the oldest walk of a session by one part. False if it has none, or has to wait.
bool Watches::walk_on(SessionToken token, GroupRef& budget) {
    Session* session = sessions_.find(token);
    const auto at = walks_.lower_bound({token, 0});
    if (!session || at == walks_.end() || at->first.token != token) return false;
    const std::size_t room = session->room_for_part();
    session->waits_for_room = room == 0;
    if (room > 0) walk_on(at, room, budget);
    return room > 0;
}

/// Pushes the next part, of about `most` bytes on the wire, or none if the budget is used up before there is any.
void Watches::walk_on(Walks::iterator at, std::size_t most, GroupRef& budget) {
    const SessionRequest watch = at->first;
    Walk& walk = at->second;
    WatchUpdate part;
    std::size_t size = 0;
    const GroupIndex& groups = replicas_.groups();
    const GroupRef end = std::min(walk.end, groups.limit());
    for (; walk.next < end && size < most && budget > 0; --budget) {
        if (!groups.holders(walk.next).empty()) {
            GroupRuns runs(groups.name(walk.next));
            std::size_t members = 0;
            const bool done = add_members(replicas_, walk.next, walk.place, most - size, members, runs);
            size += wire_size(runs.group()) + members;
            if (runs.size() > 0) part.groups.push_back(std::move(runs));
            if (!done) break;
        }
        ++walk.next;
        walk.place = {};
    }
    const bool is_over = walk.next >= end;
    const auto later = is_over ? std::exchange(walk.later, {}) : decltype(walk.later)();
    if (is_over) walks_.erase(at);
    // A push may end the session. Its watches stand until session_ended().
    if (is_over || !part.groups.empty()) push(watch, std::make_shared<const WatchUpdate>(std::move(part)), is_over);
    for (const auto& update : later) push(watch, update);
}

/// During a walk: keeps what changed where it has passed. What changed elsewhere is in a part to come. False if the
/// watch has no walk.
bool Watches::keep_for_later(const SessionRequest& watch, const GroupUpdate& update) {
    const auto at = walks_.find(watch);
    if (at == walks_.end()) return false;
    Walk& walk = at->second;
    auto event = passed(walk, update);
    if (!event) return true;
    const std::size_t more = event->bytes();
    const bool has_room = walk.bytes.has_room(more) || walk.bytes.amount() + more <= kLeastForWatches;
    walk.bytes += more;
    walk.later.push_back(std::move(event));
    // Half of the backlog: at the end of the walk the changes join what is there of the snapshot.
    const Bounds& bounds = ctx_.options.bounds;
    if (!has_room || walk.bytes.amount() > bounds.backlog_bytes / 2 || walk.later.size() > bounds.backlog_items / 2)
        sessions_.give_up(watch.token, "it does not keep up with its watches");
    return true;
}

/// The part of an update where the walk has passed. Null: the walk has passed none of it.
std::shared_ptr<const WatchUpdate> Watches::passed(const Walk& walk, const GroupUpdate& update) {
    if (update.ref != walk.next) return update.ref < walk.next ? update.event : nullptr;
    const GroupRuns& members = update.event->groups[0];
    const std::string& node = members.node().name;
    if (node != walk.place.node) return node < walk.place.node ? update.event : nullptr;
    WatchUpdate part{update.event->kind, update.event->reason, {}};
    part.groups.push_back(members.below(walk.place.number));
    return part.groups[0].size() == 0 ? nullptr : std::make_shared<const WatchUpdate>(std::move(part));
}

std::size_t Watches::memory() const {
    std::size_t sum = 0;
    for (const auto& [watch, walk] : walks_) sum += walk.bytes.amount();
    return sum;
}

std::optional<std::string> Watches::over_bounds() const {
    for (const auto& [watch, walk] : walks_)
        if (walk.later.size() > ctx_.options.bounds.backlog_items + 1) return "changes during a snapshot";
    return std::nullopt;
}

// ---- what has changed ----------------------------------------------------------------

void Watches::tell(const Watchers& watchers, const GroupUpdate& update) {
    if (!watchers.embedded.empty()) {
        const WatchEvent event = update.event->whole();
        for (const WatchId watch : watchers.embedded) ctx_.emit(TellWatcher{watch, event});
    }
    // A push may end a session, but its watches stand until session_ended(), so `watchers` does not change here.
    for (const auto& watch : watchers.remote)
        if (!keep_for_later(watch, update)) push(watch, update.event);
}

void Watches::tell(const std::vector<GroupUpdate>& updates) {
    const auto all = by_group_.find(kNoGroup);
    for (const auto& update : updates) {
        if (all != by_group_.end()) tell(all->second, update);
        // If nobody watches the group, its ref may be another group's by now. Refs of watched groups do not change.
        const auto one = by_group_.find(update.ref);
        if (one != by_group_.end() && replicas_.groups().name(update.ref) == update.group()) tell(one->second, update);
    }
}

}  // namespace muster::cluster
