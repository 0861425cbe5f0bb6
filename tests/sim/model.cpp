#include "tests/sim/model.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this file judges the core

namespace {

std::set<std::uint64_t> numbers_of(const std::vector<proto::NumberRun>& runs) {
    std::set<std::uint64_t> numbers;
    for (const auto& run : runs) {
        for (std::uint64_t i = 0; i < run.count; ++i) numbers.insert(run.first.value + i);
    }
    return numbers;
}

std::set<std::uint64_t> numbers_of(const std::vector<MemberNumber>& members) {
    std::set<std::uint64_t> numbers;
    for (const MemberNumber member : members) numbers.insert(member.value);
    return numbers;
}

}  // namespace

void Model::fail(const Watched& watched, const std::string& what) const {
    throw Violation(watched.life->id.name + ": " + what);
}

// ---- lives -----------------------------------------------------------------

void Model::started(Host& host) {
    Watched watched;
    watched.life = &truth_.begin(host.id());
    watched_[host.place()] = std::move(watched);
}

void Model::ended(Host& host, bool gracefully) {
    Watched& watched = watched_.at(host.place());
    watched.life->running = false;
    watched.life->graceful = gracefully;
    watched.life->ended = world_.clock.now();
    watched_.erase(host.place());
}

Life* Model::life_of(const Host& host) {
    const auto found = watched_.find(host.place());
    return found == watched_.end() ? nullptr : found->second.life;
}

std::vector<std::pair<Owner, Group>> Model::held_by_handlers(const Host& host) {
    std::vector<std::pair<Owner, Group>> held;
    const Life* life = life_of(host);
    if (!life) return held;
    for (const auto& [key, numbers] : life->held) {
        if (key.first.worker.empty()) held.push_back(key);
    }
    return held;
}

std::vector<WatchId> Model::watches(const Host& host) const {
    std::vector<WatchId> ids;
    for (const auto& [id, view] : watched_.at(host.place()).views) {
        if (id != kMainWatch.value) ids.emplace_back(id);
    }
    return ids;
}

// ---- handlers inside the nodes -----------------------------------------------

void Model::handled(const Handed& handed) {
    notices_.handled(handed.notification, *truth_.find(handed.at), {"", handed.handler.value});
}

void Model::gap(Host& host, HandlerId handler, std::uint64_t missed) {
    Watched& watched = watched_.at(host.place());
    std::uint64_t& untold = watched.untold[handler.value];
    if (missed > untold)
        fail(watched, "a handler is told of " + std::to_string(missed) + " missed of " + std::to_string(untold));
    untold -= missed;
}

void Model::dropped(Host& host, const Handed& handed) {
    watched_.at(host.place()).untold[handed.handler.value] += handed.notification.members.size();
    notices_.dropped(handed.notification, *truth_.find(handed.at), handed.awaited);
}

// ---- before a step ---------------------------------------------------------

const proto::Message* Model::door_message() const {
    if (!cause_.event) return nullptr;
    const auto* arrived = std::get_if<MessageArrived>(&*cause_.event);
    return arrived ? &arrived->message : nullptr;
}

void Model::stepping(Host& host, const EventBody& event) {
    Watched& watched = watched_.at(host.place());
    cause_ = {};
    if (const auto* lost = std::get_if<LinkLost>(&event)) watched.beliefs[lost->peer.name].lost = world_.clock.now();
    if (const auto* arrived = std::get_if<MessageArrived>(&event)) {
        if (arrived->channel == Channel::gossip || arrived->channel == Channel::control) return hear(watched, *arrived);
        if (arrived->channel == Channel::dial) return;
        cause_.event = event;
        if (const auto* asked = std::get_if<proto::MembersRequest>(&arrived->message.body))
            watched.asked[{arrived->connection.value, arrived->message.header.seq}] = {
                asked->group, asked->local, {}, {}};
        return open_request(watched, arrived->message, host);
    }
    cause_.event = event;
    open_call(watched, event, host);
}

