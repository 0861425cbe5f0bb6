#include "cluster/core.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "cluster/check.hpp"
#include "cluster/core_impl.hpp"
#include "cluster/membership/publish.hpp"
#include "cluster/membership/seal.hpp"

namespace muster::cluster {
namespace {

constexpr Duration kReadyUnsynced = std::chrono::seconds(10);  // after the start
constexpr std::size_t kRecordsPerNews = 1024;
constexpr Duration kProofInterval = std::chrono::seconds(10);
// After this, a node has heard of all others that its peers know.
constexpr Duration kAllKnown = std::chrono::seconds(5);
constexpr int kSettleRounds = 1000;  // far more than any chain of causes is long
constexpr Duration kFirstProgress = std::chrono::seconds(1);
constexpr Duration kMaxProgressGap = std::chrono::seconds(10);

}  // namespace

Core::Impl::Impl(Options options)
    : ctx(std::move(options)),
      peers(ctx),
      discovery(ctx, peers),
      channels(ctx, peers),
      detector(ctx, peers),
      replicas(ctx, peers),
      pull_answers(ctx, peers),
      repair(ctx, peers, replicas, pull_answers),
      local(ctx, replicas),
      links(ctx, peers),
      sessions(ctx),
      watches(ctx, replicas, sessions),
      visibility(ctx, peers, replicas),
      recent(ctx, [this](const Group& group) { return replicas.has_members(group); }),
      routes(replicas, local),
      reports(ctx),
      handovers(ctx, peers, replicas, routes, sessions),
      fan_outs(ctx, routes, links, sessions, handovers, reports),
      replays(ctx, replicas, recent, links, handovers),
      notifier(ctx, replicas, recent, routes, links, fan_outs, reports) {
    ctx.proof = proof_of(ctx, peers.self_record({}));
}

// ---- events ----------------------------------------------------------------------

void Core::Impl::step(Event& event, Actions& actions) {
    if (stopped) return;
    begin(event.now, actions);
    std::visit([this](auto& body) { on(body); }, event.body);
    end();
}

Result<proto::NumberRun> Core::Impl::join(Instant now, const LocalJoin& join, Actions& actions) {
    MUSTER_CHECK(!stopped && !join.visible);
    begin(now, actions);
    auto joined = local.join(join.handler, "", join.group, join.count, join.meta, ctx.own_share);
    end();
    return joined;
}

Result<std::vector<MemberNumber>> Core::Impl::leave(Instant now, const LocalLeave& leave, Actions& actions) {
    MUSTER_CHECK(!stopped);
    begin(now, actions);
    auto left = local.leave(leave.handler, leave.group, leave.members, leave.count);
    end();
    return left;
}

void Core::Impl::begin(Instant now, Actions& actions) {
    MUSTER_CHECK(!started || now >= ctx.now);
    ctx.now = now;
    ctx.actions = &actions;
    first_action = actions.size();
    if (!std::exchange(started, true)) {
        ctx.started_at = ctx.began_at = last_step = tick_due = heartbeat_due = ctx.now;
        unseeded_ready_at = ctx.now + ctx.options.timing.ready_wait;
        unsynced_ready_at = ctx.now + kReadyUnsynced;
    }
    allow_for_lateness();
}

void Core::Impl::end() {
    if (!stopping)
        if (const auto higher = peers.namesakes().take_higher()) adopt_incarnation(*higher);
    settle();
    send_to_own_lessees();
    ctx.actions = nullptr;
}

/// Compares the time of this step with the time at which the shell should have stepped a tick. A node that ran late
/// (its machine is overloaded, or its process was stopped) heard nothing meanwhile. It must not count that as silence
/// of the others.
void Core::Impl::allow_for_lateness() {
    const Instant due = std::max(last_step, tick_due);
    last_step = std::max(last_step, ctx.now);
    if (ctx.now <= due) return;
    detector.allow_for_lateness(ctx.now - due);
    channels.allow_for_lateness(ctx.now - due);
    sessions.allow_for_lateness(ctx.now - due);
}

/// A part calls only parts before it (core_impl.hpp). What it has for later ones it keeps in a list; settle() carries
/// it there, until all lists stay empty. So no part is entered in the middle of a change, and the order of effects is
/// fixed.
void Core::Impl::settle() {
    int rounds = 0;
    while (settle_once()) MUSTER_CHECK(++rounds < kSettleRounds);
}

/// Returns whether anything moved. The order is from causes to effects: a peer's transition shows or hides its table,
/// which updates groups, which watchers and routes must know before outcomes and answers go to callers.
bool Core::Impl::settle_once() {
    bool moved = false;
    for (const auto& transition : peers.take_transitions()) {
        moved = true;
        replicas.on(transition);
        pull_answers.on(transition);
        links.on(transition);
        handovers.on(transition);
        replays.on(transition);
        reports.on(transition);
        visibility.on(transition);
    }
    replicas.updates().visit_changed([&](std::optional<Group> group) {
        group ? routes.changed(*group) : routes.clear();
        notifier.group_changed(group);
        ctx.emit(GroupChanged{std::move(group)});
    });
    replicas.updates().visit_lost([&](const std::optional<Group>& group) { recent.lost_members(group); });
    notifier.tables_changed();
    const auto updates = replicas.updates().take();
    watches.tell(updates);
    moved = moved || !updates.empty();
    // The worker asks again after a resume.
    for (const SessionToken token : sessions.take_moved()) queries.session_ended(token);
    for (const auto& ended : sessions.take_ended()) {
        moved = true;
        watches.session_ended(ended.token);
        queries.session_ended(ended.token);
        local.owner_gone(ended.token, ended.reason);
    }
    const auto outcomes = sessions.take_outcomes();
    fan_outs.record(outcomes);
    moved = moved || !outcomes.empty();
    Answers answers = reports.take_answers();
    for (auto& more : visibility.take_answers()) answers.push_back(std::move(more));
    for (auto& [caller, result] : answers) answer(caller, std::move(result));
    return moved || !answers.empty();
}

void Core::Impl::on(MessageArrived& event) {
    switch (event.channel) {
        case Channel::door:
            return on_door_message(event);
        case Channel::dial:
            return on_dial_answer(event);
        case Channel::gossip:
            return on_gossip(event.message);
        case Channel::control:
            if (is_genuine(event.message, event.sender)) on_control(event.message);
    }
}

void Core::Impl::on(const LinkUp& event) {
    ctx.count("links_up");
    peers.reopen_if_silent(event.peer);
    links.retry_now(event.peer);
    heartbeat_due = ctx.now;  // tells the new subscriber the position of the log without delay
}

void Core::Impl::on(const LocalJoin& event) {
    const auto joined = local.join(event.handler, "", event.group, event.count, event.meta, ctx.own_share);
    if (!joined) return answer(event.call, joined.error());
    proto::JoinReply reply{{*joined}, 0};
    if (event.visible)
        visibility.wait(event.call, std::move(reply), ctx.now + event.timeout, ctx.own_share);
    else
        answer(event.call, std::move(reply));
}

void Core::Impl::on(const LocalLeave& event) {
    const auto left = local.leave(event.handler, event.group, event.members, event.count);
    if (left)
        answer(event.call, proto::LeaveReply{*left});
    else
        answer(event.call, left.error());
}

void Core::Impl::on(LocalNotify& event) {
    notifier.notify(
        event.call, "", 0,
        {event.kind, std::move(event.group), std::move(event.data), event.wait, milliseconds_of(event.timeout)},
        ctx.own_share);
}

void Core::Impl::answer(const Caller& caller, CallResult result) {
    if (const auto* call = std::get_if<CallId>(&caller)) return ctx.emit(Answer{*call, std::move(result)});
    const auto& request = std::get<SessionRequest>(caller);
    std::visit(
        [&]<class T>(T& value) {
            if constexpr (std::is_same_v<T, Done>)
                sessions.reply(request, proto::DoneReply{});
            else if constexpr (std::is_same_v<T, NotifyReport>)
                sessions.reply(request, proto::NotifyReply{std::move(value), sessions.settled_call(request.token)});
            else if constexpr (std::is_same_v<T, Error>)
                sessions.reply(request, proto::ErrorReply{value.code, std::move(value.text)});
            else
                sessions.reply(request, std::move(value));
        },
        result);
}

// ---- time ------------------------------------------------------------------------

/// A tick of the shell may come at any time, and many times between two of Timing::tick. The timers run only when they
/// are due; a flush follows every one.
void Core::Impl::on(const Tick&) {
    if (ctx.now >= tick_due) tick();
    detector.check_lost_links();
    sessions.end_lost();
    settle();
    flush();
}

void Core::Impl::tick() {
    tick_due = ctx.now + ctx.options.timing.tick;
    detector.tick();
    replicas.publish(true);  // a report tells the position of the log, and nobody should pull what is about to be sent
    channels.tick(replicas.own().applied(), replicas.own().digest());
    if (peers.check_proofs() || ctx.now >= proof_due) {  // with the present key, which may have been replaced
        proof_due = ctx.now + kProofInterval;
        ctx.proof = proof_of(ctx, peers.self_record({}));
    }
    peers.connect_waiting();
    discovery.tick(replicas.own().applied());
    peers.forget_old();
    settle();  // forget() goes by the transitions of the origins
    replicas.forget();
    pull_answers.tick();
    links.tick();
    handovers.tick();
    replays.tick();
    recent.tick();
    sessions.tick();
    fan_outs.tick();
    reports.tick();
    notifier.tick();
    settle_calls();
    drain();
    end_leases();
    note_progress();
    update_ready();
}

/// A notice is settled when every other node with members has it, and the workers at this node have handled it: then
/// the death of this node alone does not lose it. Notices have their numbers in the order of the calls. A call that a
/// worker repeats may have to go to nodes that only its former node knew, as when this one has just started.
void Core::Impl::settle_calls() {
    if (!sessions.has_unsettled_calls() || handovers.waits_for_self()) return;
    const std::uint64_t lowest =
        std::min({links.lowest_notice(), sessions.lowest_own_notice(),
                  notifier.lowest_repeated(has_served_all_peers() ? kAllKnown : Duration::max())});
    if (lowest > 0) sessions.settle_up_to(std::min(recent.last_seq, lowest - 1));
}

bool Core::Impl::has_served_all_peers() const {
    bool met_one = ctx.options.seeds.empty();
    for (const auto& [name, peer] : peers.all()) {
        if (peer.record.state == NodeState::left) continue;
        if (!peer.is_live() || !notifier.has_served(peer.record.id)) return false;
        met_one = true;
    }
    return met_one;
}

/// Notes the progress of a sync that takes longer than a second, at longer and longer intervals.
void Core::Impl::note_progress() {
    const auto progress = replicas.progress();
    if (progress.is_complete()) {
        syncing_since = kNever;
    } else if (syncing_since == kNever) {
        syncing_since = ctx.now;
        progress_gap = kFirstProgress;
        progress_due = ctx.now + progress_gap;
    } else if (ctx.now >= progress_due) {
        ctx.note(Note::Kind::syncing, "", to_text(progress, ctx.now - syncing_since));
        progress_gap = std::min(2 * progress_gap, kMaxProgressGap);
        progress_due = ctx.now + progress_gap;
    }
}

/// A node is ready when it has every table that it can get. It does not wait for ever: seeds may be down for long, and
/// a peer may never be reached.
void Core::Impl::update_ready() {
    if (ready || discovery.is_refused()) return;
    const bool met_one = std::any_of(peers.all().begin(), peers.all().end(),
                                     [](const auto& entry) { return entry.second.is_live() && entry.second.knows_us; });
    const bool met = met_one || discovery.has_met_anyone();
    const bool in_vain = !met && ctx.now >= unseeded_ready_at;
    const bool synced = met && has_met_all_peers() && replicas.progress().is_complete();
    if (!in_vain && !synced && ctx.now < unsynced_ready_at) return;
    ready = ctx.is_serving = true;
    ctx.note(Note::Kind::ready, ctx.self.name,
             in_vain && !ctx.options.seeds.empty() ? "no seed answers; still trying" : "");
}

bool Core::Impl::has_met_all_peers() const {
    return std::all_of(peers.all().begin(), peers.all().end(), [&](const auto& entry) {
        const Peer& peer = entry.second;
        // A peer that only other nodes reach cannot answer a hello. Its table, which came through them, is enough.
        const bool through_others = !peer.relay.empty() && peers.is_hearing(peer) && replicas.shown(entry.first);
        return !peer.is_live() || peer.knows_us || peer.record.state == NodeState::suspect || through_others;
    });
}

bool Core::Impl::wants_flush() const {
    return heartbeat_due <= ctx.now || peers.has_news() || replicas.next_publish() <= ctx.now ||
           repair.has_due_pulls() || replicas.has_backlog() || pull_answers.wants_flush() || links.wants_flush() ||
           handovers.wants_flush() || replays.wants_flush() || local.wants_flush() || sessions.wants_flush() ||
           visibility.wants_flush() || watches.wants_flush() || !queries.empty();
}

/// The order matters: own deltas first, because a heartbeat tells the position behind them, and a peer that is asked
/// whether a join is visible must have been sent the join.
void Core::Impl::flush() {
    const bool beats = ctx.now >= heartbeat_due;
    local.flush();
    settle();
    replicas.publish(beats || stopping || visibility.wants_flush());
    repair.work_off_backlog();
    settle();
    repair.send_due_pulls();
    pull_answers.flush();
    publish_news();
    if (beats) publish_heartbeat();
    visibility.flush();
    answer_queries();
    handovers.flush();
    for (auto& request : handovers.take_own()) replays.take(ctx.self, std::move(request));
    replays.flush();
    settle();
    links.flush();
    watches.flush();
    sessions.flush();
}

void Core::Impl::publish_news() {
    const auto news = peers.take_news();
    for (std::size_t at = 0; at < news.size(); at += kRecordsPerNews) {
        const auto end = std::min(at + kRecordsPerNews, news.size());
        proto::PeerNews part{
            {news.begin() + static_cast<std::ptrdiff_t>(at), news.begin() + static_cast<std::ptrdiff_t>(end)}};
        for (auto& record : part.peers)  // only the detector publishes suspicions, as accusations
            if (record.state == NodeState::suspect) record.state = NodeState::alive;
        publish(ctx, std::move(part));
    }
}

void Core::Impl::publish_heartbeat() {
    heartbeat_due = ctx.now + ctx.options.timing.heartbeat;
    const auto self = peers.self_record({});
    const Replica& own = replicas.own();
    publish(ctx,
            proto::Heartbeat{self.refutation, own.digest(), peers.digest(),
                             proto::channel_report::kTold + proto::channel_report::kReplays, sessions.size(), draining,
                             milliseconds_of(ctx.now - ctx.began_at)},
            own.applied().value);
}

/// Flushes first, so that peers have all deltas before the goodbye. The goodbye is published for all subscribers, also
/// those that this node has not met, and sent to each peer as well, because PUB drops what does not fit.
void Core::Impl::shut_down() {
    stopping = true;
    flush();
    say_goodbye();
    sessions.dismiss("this node is leaving: use another");
    stopped = true;
}

// ---- draining ----------------------------------------------------------------------

void Core::Impl::on(const Drain&) {
    if (stopping) return;
    leaving = true;
    begin_drain();
}

void Core::Impl::begin_drain() {
    if (std::exchange(draining, true)) return;
    drain_quiet_since = sessions.size() == 0 ? kLongAgo : ctx.now;
    heartbeat_due = ctx.now;  // others must not send workers here
    ctx.count("drains");
}

void Core::Impl::drain_request(const Sessions::Request& request, const proto::DrainRequest& drain) {
    const bool refused = leaving && !drain.on;
    const std::string what = drain.on ? "drain" : "undrain";
    ctx.note(Note::Kind::administered, request.asker, what + (refused ? ", refused: the node stops" : ""));
    if (refused)
        return answer(request.id, Error{ErrorCode::bad_request, "this node stops: start it again to take workers"});
    if (drain.on) {
        begin_drain();
    } else if (std::exchange(draining, false)) {
        heartbeat_due = ctx.now;
        sessions.end_drain();
    }
    answer(request.id, Done{});
}

/// Asks workers to move, some in each tick, and notes since when nobody needs this node any more. While all others
/// drain as well, workers stay: they would go round.
void Core::Impl::drain() {
    if (!draining) return;
    const bool has_workers = peers.with_fewest_workers() && sessions.drain([this] {
        Peer* to = peers.with_fewest_workers();
        ++to->workers;
        return to->front_door();
    });
    if (has_workers || replays.is_busy() || links.has_unacknowledged()) {
        drain_quiet_since = ctx.now;
        had_workers = had_workers || has_workers;
    }
}

// ---- the public face -------------------------------------------------------------

Core::Core(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

void Core::step(Event event, Actions& actions) {
    impl_->step(event, actions);
}

Result<proto::NumberRun> Core::join(Instant now, const LocalJoin& join, Actions& actions) {
    return impl_->join(now, join, actions);
}

Result<std::vector<MemberNumber>> Core::leave(Instant now, const LocalLeave& leave, Actions& actions) {
    return impl_->leave(now, leave, actions);
}

Instant Core::next_deadline() const {
    if (impl_->stopped) return kNever;
    if (!impl_->started || impl_->wants_flush()) return impl_->ctx.now;
    return std::min(
        {impl_->tick_due, impl_->replicas.next_publish(), impl_->sessions.next_end(), impl_->detector.next_check()});
}

void Core::check() const {
    const Impl& impl = *impl_;
    impl.replicas.check();
    impl.local.check();
    impl.sessions.check();
    MUSTER_CHECK(impl.ctx.memory.used() == impl.sessions.memory() + impl.watches.memory() + impl.local.memory() +
                                               impl.links.queued_bytes() + impl.reports.memory() +
                                               impl.recent.memory() + impl.handovers.memory() + impl.replays.memory() +
                                               impl.notifier.memory());
}

std::optional<std::string> Core::over_bounds() const {
    if (auto over = impl_->peers.over_bounds()) return over;
    if (auto over = impl_->replicas.over_bounds()) return over;
    if (auto over = impl_->pull_answers.over_bounds()) return over;
    if (auto over = impl_->links.over_bounds()) return over;
    if (auto over = impl_->reports.over_bounds()) return over;
    if (impl_->recent.is_over_bounds()) return "recent notices";
    if (auto over = impl_->fan_outs.over_bounds()) return over;
    if (auto over = impl_->watches.over_bounds()) return over;
    return impl_->sessions.over_bounds();
}

}  // namespace muster::cluster
