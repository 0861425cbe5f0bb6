#include "tests/sim/world.hpp"

#include <algorithm>

#include "proto/codec.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this is the shell of the core

World::World(const Profile& drawn, Random root, Transcript::Sink trace)
    : profile(drawn),
      random(root),
      transcript(std::move(trace)),
      network(clock, random.fork(), profile.network, profile.places(), coverage) {
    for (Place place = 0; place < profile.nodes; ++place)
        hosts.push_back(std::make_unique<Host>(*this, place, Impostor{profile.name_of(place), kScope}));
    for (const Impostor& impostor : profile.impostors) {
        const Place own = profile.nodes + profile.workers + impostors.size();
        const Place place = impostor.place == 0 ? own : impostor.place;
        impostors.push_back(std::make_unique<Host>(*this, place, impostor));
    }
}

void World::count_paths(const Host& host) {
    for (const auto& [path, count] : host.core().status().counters) coverage.paths[path] += count;
}

Host* World::host_of(const std::string& name) {
    Host* found = nullptr;
    for (const auto* list : {&impostors, &hosts}) {
        for (const auto& host : *list) {
            if (host->name() == name && (!found || host->running())) found = host.get();
        }
    }
    return found;
}

std::shared_ptr<Notary> World::notary_of(const std::string& name) const {
    return profile.keys == 0 ? nullptr : std::make_shared<Notary>(profile.keys, name, replaced);
}

std::vector<Host*> World::running() const {
    std::vector<Host*> all;
    for (const auto* list : {&hosts, &impostors}) {
        for (const auto& host : *list) {
            if (host->running()) all.push_back(host.get());
        }
    }
    return all;
}

Host::Host(World& world, Place place, const Impostor& role)
    : world_(world),
      place_(place),
      name_(role.name),
      scope_(role.scope),
      door_("h" + std::to_string(place) + ":7100"),
      control_("h" + std::to_string(place) + ":10000"),
      gossip_("h" + std::to_string(place) + ":10001"),
      clone_(role.clone),
      stranger_(role.stranger),
      random_(world.random.fork()),
      speech_(world.profile.is_newer(place), random_, world.notary_of(name_)),
      handlers_(world, *this) {}

// ---- a life ----------------------------------------------------------------

void Host::start() {
    ++lives_;
    const auto host = "h" + std::to_string(place_) + ":";
    control_ = host + std::to_string(10000 + 2 * lives_);
    gossip_ = host + std::to_string(10001 + 2 * lives_);
    Options options;
    options.scope = scope_;
    options.self.name = name_;
    constexpr std::uint64_t kEpoch = 1'700'000'000'000'000;
    const Duration date = world_.clock.now() - behind_;
    options.self.incarnation.value = kEpoch + lives_ + static_cast<std::uint64_t>(date.count());
    performing_ = options.self;
    options.address = advertised();
    const Host& told = clone_ ? original() : *this;
    options.control = told.control_;
    options.gossip = told.gossip_;
    options.seeds = seeds();
    options.random_seed = random_.next();
    options.session = world_.profile.session;
    const auto own = world_.profile.own_bounds.find(place_);
    options.bounds = own == world_.profile.own_bounds.end() ? world_.profile.bounds : own->second;
    options.timing.link_retention = world_.profile.link_retention;
    options.timing.handover_window = world_.profile.handover_window;
    options.notary = world_.notary_of(name_);
    clock_offset_ = random_.within(seconds(1), seconds(1000));

    world_.network.listen(door_, *this, Port::door);
    world_.network.listen(control_, *this, Port::control);
    world_.network.listen(gossip_, *this, Port::gossip);
    if (world_.trace()) world_.line(name_, "starts as incarnation " + std::to_string(options.self.incarnation.value));
    core_ = std::make_unique<Core>(std::move(options));
    stopped_ = ending_ = stopped_by_core_ = armed_ = false;
    started_ = world_.clock.now();
    last_pause_ = Duration(-3600'000'000);
    world_.observer->started(*this);
    call(LocalWatch{kMainWatch, {}});
}

std::vector<std::string> Host::seeds() const {
    std::vector<std::string> doors;
    if (stranger_) {
        const auto& all = world_.impostors;
        doors.push_back(
            (*std::find_if(all.begin(), all.end(), [](const auto& one) { return one->is_stranger(); }))->door());
    } else {
        for (const std::size_t seed : world_.profile.seeds_of(place_)) doors.push_back(world_.hosts[seed]->door());
    }
    return doors;
}

const Host& Host::original() const {
    return **std::find_if(world_.hosts.begin(), world_.hosts.end(),
                          [this](const auto& host) { return host->name() == name_; });
}