void Model::open_call(Watched& watched, const EventBody& event, Host& host) {
    const Duration now = world_.clock.now();
    if (const auto* join = std::get_if<LocalJoin>(&event)) {
        watched.calls[join->call.value] = {
            Call::Kind::join, now + join->timeout, {}, is_bad(join->group, join->count), join->visible, 0};
    } else if (const auto* leave = std::get_if<LocalLeave>(&event)) {
        cause_.to_leave =
            watched.life->to_leave({"", leave->handler.value}, leave->group, leave->members, leave->count);
        watched.calls[leave->call.value] = {
            Call::Kind::leave, now, cause_.to_leave, is_bad(leave->group, leave->count), false, 0};
    } else if (const auto* gone = std::get_if<HandlerGone>(&event)) {
        cause_.to_leave = watched.life->all_of({"", gone->handler.value});
    } else if (const auto* notify = std::get_if<LocalNotify>(&event)) {
        const std::uint64_t number = number_of(notify->data);
        notices_.taken(number, *watched.life, {}, notify->kind, notify->group,
                       host.core().members(notify->group, false), now);
        watched.calls[notify->call.value] = {
            Call::Kind::notify, now + notify->timeout, {}, false, notify->wait, number};
    } else if (const auto* watch = std::get_if<LocalWatch>(&event)) {
        const std::string name = host.name() + " #" + std::to_string(watch->watch.value);
        watched.views.emplace(watch->watch.value, View(name, watch->group));
    } else if (const auto* unwatch = std::get_if<LocalUnwatch>(&event)) {
        watched.views.erase(unwatch->watch.value);
    }
}

void Model::open_request(Watched& watched, const proto::Message& message, Host& host) {
    const Owner owner{message.header.origin, message.header.incarnation};
    if (const auto* forget = std::get_if<proto::ForgetRequest>(&message.body)) watched.beliefs.erase(forget->node);
    if (const auto* leave = std::get_if<proto::LeaveRequest>(&message.body)) {
        cause_.to_leave = watched.life->to_leave(owner, leave->group, leave->members, leave->count);
    } else if (std::holds_alternative<proto::WorkerGoodbye>(message.body)) {
        cause_.to_leave = watched.life->all_of(owner);
    } else if (const auto* notify = std::get_if<proto::NotifyRequest>(&message.body)) {
        const std::uint64_t number = number_of(notify->data);
        notices_.taken(number, *watched.life, owner, notify->kind, notify->group,
                       host.core().members(notify->group, false), world_.clock.now(), notify->repeated);
    }
}

// ---- after a step ----------------------------------------------------------

void Model::stepped(Host& host, const Actions& actions) {
    Watched& watched = watched_.at(host.place());
    for (const Action& action : actions) {
        if (const auto* changed = std::get_if<IdentityChanged>(&action)) see_new_life(watched, changed->self);
        const auto* told = std::get_if<TellWatcher>(&action);
        if (told && told->watch == kMainWatch) {
            own_changes(watched, told->event);
            see_members_of_workers(watched, told->event);
        }
    }
    if (!cause_.joined.empty()) wait_for_all(watched, host);
    for (const Action& action : actions) see(watched, host, action);
    const proto::Message* message = door_message();
    const auto* notify = message ? std::get_if<proto::NotifyRequest>(&message->body) : nullptr;
    if (notify && cause_.unknown_session) notices_.not_taken(number_of(notify->data), *watched.life);
    hear_worker(watched);
    judge_joins(watched);
    judge_leaves(watched, host);
    check_log(watched, host);
    if (++watched.steps % world_.profile.check_every == 0) compare_views(host);
}

void Model::see_new_life(Watched& watched, const NodeId& id) {
    cause_.earlier_life = watched.life->id;
    cause_.parted.emplace(id.name, NodeState::left);
    watched.refuting.reset();
    watched.life->went_on = true;
    if (watched.life->ever.empty()) return truth_.rename(*watched.life, id);
    watched.life->ended = world_.clock.now();
    watched.life = &truth_.succeed(*watched.life, id);
    ++world_.coverage.marks["incarnation adopted with members"];
}

