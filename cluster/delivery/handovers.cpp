#include "cluster/delivery/handovers.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/saturating.hpp"

namespace muster::cluster {
namespace {

// A node that died so long before a worker lost its own had delivered what it sent: its peers repeat to each other.
constexpr Duration kSettled = std::chrono::seconds(1);
constexpr Duration kRequestTravels = std::chrono::seconds(5);  // at most, or its ages are too low
constexpr Duration kRemembersEnds = std::chrono::minutes(10);  // of lives; longer than any worker is away and promised
constexpr std::size_t kMoverBytes = 256;
constexpr std::size_t kWaitBytes = 160;
constexpr std::size_t kEntriesPerRequest = 512;  // with the longest names they fit a frame

Routes::SharedMembers members_of(const Routes::Route& route, SessionToken token) {
    for (const auto& [session, members] : route.sessions)
        if (session == token) return members;
    return nullptr;
}

}  // namespace

// ---- beginning -----------------------------------------------------------------------

/// Whether the death of a node may have cost this worker notifications: it died at about the time when the worker lost
/// its own node, so that neither can tell. What the worker's own node sent is no such case: its notifiers, which have
/// lost it, too, repeat what was not settled.
bool Handovers::may_have_lost(const NodeId& origin, const proto::RejoinRequest& request) const {
    if (origin == request.node || origin.name == ctx_.self.name) return false;
    const auto ended = ended_.find(origin);
    const Peer* peer = peers_.find(origin.name);
    if (ended == ended_.end() && peer && peer->record.id == origin && peer->is_live()) return false;
    // A life that this node has not seen end had ended before this node began, and before the next life of its name.
    Instant at = ended == ended_.end() ? ctx_.began_at : ended->second;
    if (peer && origin.incarnation < peer->record.id.incarnation) at = std::min(at, peer->began_at);
    return ctx_.now - at <= duration_of(request.away_ms) + kSettled;
}

Handovers::SharedMover Handovers::make_mover(const Session& session, const proto::RejoinRequest& request,
                                             const std::vector<proto::NumberRun>& joined) const {
    auto mover = std::make_shared<Mover>();
    mover->token = session.token();
    mover->group = request.group;
    mover->oldest = ctx_.now;
    mover->newest = kLongAgo;
    mover->until = ctx_.now + ctx_.options.timing.handover_window;
    for (std::size_t i = 0; i < joined.size(); ++i) {
        const Instant at = session.began_at() - duration_of(request.joins[i].age_ms);
        mover->joined.push_back({joined[i].first, joined[i].count, at});
        mover->oldest = std::min(mover->oldest, at);
        mover->newest = std::max(mover->newest, at);
    }
    for (const auto& position : request.positions) mover->positions[position.node] = position.group_seq;
    mover->memory = Drawn(ctx_.memory, memory_of(session.share()));
    mover->memory += kMoverBytes + joined.size() * sizeof(Mover::Joined) +
                     (request.positions.size() + peers_.all().size()) * kWaitBytes;
    return mover;
}

void Handovers::begin(SessionToken token, const proto::RejoinRequest& request,
                      const std::vector<proto::NumberRun>& joined) {
    const auto mover = make_mover(*sessions_.find(token), request, joined);
    ctx_.count("handovers");
    for (const auto& other : movers_)
        if (other->token == token && other->group == request.group && !other->end) other->end = joined.front().first;
    bool lost = duration_of(request.away_ms) > ctx_.options.timing.handover_window;
    if (mover->memory.has_room(0)) {
        movers_.push_back(mover);
        wait_for(ctx_.self, mover);
        // Of one that is down as well: what it has sent may still arrive, and it may return.
        for (const auto& [name, peer] : peers_.all())
            if (peer.record.state != NodeState::left && !peer.cannot_replay) wait_for(peer.record.id, mover);
    } else {
        ctx_.count("handovers_refused");
        lost = true;
    }
    for (const auto& [origin, number] : mover->positions) {
        if (!may_have_lost(origin, request)) continue;
        if (!mover->asked.contains(origin))
            lost = true;
        else if (!can_ask(origin))
            mover->doubtful.insert(origin);
    }
    if (lost) sessions_.lose(token, 0, true);
}

void Handovers::wait_for(const NodeId& origin, const SharedMover& mover) {
    mover->asked.insert(origin);
    const auto position = mover->positions.find(origin);
    const std::uint64_t after = position == mover->positions.end() ? 0 : position->second;
    Origin& of = origins_[origin];
    of.waits[mover->group].push_back({mover, after, 0, {}});
    of.has_new = true;
}

bool Handovers::can_ask(const NodeId& origin) const {
    if (origin == ctx_.self) return true;
    const Peer* peer = peers_.find(origin.name);
    return peer && peer->record.id == origin && peer->is_live() && !peer->cannot_replay;
}

// ---- asking --------------------------------------------------------------------------

bool Handovers::wants_flush() const {
    return std::any_of(origins_.begin(), origins_.end(), [&](const auto& entry) {
        return (entry.second.has_new || entry.second.ask_again_at <= ctx_.now) && can_ask(entry.first);
    });
}

void Handovers::flush() {
    for (auto& [id, origin] : origins_) {
        if (!can_ask(id)) continue;
        if (origin.ask_again_at <= ctx_.now) {
            origin.ask_again_at = ctx_.now + kReplayAskAgain;
            for (const auto& [number, request] : origin.asked) send(id, request);
        }
        while (origin.has_new) ask(id, origin);
    }
}

/// One request for all groups that have new waits, as far as they fit.
void Handovers::ask(const NodeId& id, Origin& origin) {
    proto::ReplayRequest request{id, origin.last_request + 1, replicas_.own().applied(), {}};
    origin.has_new = false;
    for (auto& [group, waits] : origin.waits) {
        proto::ReplayRequest::Entry entry{group, UINT64_MAX, 0};
        Instant oldest = ctx_.now;
        for (Wait& wait : waits) {
            if (wait.request != 0) continue;
            if (request.entries.size() == kEntriesPerRequest) {
                origin.has_new = true;
                break;
            }
            wait.request = request.number;
            entry.after = std::min(entry.after, wait.after);
            oldest = std::min(oldest, wait.mover->oldest);
        }
        if (entry.after == UINT64_MAX) continue;
        entry.age_ms = milliseconds_of(ctx_.now - oldest + kRequestTravels);
        request.entries.push_back(std::move(entry));
    }
    if (request.entries.empty()) return;
    origin.last_request = request.number;
    origin.open[request.number] = request.entries.size();
    origin.ask_again_at = std::min(origin.ask_again_at, ctx_.now + kReplayAskAgain);
    send(id, request);
    origin.asked.emplace(request.number, std::move(request));
}

void Handovers::send(const NodeId& to, const proto::ReplayRequest& request) {
    ctx_.count("replays_asked");
    origins_[to].sent_at = ctx_.now;
    if (to == ctx_.self)
        own_.push_back(request);
    else
        peers_.send(to.name, request);
}

// ---- answers -------------------------------------------------------------------------

Handovers::Wait* Handovers::find_wait(const NodeId& origin, const Group& group, SessionToken token) {
    if (origins_.empty()) return nullptr;
    const auto of = origins_.find(origin);
    if (of == origins_.end()) return nullptr;
    const auto waits = of->second.waits.find(group);
    if (waits == of->second.waits.end()) return nullptr;
    const auto found = std::find_if(waits->second.begin(), waits->second.end(),
                                    [&](const Wait& wait) { return wait.mover->token == token; });
    return found == waits->second.end() ? nullptr : &*found;
}

bool Handovers::was_had(const NodeId& origin, const proto::Notice& notice, SessionToken token) const {
    if (unanswered_.empty()) return false;
    const auto found = unanswered_.find({token, origin, notice.group});
    return found != unanswered_.end() && notice.group_seq != 0 && notice.group_seq <= found->second;
}

bool Handovers::holds_back(const NodeId& origin, const proto::Notice& notice, SessionToken token,
                           Session::Awaited awaited) {
    if (was_had(origin, notice, token)) {
        sessions_.settle(awaited, std::nullopt);
        return true;
    }
    Wait* wait = find_wait(origin, notice.group, token);
    if (!wait) return false;
    ctx_.count("notices_held_back");
    if (notice.group_seq <= wait->after)
        sessions_.settle(awaited, std::nullopt);  // the worker had it before it moved
    else if (awaited.fan_out)
        wait->held[notice.seq] = {awaited, notice.newest};
    return true;
}

void Handovers::take(const NodeId& id, const proto::Replay& part) {
    const auto at = origins_.find(id);
    if (at == origins_.end()) return;
    Origin& origin = at->second;
    const auto asked = origin.asked.find(part.request);
    if (asked == origin.asked.end()) return;
    if (asked->second.entries.empty() && part.last) return answered(origin, asked);
    if (part.entry >= asked->second.entries.size()) return;
    const proto::ReplayRequest::Entry& entry = asked->second.entries[part.entry];
    const auto waits = origin.waits.find(entry.group);
    const bool forged = std::any_of(part.notices.begin(), part.notices.end(), [&](const auto& aged) {
        return aged.notice->from_node != id || aged.notice->group != entry.group;
    });
    if (forged) return ctx_.count("notices_forged");
    if (waits != origin.waits.end()) {
        for (Wait& wait : waits->second)
            if (wait.request == part.request) take(wait, entry, part);
        if (part.last) std::erase_if(waits->second, [&](const Wait& wait) { return wait.request == part.request; });
        if (waits->second.empty()) origin.waits.erase(waits);
    }
    if (part.last && --origin.open[part.request] == 0) answered(origin, asked);
}

void Handovers::take(Wait& wait, const proto::ReplayRequest::Entry& entry, const proto::Replay& part) {
    if (part.missed > 0 || part.at_least) tell_of_missed(wait, entry.group, part, entry.after);
    for (const auto& aged : part.notices) deliver(wait, entry.group, aged);
    if (!part.last) return;
    for (const auto& [seq, held] : wait.held) sessions_.settle(held.awaited, MissReason::left);
}

void Handovers::answered(Origin& origin, Requests::iterator asked) {
    origin.open.erase(asked->first);
    origin.asked.erase(asked);
    if (origin.asked.empty()) origin.ask_again_at = kNever;
    forget_idle();
}

/// The request was for the lowest position of several sessions: each misses what is above its own. When the missing
/// ones were sent is not known, so members that joined later than others may have missed some of them, or none.
void Handovers::tell_of_missed(const Wait& wait, const Group& group, const proto::Replay& part, std::uint64_t after) {
    const auto all = receivers(*wait.mover, group, ctx_.now);
    const auto sure = receivers(*wait.mover, group, wait.mover->oldest);
    if (!all || !sure || all->empty()) return;
    const auto end = proto::saturating_sum(after, part.missed);
    const std::uint64_t missed = end - std::min(end, std::max(wait.after, after));
    if (missed == 0 && !part.at_least) return;
    ctx_.count("notices_not_remembered", missed);
    sessions_.lose(wait.mover->token, proto::saturating_product(missed, sure->size()),
                   part.at_least || sure->size() < all->size());
}

/// Those of the session's members that had joined when the notice was sent, or joined so shortly afterwards that the
/// ages do not tell. A notice seems to be younger than it is, by the time that the answer travelled, and a join older,
/// because the worker sent its age after this session began. So a member rather gets what was sent shortly before it
/// joined than that it misses something.
Routes::SharedMembers Handovers::receivers(const Mover& mover, const Group& group, Instant sent_at) {
    auto members = members_of(routes_.of(group), mover.token);
    const bool all = members && !members->empty() && mover.joined.front().first <= members->front() &&
                     (!mover.end || members->back() < mover.end) && mover.newest <= sent_at;
    if (!members || all) return members;
    std::vector<MemberNumber> some;
    for (const MemberNumber number : *members) {
        if (number < mover.joined.front().first || (mover.end && number >= mover.end)) continue;
        const auto joined = std::find_if(mover.joined.begin(), mover.joined.end(), [&](const auto& run) {
            return run.first <= number && number.value - run.first.value < run.count;
        });
        // A member that is not there has joined after the others did again.
        const Instant at =
            joined == mover.joined.end() ? mover.until - ctx_.options.timing.handover_window : joined->at;
        if (at <= sent_at) some.push_back(number);
    }
    return std::make_shared<const std::vector<MemberNumber>>(std::move(some));
}

void Handovers::deliver(Wait& wait, const Group& group, const proto::Replay::Aged& aged) {
    const proto::SharedNotice& notice = aged.notice;
    if (notice->group_seq <= wait.after) return;
    const Instant sent_at = ctx_.now - duration_of(aged.age_ms);
    const auto members = receivers(*wait.mover, group, sent_at);
    if (!members || members->empty()) return;
    Wait::Held held;
    if (const auto found = wait.held.extract(notice->seq); !found.empty()) held = found.mapped();
    ctx_.count("notifications_replayed", members->size());
    in_parts(members, [&](Routes::SharedMembers part) {
        const std::size_t size = wire_size(*notice) + part->size() * kMemberBytes;
        const auto awaited = awaited_of(*part, held.awaited.fan_out, held.newest);
        held.awaited.members -= std::min(held.awaited.members, awaited.members);
        sessions_.replay(wait.mover->token, proto::Delivery{notice, std::move(part)}, size, awaited);
    });
    sessions_.settle(held.awaited, MissReason::left);
}

// ---- ends ----------------------------------------------------------------------------

template <class Ends>
void Handovers::end_waits(const NodeId& id, Origin& origin, Ends ends) {
    for (auto& entry : origin.waits)
        std::erase_if(entry.second, [&](const Wait& wait) {
            if (!sessions_.find(wait.mover->token)) return true;
            if (!ends(wait)) return false;
            if (wait.after > 0) unanswered_[{wait.mover->token, id, entry.first}] = wait.after;
            if (wait.request == 0 && !wait.mover->doubtful.contains(id)) return true;  // it was down all the time
            ctx_.count("handovers_unanswered");
            sessions_.lose(wait.mover->token, 0, true);
            return true;
        });
    std::erase_if(origin.waits, [](const auto& entry) { return entry.second.empty(); });
}

void Handovers::forget_idle() {
    std::erase_if(origins_, [&](const auto& entry) {
        // A life that may be asked again goes on with its numbers; also one that was forgotten, until it lets this node
        // begin again (Replays::take).
        const Peer* peer = peers_.find(entry.first.name);
        const bool may_return =
            entry.first == ctx_.self || (peer && peer->record.id == entry.first) ||
            (!peer && ctx_.now - entry.second.sent_at <= ctx_.options.timing.handover_window + 2 * kRequestTravels);
        return entry.second.waits.empty() && entry.second.asked.empty() && !may_return;
    });
}

void Handovers::on(const Transition& transition) {
    if (transition.kind == Transition::Kind::up)
        ended_.erase(transition.id);
    else
        ended_.emplace(transition.id, ctx_.now);
    if (transition.kind == Transition::Kind::up)
        for (const auto& mover : movers_)
            if (sessions_.find(mover->token) && !mover->asked.contains(transition.id)) wait_for(transition.id, mover);
    for (auto& [id, origin] : origins_) {
        if (id.name != transition.id.name) continue;
        const bool is_over = transition.kind == Transition::Kind::left || transition.id != id;
        if (is_over) {
            end_waits(id, origin, [](const Wait&) { return true; });
            origin.asked.clear();
        } else if (transition.kind == Transition::Kind::up && !origin.asked.empty()) {
            origin.ask_again_at = ctx_.now;
        }
    }
}

void Handovers::tick() {
    std::erase_if(ended_, [&](const auto& entry) { return ctx_.now - entry.second > kRemembersEnds; });
    while (!movers_.empty() && movers_.front()->until <= ctx_.now) movers_.pop_front();
    std::erase_if(unanswered_, [&](const auto& entry) { return !sessions_.find(std::get<0>(entry.first)); });
    for (auto& [id, origin] : origins_) {
        const Peer* peer = peers_.find(id.name);
        const bool cannot = peer && peer->record.id == id && peer->cannot_replay;
        if (cannot) origin.waits.clear();
        end_waits(id, origin, [&](const Wait& wait) { return ctx_.now >= wait.mover->until; });
        // Nobody waits for the answers, but the origin takes requests in the order of their numbers.
        if (origin.waits.empty())
            for (auto& [number, request] : origin.asked) request.entries.clear();
    }
    forget_idle();
}

std::size_t Handovers::waiting() const {
    std::size_t sum = 0;
    for (const auto& [id, origin] : origins_)
        for (const auto& [group, waits] : origin.waits) sum += waits.size();
    return sum;
}

std::size_t Handovers::memory() const {
    std::size_t sum = 0;
    std::set<const Mover*> waiting;  // longer than in movers_
    for (const auto& mover : movers_) sum += mover->memory.amount();
    for (const auto& [id, origin] : origins_)
        for (const auto& [group, waits] : origin.waits)
            for (const Wait& wait : waits) waiting.insert(wait.mover.get());
    for (const auto& mover : movers_) waiting.erase(mover.get());
    for (const Mover* mover : waiting) sum += mover->memory.amount();
    return sum;
}

}  // namespace muster::cluster