void Host::end(bool gracefully) {
    if (world_.trace()) world_.line(name_, gracefully ? "has left" : "crashes");
    last_id_ = core_->self();
    world_.count_paths(*this);
    world_.network.leave(*this, gracefully);
    world_.observer->ended(*this, gracefully);
    forget();
}

void Host::freeze() {
    if (world_.trace()) world_.line(name_, "is stopped for good");
    last_id_ = core_->self();
    world_.observer->ended(*this, false);
    forget();
    frozen_ = stopped_ = true;
}

void Host::forget() {
    core_.reset();
    inbox_.clear();
    peers_.clear();
    dials_.clear();
    greetings_.clear();
    dialled_.clear();
    door_connections_.clear();
    door_ids_.clear();
    subscribers_.clear();
    senders_.clear();
    handlers_.forget();
    stopped_ = false;
    armed_ = false;
    ++lives_;  // what was arranged for the ended life is void
}

void Host::crash() {
    if (running()) end(false);
}

void Host::shutdown() {
    if (!running()) return;
    resume();
    if (running()) call(Shutdown{});
}

void Host::drain(Duration most, std::function<void()> ended) {
    resume();
    if (running()) call(Drain{});
    const Duration until = world_.clock.now() + most;
    const auto look = [this, life = lives_, until, ended = std::move(ended)](auto&& again) -> void {
        world_.clock.after(milliseconds(20), [this, life, until, ended, again] {
            if (life != lives_ || !running()) return;
            if (!core_->is_drained() && world_.clock.now() < until) return again(again);
            shutdown();
            ended();
        });
    };
    look(look);
}

void Host::pause() {
    if (running()) stopped_ = true;
}

void Host::resume() {
    if (!stopped_ || frozen_) return;
    last_pause_ = world_.clock.now();
    stopped_ = false;
    turn();
}

// ---- the loop --------------------------------------------------------------

void Host::post(Input input) {
    if (!running()) return;
    inbox_.push_back(std::move(input));
    turn();
}

void Host::post_later(Duration delay, Input input) {
    world_.clock.after(delay, [this, life = lives_, input = std::move(input)]() mutable {
        if (life == lives_) post(std::move(input));
    });
}