/// What the node's own watcher is told of its own members must follow from the event of this step.
void Model::own_changes(Watched& watched, const WatchEvent& event) {
    for (const GroupMembers& part : event.groups) {
        for (const Member& member : part.members) {
            if (member.id.node != watched.life->id) continue;
            const bool kept = cause_.earlier_life && watched.life->stands(member.id.number.value);
            if (event.kind == WatchEvent::Kind::join && !kept) {
                bind(watched, part.group, member);
            } else if (event.kind == WatchEvent::Kind::leave) {
                watched.life->leave(member.id.number.value, event.reason);
                cause_.left.emplace(member.id.number.value, event.reason);
            }
        }
    }
}

/// Members of workers that come and go in this node's table: what it sends meanwhile may be owed to them.
void Model::see_members_of_workers(const Watched& watched, const WatchEvent& event) {
    const bool lost = event.kind == WatchEvent::Kind::leave && event.reason != Reason::left;
    for (const GroupMembers& part : event.groups)
        for (const Member& member : part.members) {
            const Life* life = member.worker.empty() ? nullptr : truth_.find(member.id.node);
            if (!life) continue;
            const MemberKey key{life->index, member.id.number.value};
            if (lost)
                continuity_.lost(watched.life->index, key, part.group, world_.clock.now());
            else if (event.kind != WatchEvent::Kind::leave)
                continuity_.shown(watched.life->index, key, world_.clock.now());
        }
}

void Model::bind(Watched& watched, const Group& group, const Member& member) {
    std::uint64_t owner = 0;
    const proto::Message* message = door_message();
    if (const auto* join = cause_.event ? std::get_if<LocalJoin>(&*cause_.event) : nullptr) {
        owner = join->handler.value;
        if (!member.worker.empty() || join->group != group || join->meta != member.meta)
            fail(watched, "a join differs from its call");
    } else if (message && std::holds_alternative<proto::JoinRequest>(message->body)) {
        const auto& request = std::get<proto::JoinRequest>(message->body);
        owner = message->header.incarnation;
        if (member.worker != message->header.origin || request.group != group || request.meta != member.meta)
            fail(watched, "a join differs from its request");
    } else if (message && std::holds_alternative<proto::RejoinRequest>(message->body)) {
        const auto& request = std::get<proto::RejoinRequest>(message->body);
        owner = message->header.incarnation;
        const bool asked = std::any_of(request.joins.begin(), request.joins.end(),
                                       [&](const auto& one) { return one.meta == member.meta.get(); });
        if (member.worker != message->header.origin || request.group != group || !asked)
            fail(watched, "a join differs from its request");
        continuity_.rejoined(member.worker, owner, group, {watched.life->index, member.id.number.value},
                             world_.clock.now());
    } else {
        fail(watched, "a member appears that nobody asked for: " + muster::to_string(member.id));
    }
    cause_.joined.push_back(member.id.number.value);
    TrueMember real;
    real.group = group;
    real.owner = {member.worker, owner};
    real.meta = member.meta;
    watched.life->join(member.id.number.value, std::move(real));
}

void Model::see(Watched& watched, Host& host, const Action& action) {
    if (const auto* told = std::get_if<TellWatcher>(&action)) {
        const auto view = watched.views.find(told->watch.value);
        if (view == watched.views.end()) fail(watched, "tells a watcher that has ended");
        view->second.take(told->event, truth_);
        if (told->event.continued) ++world_.coverage.marks["snapshot for a watcher inside a node in parts"];
        see_reasons(watched, told->event);
    } else if (const auto* answer = std::get_if<Answer>(&action)) {
        see_answer(watched, *answer);
    } else if (const auto* send = std::get_if<SendDoor>(&action)) {
        see_reply(watched, host, *send);
    } else if (const auto* gap = std::get_if<DeliverGap>(&action)) {
        ++world_.coverage.marks["handler told of a loss on a link"];
        notices_.gap(*watched.life, {"", gap->handler.value}, gap->missed);
    } else if (const auto* note = std::get_if<Note>(&action)) {
        see_note(watched, host, *note);
    } else if (std::holds_alternative<Stop>(action)) {
        judge_stop(watched, host);
    } else if (const auto* connect = std::get_if<ConnectPeer>(&action)) {
        judge_connect(watched, *connect);
    } else if (const auto* disconnect = std::get_if<DisconnectPeer>(&action)) {
        std::erase_if(watched.at_gossip, [&](const auto& entry) { return entry.second.name == disconnect->peer; });
    } else if (const auto* publish = std::get_if<Publish>(&action)) {
        const proto::Message message = unsealed(publish->message);
        if (const auto* news = std::get_if<proto::PeerNews>(&message.body)) see_news(watched, *news);
    }
}

