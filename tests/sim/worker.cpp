#include "tests/sim/worker.hpp"

#include <algorithm>

#include "proto/codec.hpp"

namespace muster::sim {

using namespace proto;  // NOLINT(google-build-using-namespace): this file speaks the protocol

namespace {

constexpr std::uint64_t kNobody = ~std::uint64_t{0};  // no index of a life

}  // namespace

Worker::Worker(World& world, Model& model, Place place, std::string name, std::vector<std::string> doors)
    : world_(world),
      model_(model),
      place_(place),
      name_(std::move(name)),
      doors_(std::move(doors)),
      random_(world.random.fork()),
      speech_(world.profile.is_newer(place), random_),
      asks_for_replays_(!random_.permille(world.profile.older_workers_permille)) {}

// ---- a life ----------------------------------------------------------------

void Worker::start() {
    if (alive_) return;
    ++life_;
    alive_ = true;
    stopped_ = false;
    process_ = asks_for_replays_ ? random_.next() | 1 : 0;
    calls_ = 0;
    door_ = random_.below(doors_.size());
    open();
    arm_turn(milliseconds(50));
}

void Worker::crash() {
    if (!alive_) return;
    if (world_.trace()) world_.line(name_, "crashes");
    world_.network.leave(*this, false);
    alive_ = stopped_ = acknowledging_ = handling_ = false;
    ++life_;
    token_ = requests_ = taken_ = handled_ = 0;
    inbox_.clear();
    asked_.clear();
    items_.clear();
    joined_.clear();
    watches_.clear();
    positions_.clear();
    accepted_.clear();
    unsettled_.clear();
    old_connector_ = {};
    old_token_ = 0;
    model_.notices().worker_ended(name_);
}

void Worker::goodbye() {
    if (!alive_) return;
    resume();
    if (attached()) send(WorkerGoodbye{}, 0);
    world_.network.leave(*this, true);
    crash();
}

void Worker::resume() {
    if (!stopped_) return;
    stopped_ = false;
    troubled_ = world_.clock.now();
    while (!inbox_.empty() && !stopped_) {
        const auto [connector, frame] = inbox_.front();
        inbox_.pop_front();
        from_server(connector, frame);
    }
    turn();
}

// ---- attaching -------------------------------------------------------------

void Worker::open() {
    if (connector_) world_.network.hang_up(connector_);
    if (phase_ == Phase::attached) lost_at_ = world_.clock.now();
    phase_ = Phase::connecting;
    greeted_at_ = troubled_ = world_.clock.now();
    retry_at_ = Duration(0);
    connector_ = world_.network.connect(*this, doors_[door_], {name_, {}});
}

void Worker::reopen() {
    if (!alive_ || stopped_) return;
    if (world_.trace()) world_.line(name_, "opens a new socket");
    open();
}

void Worker::move_on() {
    if (!alive_ || stopped_) return;
    door_ = (door_ + 1) % doors_.size();
    if (world_.trace()) world_.line(name_, "moves on to " + doors_[door_]);
    open();
}

/// Its node wants it to go. It leaves when it has joined elsewhere.
void Worker::move(const std::string& to) {
    if (!asks_for_replays_ || old_token_ != 0 || doors_.size() < 2) return;
    ++world_.coverage.marks["worker asked to move"];
    old_connector_ = std::exchange(connector_, {});
    old_token_ = token_;
    const auto named =
        std::find_if(doors_.begin(), doors_.end(), [&](const std::string& door) { return to.ends_with("@" + door); });
    if (named != doors_.end()) {
        ++world_.coverage.marks["worker told where to move"];
        door_ = static_cast<std::size_t>(named - doors_.begin()) + doors_.size() - 1;
    }
    move_on();
}

void Worker::leave_old_node() {
    const bool joins =
        std::any_of(joined_.begin(), joined_.end(), [](const Joined& joined) { return joined.request != 0; });
    if (old_token_ == 0 || !attached() || token_ == old_token_ || joins) return;
    const Message goodbye{{kScope, name_, old_token_, 0}, WorkerGoodbye{true}};
    ++world_.coverage.messages[goodbye.body.index()];
    ++world_.coverage.marks["worker moved"];
    for (const Frame& frame : speech_.frames(goodbye)) world_.network.send(old_connector_, frame);
    forget_old_node();
}

void Worker::forget_old_node() {
    if (old_connector_) world_.network.hang_up(old_connector_);
    old_connector_ = {};
    old_token_ = 0;
}

void Worker::connected(ConnectorId connector) {
    troubled_ = world_.clock.now();
    // libzmq reconnects without telling: only a socket that was opened just now is greeted on.
    if (connector == connector_ && phase_ == Phase::connecting) greet();
}

void Worker::greet() {
    phase_ = Phase::greeting;
    greeted_at_ = troubled_ = world_.clock.now();
    // A token of another node means nothing there; saying it must do no harm.
    const bool here = door_ == token_door_;
    const std::uint64_t token = here || random_.permille(300) ? token_ : 0;
    Message hello{{kScope, name_, token, 0}, WorkerHello{SessionToken{token}, handled_, process_}};
    ++world_.coverage.messages[hello.body.index()];
    for (const Frame& frame : speech_.frames(hello)) world_.network.send(connector_, frame);
}

void Worker::arm_turn(Duration delay) {
    world_.clock.after(delay, [this, life = life_] {
        if (life != life_) return;
        turn();
        arm_turn(random_.within(milliseconds(40), milliseconds(60)));
    });
}

void Worker::turn() {
    if (!alive_ || stopped_) return;
    const Duration now = world_.clock.now();
    leave_old_node();
    if (phase_ == Phase::attached) {
        if (now - heard_ > ttl_) return reopen();
        if (now - spoke_ >= heartbeat_) acknowledge();
    } else if (retry_at_ != Duration(0)) {
        if (now < retry_at_) return;
        retry_at_ = Duration(0);
        random_.permille(500) ? greet() : move_on();
    } else if (now - greeted_at_ > milliseconds(1000)) {
        move_on();
    }
}

void Worker::welcome(const WorkerWelcome& welcome, const Message& message) {
    if (phase_ != Phase::greeting) fail("is welcomed without having said hello");
    phase_ = Phase::attached;
    retry_at_ = Duration(0);
    heard_ = world_.clock.now();
    heartbeat_ = milliseconds(welcome.heartbeat_ms);
    ttl_ = milliseconds(welcome.ttl_ms);
    token_door_ = door_;
    if (welcome.node.id != NodeId{message.header.origin, Incarnation{message.header.incarnation}})
        fail("is welcomed by a liar");
    if (welcome.resumed) {
        if (welcome.token.value != token_ || welcome.node.id != node_) fail("resumes a session that it never had");
        ++world_.coverage.marks["worker resumed"];
        for (const auto& [seq, asked] : asked_) send(asked.body, seq);
    } else {
        if (welcome.token.value == token_) fail("is given the old token for a new session");
        handling_ = false;
        while (!items_.empty()) handle_next();
        const NodeId before = std::exchange(node_, welcome.node.id);
        token_ = welcome.token.value;
        fresh_session(before, milliseconds(welcome.handover_ms));
    }
    acknowledge();
}

/// Numbers begin anew; members and watches are made again, questions asked again.
void Worker::fresh_session(const NodeId& before, Duration handover) {
    ++world_.coverage.marks["worker attached anew"];
    taken_ = handled_ = requests_ = 0;
    const auto asked = std::move(asked_);
    asked_.clear();
    for (const auto& [seq, message] : asked)
        if (const auto* leave = std::get_if<LeaveRequest>(&message.body)) take_leave_for_done(*leave);
    if (asks_for_replays_ && handover > Duration(0)) {
        join_again(before);
        notify_again();
    } else {
        positions_.clear();
        for (Joined& joined : joined_) {
            joined.numbers.clear();
            joined.request = request(JoinRequest{joined.group, joined.count, joined.meta, false, 5000});
        }
    }
    for (Watching& watching : watches_) {
        watching.view.reset();
        watching.parts = {};
        watching.request = request(WatchRequest{watching.group});
    }
    for (const auto& [seq, message] : asked) {
        if (std::holds_alternative<MembersRequest>(message.body) ||
            std::holds_alternative<GroupsRequest>(message.body)) {
            request(message.body);
        }
    }
}

/// One request for each group, with all joins there and what it has had.
void Worker::join_again(const NodeId& before) {
    std::set<Group> groups;
    for (const Joined& joined : joined_) groups.insert(joined.group);
    forget_positions();
    const auto ms_since = [this](Duration at) {
        return static_cast<std::uint64_t>((world_.clock.now() - at) / milliseconds(1));
    };
    const Life* life = model_.truth().find(before);
    for (const Group& group : groups) {
        RejoinRequest again{group, {}, {}, before, ms_since(lost_at_)};
        for (const auto& [node, number] : positions_[group]) again.positions.push_back({node, number});
        std::vector<MemberKey> members;
        for (Joined& joined : joined_) {
            if (joined.group != group) continue;
            again.joins.push_back({joined.count, joined.meta, ms_since(joined.since)});
            // Of a join without an answer nothing is known: its members are new.
            std::vector<MemberKey> some;
            for (const std::uint64_t number : joined.numbers) some.emplace_back(life->index, number);
            some.resize(joined.count, MemberKey{kNobody, 0});
            members.insert(members.end(), some.begin(), some.end());
            joined.numbers.clear();
            joined.request = requests_ + 1;
        }
        model_.continuity().rejoins(name_, token_, group, std::move(members));
        request(std::move(again));
    }
}

bool Worker::has_joined(const Group& group) const {
    return std::any_of(joined_.begin(), joined_.end(), [&](const Joined& joined) { return joined.group == group; });
}

/// With the last member of the group.
void Worker::forget_positions() {
    std::erase_if(positions_, [&](const auto& entry) { return !has_joined(entry.first); });
}

/// In their order, before all later ones.
void Worker::notify_again() {
    for (auto& [call, kept] : unsettled_) {
        kept.request.repeated = true;
        if (kept.answered) kept.request.wait = false;
        request(kept.request);
    }
}

void Worker::settled(std::uint64_t call) {
    while (!unsettled_.empty() && unsettled_.begin()->first <= call && unsettled_.begin()->second.answered)
        unsettled_.erase(unsettled_.begin());
}

Copy Worker::copy_of(const Notice& notice) {
    if (!asks_for_replays_ || notice.life == 0 || notice.call == 0) return Copy::fresh;
    const Copy copy = accepted_[{notice.group, notice.life}].accept(notice);
    if (copy == Copy::had) ++world_.coverage.marks["worker dropped a repeated call"];
    if (copy == Copy::late) ++world_.coverage.marks["worker was told of a loss by a repeated call"];
    return copy;
}

void Worker::refused(const Refuse& refusal) {
    switch (refusal.code) {
        case ErrorCode::unknown_session:
            if (phase_ == Phase::attached) {
                ++world_.coverage.marks["worker session unknown"];
                greet();
            }
            return;
        case ErrorCode::not_ready:
        case ErrorCode::overloaded:
        case ErrorCode::name_taken:
            phase_ = Phase::greeting;
            retry_at_ = world_.clock.now() + milliseconds(100);
            return;
        case ErrorCode::closed:  // the node is leaving
            return move_on();
        default:
            fail("is refused: " + refusal.text);
    }
}

// ---- messages --------------------------------------------------------------

void Worker::from_server(ConnectorId connector, const Frame& frame) {
    if (!alive_ || connector != connector_) return;
    if (stopped_) {
        inbox_.emplace_back(connector, frame);
        return;
    }
    Decoded decoded = decode(*frame);
    if (!decoded && decoded.error() == DecodeError::unknown_type && !world_.profile.newer.empty()) return;
    if (!decoded) fail("cannot decode a message of its node");
    if (world_.trace()) world_.line(name_, " <-" + to_text(*decoded));
    take(*decoded);
}

void Worker::take(const Message& message) {
    if (message.header.scope != kScope) fail("is spoken to from another scope");
    if (phase_ == Phase::attached && node_ == NodeId{message.header.origin, Incarnation{message.header.incarnation}}) {
        heard_ = world_.clock.now();
    }
    if (const auto* body = std::get_if<WorkerWelcome>(&message.body)) return welcome(*body, message);
    if (const auto* body = std::get_if<Refuse>(&message.body)) return refused(*body);
    if (phase_ != Phase::attached) return;
    if (const auto* beat = std::get_if<NodeHeartbeat>(&message.body)) return settled(beat->settled);
    if (const auto* asked = std::get_if<Move>(&message.body)) return move(asked->to);
    if (const auto* deliveries = std::get_if<Deliveries>(&message.body)) {
        std::uint64_t seq = message.header.seq;
        for (const Delivery& delivery : deliveries->items) stream_item(seq++, delivery);
        return;
    }
    if (const auto* gap = std::get_if<Gap>(&message.body)) return stream_item(message.header.seq, *gap);
    if (const auto* news = std::get_if<WatchNews>(&message.body)) return stream_item(message.header.seq, *news);
    if (!take_reply(message)) fail("is sent what no node sends to a worker: " + to_text(message));
}

void Worker::send(Body body, std::uint64_t seq) {
    Message message{{kScope, name_, token_, seq}, std::move(body)};
    if (world_.trace()) world_.line(name_, " ->" + to_text(message));
    ++world_.coverage.messages[message.body.index()];
    for (const Frame& frame : speech_.frames(message)) world_.network.send(connector_, frame);
    spoke_ = world_.clock.now();
}

std::uint64_t Worker::request(Body body) {
    const std::uint64_t seq = ++requests_;
    asked_[seq] = {{kScope, name_, token_, seq}, body};
    send(std::move(body), seq);
    return seq;
}

void Worker::acknowledge() {
    send(WorkerHeartbeat{handled_}, 0);
}

// ---- the stream ------------------------------------------------------------

void Worker::stream_item(std::uint64_t seq, const StreamItem& item) {
    if (phase_ != Phase::attached || seq <= taken_) return;
    if (seq > taken_ + 1) {
        ++world_.coverage.marks["worker saw a hole in its stream"];
        return reopen();
    }
    taken_ = seq;
    if (const auto* delivery = std::get_if<Delivery>(&item); delivery && has_joined(delivery->notice->group)) {
        auto& position = positions_[delivery->notice->group][delivery->notice->from_node];
        position = std::max(position, delivery->notice->group_seq);
    }
    items_.emplace_back(seq, item);
    if (pace_ == Duration(0)) {
        while (!items_.empty()) handle_next();
    } else if (!handling_) {
        handling_ = true;
        const auto step = [this](auto&& again) -> void {
            world_.clock.after(pace_, [this, life = life_, again] {
                if (life != life_ || !handling_) return;
                if (!stopped_ && !items_.empty()) handle_next();
                handling_ = !items_.empty();
                if (handling_) again(again);
            });
        };
        step(step);
    }
}

void Worker::handle_next() {
    const auto [seq, item] = std::move(items_.front());
    items_.pop_front();
    handle(item);
    handled_ = seq;
    if (acknowledging_ || phase_ != Phase::attached) return;
    acknowledging_ = true;
    world_.clock.after(microseconds(200), [this, life = life_] {
        if (life != life_) return;
        acknowledging_ = false;
        if (!stopped_ && phase_ == Phase::attached) acknowledge();
    });
}

void Worker::handle(const StreamItem& item) {
    Life* life = model_.truth().find(node_);
    if (const auto* delivery = std::get_if<Delivery>(&item)) {
        const Copy copy = copy_of(*delivery->notice);
        if (copy == Copy::late) model_.notices().gap(*life, {name_, token_}, delivery->members->size(), false);
        if (copy != Copy::fresh) return;
        model_.notices().handled(to_notification(*delivery->notice, *delivery->members), *life, {name_, token_});
    } else if (const auto* gap = std::get_if<Gap>(&item)) {
        ++world_.coverage.marks["worker told of a gap"];
        if (gap->at_least) ++world_.coverage.marks["worker told of a gap of unknown size"];
        model_.notices().gap(*life, {name_, token_}, gap->missed, gap->at_least);
    } else {
        handle_watch(std::get<WatchNews>(item));
    }
}

void Worker::handle_watch(const WatchNews& news) {
    for (Watching& watching : watches_) {
        if (watching.request != news.watch) continue;
        auto& event = watching.parts;
        if (event.groups.empty()) event = {news.event.kind, news.event.reason, {}};
        if (event.kind != news.event.kind) fail("is told parts of two events at once");
        for (const GroupMembers& more : news.event.groups) {
            const bool goes_on = !event.groups.empty() && event.groups.back().group == more.group;
            if (!goes_on) event.groups.push_back({more.group, {}});
            auto& members = event.groups.back().members;
            members.insert(members.end(), more.members.begin(), more.members.end());
        }
        const bool of_all = event.kind == WatchEvent::Kind::snapshot && watching.group.store.empty();
        if (!news.last && of_all) ++world_.coverage.marks["snapshot of all groups in parts"];
        if (!news.last) return;
        if (event.kind == WatchEvent::Kind::snapshot) watching.view.emplace(name_, watching.group);
        if (!watching.view) fail("is told of a change before the snapshot");
        watching.view->take(event, model_.truth());
        event = {};
        return;
    }
}

}  // namespace muster::sim
