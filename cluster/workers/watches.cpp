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

/// Takes a use of the group, so that its ref is not given to another.
void Watches::begin(const SessionRequest& watch, const Group& group, const SharedShare& share) {
    (void)unwatch(watch.token, watch.number);
    const GroupRef ref = group.store.empty() ? kNoGroup : replicas_.groups().acquire(group);
    replicas_.groups().add_watcher(ref);
    watches_[watch] = ref;
    by_group_[ref].insert(watch);
    Walk& walk = walks_[watch];
    walk.next = ref == kNoGroup ? 0 : ref;
    walk.end = ref == kNoGroup ? kNoGroup : ref + 1;
    walk.bytes = Drawn(ctx_.memory, memory_of(share));
    ready_.insert(watch.token);
}

Watches::Watched::iterator Watches::end(Watched::iterator watch) {
    const GroupRef ref = watch->second;
    walks_.erase(watch->first);
    replicas_.groups().remove_watcher(ref);
    const auto watchers = by_group_.find(ref);
    watchers->second.erase(watch->first);
    if (watchers->second.empty()) by_group_.erase(watchers);
    if (ref != kNoGroup) replicas_.groups().release(ref);
    return watches_.erase(watch);
}

void Watches::watch(WatchId watch, const Group& group) {
    begin({{}, watch.value}, group, ctx_.own_share);
    GroupRef budget = kGroupsPerTurn;
    while (budget > 0 && walk_on({}, budget)) budget -= std::min(budget, kPartCost);
}

Result<Done> Watches::watch(const SessionRequest& request, const Group& group) {
    const auto first = watches_.lower_bound({request.token, 0});
    const auto last = watches_.upper_bound({request.token, UINT64_MAX});
    if (static_cast<std::size_t>(std::distance(first, last)) >= ctx_.options.bounds.watches_per_session) {
        ctx_.count("watches_refused");
        return Error{ErrorCode::overloaded, "this worker has as many watches as it may have: end some first"};
    }
    if (const Session* session = sessions_.find(request.token)) begin(request, group, session->share());
    return Done{};
}

Result<Done> Watches::unwatch(SessionToken token, std::uint64_t number) {
    const auto it = watches_.find({token, number});
    if (it == watches_.end()) return Error{ErrorCode::bad_request, "there is no such watch, or it has ended already"};
    end(it);
    return Done{};
}

void Watches::session_ended(SessionToken token) {
    ready_.erase(token);
    for (auto it = watches_.lower_bound({token, 0}); it != watches_.end() && it->first.token == token;) it = end(it);
}

void Watches::push(const SessionRequest& watch, const std::shared_ptr<const WatchUpdate>& update, bool continued,
                   bool last) {
    if (watch.token)
        return sessions_.push(watch.token, WatchPart{watch.number, update, {}, update->end(), last}, update->bytes());
    WatchEvent event = update->whole();
    event.continued = continued;
    event.more = !last;
    ctx_.emit(TellWatcher{WatchId{watch.number}, std::move(event)});
}

// ---- snapshots -----------------------------------------------------------------------

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

/// Continues the oldest walk of a session, or of this process, by one part. False if it has none, or has to wait.
bool Watches::walk_on(SessionToken token, GroupRef& budget) {
    Session* session = sessions_.find(token);
    const auto at = walks_.lower_bound({token, 0});
    if ((token && !session) || at == walks_.end() || at->first.token != token) return false;
    const std::size_t room = session ? session->room_for_part() : ctx_.options.bounds.chunk_bytes;
    if (session) session->waits_for_room = room == 0;
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
    const bool continued = walk.has_begun;
    walk.has_begun = walk.has_begun || !part.groups.empty();
    const auto later = is_over ? std::exchange(walk.later, {}) : decltype(walk.later)();
    if (is_over) walks_.erase(at);
    // A push may end the session. Its watches stand until session_ended().
    if (is_over || !part.groups.empty())
        push(watch, std::make_shared<const WatchUpdate>(std::move(part)), continued, is_over);
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
    if (!watch.token) return true;  // its walk waits for nobody, and is over in some turns
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
        if (watch.token && walk.later.size() > ctx_.options.bounds.backlog_items + 1)
            return "changes during a snapshot";
    return std::nullopt;
}

// ---- what has changed ----------------------------------------------------------------

void Watches::tell(const Watchers& watchers, const GroupUpdate& update) {
    // A push may end a session, but its watches stand until session_ended(), so `watchers` does not change here.
    for (const auto& watch : watchers)
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