void Model::see_answer(Watched& watched, const Answer& answer) {
    const auto found = watched.calls.find(answer.call.value);
    if (found == watched.calls.end()) fail(watched, "answers a call twice, or one never made");
    Call call = std::move(found->second);
    watched.calls.erase(found);
    const bool failed = std::holds_alternative<Error>(answer.result);
    if (call.invalid) {
        if (!failed || std::get<Error>(answer.result).code != ErrorCode::bad_request)
            fail(watched, "lets a bad call pass");
        return;
    }
    if (const auto* joined = std::get_if<proto::JoinReply>(&answer.result)) {
        std::set<std::uint64_t> expected = call.numbers;
        const auto* join = cause_.event ? std::get_if<LocalJoin>(&*cause_.event) : nullptr;
        if (join && join->call == answer.call) {
            expected.insert(cause_.joined.begin(), cause_.joined.end());
        }
        if (call.wait && joined->unseen == 0) check_visible(watched, expected);
        if (call.kind != Call::Kind::join || numbers_of(joined->members) != expected)
            fail(watched, "answers a join with other members");
    } else if (const auto* left = std::get_if<proto::LeaveReply>(&answer.result)) {
        if (call.kind != Call::Kind::leave || numbers_of(left->members) != call.numbers || call.numbers.empty()) {
            fail(watched, "answers a leave with other members than " + to_text(call.numbers));
        }
    } else if (const auto* report = std::get_if<NotifyReport>(&answer.result)) {
        if (call.kind != Call::Kind::notify) fail(watched, "answers a call with a report");
        notices_.answered(call.notification, *report, call.wait);
    } else if (const auto* error = std::get_if<Error>(&answer.result)) {
        const bool none_joined =
            call.kind == Call::Kind::leave && call.numbers.empty() && error->code == ErrorCode::not_joined;
        if (!none_joined && error->code != ErrorCode::overloaded) fail(watched, "refuses a good call: " + error->text);
        if (call.kind == Call::Kind::notify) notices_.refused(call.notification);
    } else {
        fail(watched, "answers a call with nothing");
    }
}

void Model::wait_for_all(Watched& watched, Host& host) {
    Awaited& awaited = watched.awaited[cause_.joined.front()];
    awaited.since = world_.clock.now();
    for (const NodeInfo& info : host.core().nodes()) {
        const bool live = info.state == NodeState::alive || info.state == NodeState::suspect;
        if (live && info.id != watched.life->id) awaited.nodes.insert(info.id);
    }
}

/// A join that waited to be visible: every node that was believed live, and was not given up since, has it.
void Model::check_visible(Watched& watched, const std::set<std::uint64_t>& numbers) {
    const auto awaited = numbers.empty() ? watched.awaited.end() : watched.awaited.find(*numbers.begin());
    if (awaited == watched.awaited.end()) return;
    ++world_.coverage.marks["join seen by all"];
    for (const NodeId& id : awaited->second.nodes) {
        const Host* host = world_.host_of(id.name);
        if (!host->running() || host->id() != id || watched.parted[id.name] >= awaited->second.since) continue;
        Watched& there = watched_.at(host->place());
        const auto parted = there.parted.find(watched.life->id.name);
        if (parted != there.parted.end() && parted->second >= awaited->second.since) continue;  // it gave up meanwhile
        const auto& parts = there.views.at(kMainWatch.value).parts();
        const auto part = parts.find(watched.life->id);
        for (const std::uint64_t number : numbers) {
            const bool has = part != parts.end() && part->second.numbers.contains(number);
            if (!has && watched.life->stands(number)) {
                fail(watched, "calls member " + std::to_string(number) + " visible, but " + id.name + " has it not");
            }
        }
    }
}