void Host::turn() {
    if (stopped_ || stepping_ || !running()) return;
    stepping_ = true;
    while (!inbox_.empty() && !ending_) {
        Input input = std::move(inbox_.front());
        inbox_.pop_front();
        step(std::move(input));
    }
    if (!ending_ && core_time() >= core_->next_deadline()) {
        step({Tick{}, {}});
        const bool stuck = core_->next_deadline() <= core_time() && actions_.empty();
        idle_ticks_ = stuck ? idle_ticks_ + 1 : 0;
        // Work in pieces takes many turns. A turn may have no action, for example if the worker that asked has gone.
        if (idle_ticks_ > (core_->is_busy() ? 10'000 : 100))
            throw Violation(name_ + ": a tick does not move the deadline: a busy loop");
    }
    stepping_ = false;
    if (ending_) {
        const bool by_itself = stopped_by_core_;
        end(!by_itself);
        if (by_itself && world_.stopped_by_itself) world_.stopped_by_itself(*this);
        return;
    }
    arm();
}

void Host::arm() {
    const Instant deadline = core_->next_deadline();
    if (deadline == kNever) return;
    const Duration lateness = random_.within(Duration(0), world_.profile.lateness);
    const Duration when = std::max(deadline.time_since_epoch() - clock_offset_, world_.clock.now()) + lateness;
    if (armed_ && armed_at_ <= when) return;
    armed_ = true;
    armed_at_ = when;
    world_.clock.at(when, [this, life = lives_, when] {
        if (life != lives_ || !armed_ || armed_at_ != when) return;
        armed_ = false;
        turn();
    });
}

void Host::step(Input input) {
    if (input.frame) {
        proto::Decoded decoded = proto::decode(*input.frame);
        if (!decoded) {
            if (decoded.error() == proto::DecodeError::unknown_type && !world_.profile.newer.empty()) {
                ++world_.coverage.marks["message of an unknown type ignored"];
                return;
            }
            if (!input.hostile)
                throw Violation(name_ +
                                ": a core's own message does not decode: " + std::string(to_string(decoded.error())));
            ++world_.coverage.marks["frame refused by the codec"];
            return;
        }
        auto& arrived = std::get<MessageArrived>(input.event);
        arrived.message = std::move(*decoded);
        // With keys, a lie that is told again by the one it was told of would be the truth.
        const bool kept = world_.profile.replays && (!input.hostile || world_.profile.keys == 0);
        if (kept && arrived.channel != Channel::door && arrived.channel != Channel::dial)
            world_.journal.keep({this, arrived.channel, input.frame});
    }
    if (world_.withhold && input.frame && !input.hostile &&
        world_.withhold(*this, std::get<MessageArrived>(input.event), input.frame))
        return;
    if (world_.trace()) world_.line(name_, "*" + to_text(input.event));
    world_.observer->stepping(*this, input.event);
    const bool leaves = std::holds_alternative<Shutdown>(input.event);
    const auto* gone = std::get_if<HandlerGone>(&input.event);
    const HandlerId removed = gone ? gone->handler : HandlerId{};
    actions_.clear();
    enter(std::move(input.event));
    if (world_.sabotage) world_.sabotage(*this, actions_);
    for (const Action& action : actions_) {
        if (world_.trace()) world_.line(name_, "   " + to_text(action));
        perform(action);
    }
    handlers_.gone(removed);
    world_.observer->stepped(*this, actions_);
    if (++steps_ % world_.profile.check_every == 0) {
        core_->check();
        if (const auto over = core_->over_bounds()) throw Violation(name_ + ": over bounds: " + *over);
    }
    if (leaves) ending_ = true;
}

void Host::enter(EventBody&& body) {
    const Instant now = core_time();
    // The answer goes where step() appends it: before what the core asks for because of the call.
    const auto answer = [this](CallId call, auto result) {
        actions_.insert(actions_.begin(), Answer{call, std::move(result)});
    };
    if (const auto* join = std::get_if<LocalJoin>(&body); join && !join->visible && world_.profile.direct_calls) {
        const auto joined = core_->join(now, *join, actions_);
        if (joined) return answer(join->call, proto::JoinReply{{*joined}, 0});
        return answer(join->call, joined.error());
    }
    if (const auto* leave = std::get_if<LocalLeave>(&body); leave && world_.profile.direct_calls) {
        const auto left = core_->leave(now, *leave, actions_);
        if (left) return answer(leave->call, proto::LeaveReply{*left});
        return answer(leave->call, left.error());
    }
    core_->step(Event{now, std::move(body)}, actions_);
}

// ---- what the network tells ------------------------------------------------

void Host::connected(ConnectorId connector) {
    const auto dialled = dialled_.find(connector);
    if (dialled == dialled_.end()) return;
    const auto greeting = greetings_.find(dialled->second);
    if (greeting == greetings_.end()) return;
    for (const Frame& frame : greeting->second) world_.network.send(connector, frame);
    greetings_.erase(greeting);
}

void Host::from_server(ConnectorId connector, const Frame& frame) {
    const auto dialled = dialled_.find(connector);
    if (dialled != dialled_.end())
        return post(
            {MessageArrived{Channel::dial, {}, dialled->second, {}, world_.network.server_key(connector)}, frame});
    post({MessageArrived{Channel::gossip, {}, {}, {}}, frame});
}

Sender Host::key() const {
    return world_.profile.keys == 0 ? Sender{} : Sender{Sender::Role::node, name_};
}

void Host::accepted(ConnectionId connection, Port port, const NodeId& tag, const Sender& key) {
    if (port != Port::gossip) senders_.emplace(connection, key);
    if (port == Port::door) {
        const cluster::ConnectionId id{++made_door_ids_};
        door_connections_.emplace(id, connection);
        door_ids_.emplace(connection, id);
    } else if (port == Port::gossip) {
        subscribers_.emplace(connection, tag);
        post({LinkUp{tag}, {}});
    }
}

void Host::dropped(ConnectionId connection, Port port) {
    senders_.erase(connection);
    if (port == Port::door) {
        const auto found = door_ids_.find(connection);
        if (found == door_ids_.end()) return;
        door_connections_.erase(found->second);
        door_ids_.erase(found);
    } else if (port == Port::gossip) {
        const auto found = subscribers_.find(connection);
        if (found == subscribers_.end()) return;
        const NodeId peer = found->second;
        subscribers_.erase(found);
        for (const auto& [other, id] : subscribers_) {
            if (id == peer) return;
        }
        post({LinkLost{peer}, {}});
    }
}

void Host::renamed(ConnectionId connection, const NodeId& tag) {
    const auto found = subscribers_.find(connection);
    if (found == subscribers_.end()) return;
    const NodeId before = std::exchange(found->second, tag);
    const bool last = std::none_of(subscribers_.begin(), subscribers_.end(),
                                   [&](const auto& entry) { return entry.second == before; });
    if (last) post({LinkLost{before}, {}});
    post({LinkUp{tag}, {}});
}

void Host::from_client(ConnectionId connection, Port port, const Frame& frame) {
    const auto sender = senders_.find(connection);
    if (sender == senders_.end()) return;
    if (port == Port::control) return post({MessageArrived{Channel::control, {}, {}, {}, sender->second}, frame});
    const auto found = door_ids_.find(connection);
    if (found != door_ids_.end())
        post({MessageArrived{Channel::door, found->second, {}, {}, sender->second, true}, frame});
}

}  // namespace muster::sim
