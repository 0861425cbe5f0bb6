#include "tests/sim/stage.hpp"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "proto/codec.hpp"

namespace muster::sim {
namespace {

/// What comes again and again, whatever happens, and what a reader seldom asks about.
const std::set<std::string> kHidden = {"Heartbeat",    "Ping",           "Pong",           "Probe",
                                       "Heard",        "LinkAck",        "dial",           "HangUp",
                                       "CheckProcess", "ConnectPeer",    "NodeHeartbeat",  "GroupChanged",
                                       "SnapshotAck",  "DisconnectPeer", "WorkerHeartbeat"};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

}  // namespace

Stage::Stage(const Cast& cast, std::function<void(const std::string&)> tell)
    : tell_(std::move(tell)), places_(cast.places), names_(cast.names), hidden_(kHidden) {
    const auto sink = [this](Duration now, const std::string& who, const std::string& text) {
        take_line(now, who, text);
    };
    world_ = std::make_unique<World>(cast.profile, Random(1), sink);
    model_ = std::make_unique<Model>(*world_);
    world_->observer = model_.get();
    world_->withhold = [this](Host& to, const cluster::MessageArrived& arrived, const Frame& frame) {
        return springs(to, arrived, frame);
    };
    for (const auto& role : cast.workers) {
        std::vector<std::string> doors;
        for (const auto& node : role.doors) doors.push_back(host(node)->door());
        const Place place = cast.profile.nodes + workers_.size();
        places_[role.name] = place;
        workers_.push_back(std::make_unique<Worker>(*world_, *model_, place, role.name, std::move(doors)));
    }
}

Host* Stage::host(const std::string& label) {
    const auto found = places_.find(label);
    if (found == places_.end()) return nullptr;
    const auto name = names_.find(label);  // two hosts may share a machine, one after the other
    for (const auto* list : {&world_->hosts, &world_->impostors}) {
        for (const auto& host : *list) {
            if (host->place() != found->second) continue;
            if (host->name() == (name == names_.end() ? label : name->second)) return host.get();
        }
    }
    return nullptr;
}

Worker* Stage::worker(const std::string& name) {
    for (const auto& worker : workers_) {
        if (worker->name() == name) return worker.get();
    }
    return nullptr;
}

Place Stage::place(const std::string& name) {
    return places_.at(name);
}

std::map<std::string, Host*> Stage::running() {
    std::map<std::string, Host*> hosts;
    for (const auto& [label, place] : places_) {
        Host* at = host(label);
        if (at && at->running()) hosts.emplace(label, at);
    }
    return hosts;
}

// ---- cuts --------------------------------------------------------------------

void Stage::cut(Place from, Place to) {
    if (from == to || cuts_[{from, to}]++ > 0) return;
    world_->network.cut(from, to);
}

void Stage::mend(Place from, Place to) {
    if (std::exchange(cuts_[{from, to}], 0) > 0) world_->network.mend(from, to);
}

void Stage::cut_port(Place client, Place server, Port port) {
    if (client != server && port_cuts_.emplace(client, server, port).second) world_->network.cut(client, server, port);
}

void Stage::mend_port(Place client, Place server, Port port) {
    if (port_cuts_.erase({client, server, port}) != 0) world_->network.mend(client, server, port);
}

void Stage::heal() {
    for (const auto& [client, server, port] : port_cuts_) world_->network.mend(client, server, port);
    port_cuts_.clear();
    for (const auto& [way, count] : cuts_) {
        if (count > 0) world_->network.mend(way.first, way.second);
    }
    cuts_.clear();
}

// ---- messages kept back --------------------------------------------------------

void Stage::withhold(const std::string& type, const std::string& origin, Host& to, std::uint64_t count, bool hold) {
    traps_.push_back({type, origin, &to, count, hold});
}

bool Stage::springs(Host& to, const cluster::MessageArrived& arrived, const Frame& frame) {
    for (Trap& trap : traps_) {
        const proto::Message message = unsealed(arrived.message);
        if (trap.left == 0 || trap.to != &to || trap.type != name_of(message.body) ||
            trap.origin != message.header.origin)
            continue;
        --trap.left;
        if (trap.hold) held_.push_back({&to, arrived.channel, frame, arrived.sender});
        world_->line(to.name(), std::string(trap.hold ? " does not get yet" : " does not get") + sim::to_text(message));
        return true;
    }
    return false;
}

void Stage::release() {
    traps_.clear();
    const auto held = std::exchange(held_, {});
    for (const Held& one : held) one.to->inject(one.channel, one.frame, one.sender);
    if (held.empty()) say("nothing was held");
}

void Stage::tell_lie(Host& to, const Host& liar, proto::PeerNews news) {
    const NodeId id = liar.id();
    const proto::Message message{{kScope, id.name, id.incarnation.value, 0}, std::move(news)};
    world_->line(to.name(), " is told" + sim::to_text(message));
    to.inject(cluster::Channel::control, std::make_shared<const std::string>(proto::encode(message)), liar.key());
}

// ---- the transcript ------------------------------------------------------------

void Stage::say(const std::string& text) {
    tell_("         " + with_short_names(text));
}

void Stage::take_line(Duration now, const std::string& who, const std::string& text) {
    if (text.starts_with("*")) return;  // what came in; what was sent is told already
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (hidden_.contains(word)) return;
    }
    char time[32];
    std::snprintf(time, sizeof time, "%7.1f ", static_cast<double>(now.count()) / 1000.0);
    std::string line = text;
    replace_all(line, "    ", " ");
    tell_(time + who + (line.starts_with(" ") ? "" : " ") + with_short_names(line));
}

/// "a#2" for the second life of a, whatever its incarnation is.
std::string Stage::with_short_names(std::string text) const {
    if (!model_) return text;
    std::map<std::string, std::uint64_t> lives;
    std::map<std::string, std::string> bare;
    for (const auto& life : model_->truth().lives()) {
        const std::string number = "#" + std::to_string(++lives[life->id.name]);
        const std::string incarnation = std::to_string(life->id.incarnation.value);
        replace_all(text, life->id.name + "/" + incarnation, life->id.name + number);
        bare.emplace(incarnation, number);
    }
    for (const auto& [incarnation, number] : bare) replace_all(text, incarnation, number);
    return text;
}

// ---- the end -------------------------------------------------------------------

std::optional<std::string> Stage::unsettled() {
    if (auto why = model_->unsettled()) return why;
    for (const auto& worker : workers_) {
        if (auto why = worker->unsettled()) return worker->name() + ": " + *why;
    }
    if (auto owed = model_->notices().owed()) return "lost without a report: " + *owed;
    return std::nullopt;
}

void Stage::settle(Duration limit) {
    const Duration begin = world_->clock.now();
    auto why = unsettled();
    while (why && world_->clock.now() - begin < limit) {
        run(milliseconds(50));
        why = unsettled();
    }
    if (why) throw Violation("not settled: " + *why);
    say("settled after " + std::to_string((world_->clock.now() - begin).count() / 1000) + " ms");
}

}  // namespace muster::sim