void Model::see_reply(Watched& watched, Host& host, const SendDoor& send) {
    const proto::Message& message = send.message;
    const NodeId from{message.header.origin, Incarnation{message.header.incarnation}};
    if (from != watched.life->id && from != cause_.earlier_life) {
        fail(watched, "speaks to a worker under another name");
    }
    if (const auto* welcome = std::get_if<proto::WorkerWelcome>(&message.body))
        watched.spoke[welcome->token.value] = world_.clock.now();
    if (const auto* refusal = std::get_if<proto::Refuse>(&message.body)) {
        cause_.refused = true;
        cause_.unknown_session = cause_.unknown_session || refusal->code == ErrorCode::unknown_session;
    }
    const proto::Message* request = door_message();
    const bool now = request && request->header.seq == message.header.seq &&
                     std::get<MessageArrived>(*cause_.event).connection == send.connection;
    if (const auto* left = std::get_if<proto::LeaveReply>(&message.body)) {
        if (now && !cause_.left.empty() && numbers_of(left->members) != cause_.to_leave) {
            fail(watched, "answers a worker's leave with other members than " + to_text(cause_.to_leave));
        }
    } else if (const auto* joined = std::get_if<proto::JoinReply>(&message.body)) {
        std::set<std::uint64_t> expected;
        expected.insert(cause_.joined.begin(), cause_.joined.end());
        if (!now && joined->unseen == 0) check_visible(watched, numbers_of(joined->members));
        if (now && !expected.empty() && numbers_of(joined->members) != expected)
            fail(watched, "answers a worker's join with other members");
    } else if (std::holds_alternative<proto::MembersReply>(message.body)) {
        see_members(watched, host, send);
    }
}

/// An answer whose parts leave in one step is the table of that step. Otherwise it has every member that is there all
/// the time, and none twice.
void Model::see_members(Watched& watched, Host& host, const SendDoor& send) {
    const auto asked = watched.asked.find({send.connection.value, send.message.header.seq});
    if (asked == watched.asked.end()) fail(watched, "answers a members request that was not made");
    Asked& answer = asked->second;
    const auto& reply = std::get<proto::MembersReply>(send.message.body);
    const auto table = host.core().members(answer.group, answer.local);
    if (answer.parts++ == 0) {
        answer.first = table;
        answer.step = watched.steps;
    }
    answer.told.insert(answer.told.end(), reply.members.begin(), reply.members.end());
    if (!reply.last) return;
    const bool at_once = answer.step == watched.steps;
    if (!at_once) ++world_.coverage.marks["answer in several turns"];
    if (at_once && answer.told != table) fail(watched, "answers a members request with something else than its table");
    std::set<MemberId> told;
    for (const Member& member : answer.told)
        if (!told.insert(member.id).second) fail(watched, "tells of a member twice in one answer");
    std::set<MemberId> stayed;
    for (const Member& member : answer.first) stayed.insert(member.id);
    for (const Member& member : table)
        if (stayed.contains(member.id) && !told.contains(member.id))
            fail(watched, "leaves out a member that was there all the time");
    watched.asked.erase(asked);
}

void Model::see_note(Watched& watched, Host& host, const Note& note) {
    const Duration now = world_.clock.now();
    judge_note(watched, host, note);
    if (note.kind == Note::Kind::overflow) cause_.overflowed.insert(note.node);
    if (note.kind != Note::Kind::node_down && note.kind != Note::Kind::node_left) return;
    watched.parted[note.node] = now;
    const Host* other = world_.host_of(note.node);
    if (world_.profile.calm && other && other->running() && host.running()) {
        fail(watched, "declares " + note.node + " dead, which is well");
    }
}

}  // namespace muster::sim
