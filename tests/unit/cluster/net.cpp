#include "tests/unit/cluster/net.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace muster::cluster::test {
namespace {

constexpr Duration kStep = std::chrono::milliseconds(10);

}  // namespace

void Net::start(const std::string& name, const std::string& seed) {
    Options options;
    options.self = {name, Incarnation{1000 + ++lives_[name]}};
    options.address = name + ":door";
    options.control = name + ":control";
    options.gossip = name + ":gossip";
    options.random_seed = lives_[name] * 7919 + name.size();
    options.timing.publish_gap = Duration(0);  // a quiet network is one where nothing waits for time
    if (!seed.empty()) options.seeds = {seed + ":door"};
    if (adjust) adjust(options);
    nodes_[name] = {std::make_unique<Core>(std::move(options)), {}};
    step(name, Tick{});
    pump();
}

std::string Net::at(const std::string& address) const {
    return address.substr(0, address.find(':'));
}

void Net::kill(const std::string& name) {
    const NodeId id = core(name).self();
    nodes_.erase(name);
    for (auto& [other, node] : nodes_) {
        if (node.connected.erase(name) == 0) continue;
        step(other, LinkLost{id});
    }
    pump();
}

void Net::stop_gracefully(const std::string& name) {
    call(name, Shutdown{});
    kill(name);
}

void Net::run(Duration duration) {
    const Instant end = now + duration;
    while (now < end) {
        now = std::min(end, now + kStep);
        pump();
    }
}

void Net::pump() {
    for (int rounds = 0; rounds < 100000; ++rounds) {
        if (!letters_.empty()) {
            auto letters = std::exchange(letters_, {});
            for (auto& letter : letters)
                if (nodes_.contains(letter.to)) step(letter.to, std::move(letter.event.body));
            continue;
        }
        const auto due = std::find_if(nodes_.begin(), nodes_.end(),
                                      [&](const auto& entry) { return entry.second.core->next_deadline() <= now; });
        if (due == nodes_.end()) return;
        step(std::string(due->first), Tick{});
    }
    throw std::runtime_error("the cluster does not come to rest");
}

void Net::call(const std::string& node, EventBody body) {
    step(node, std::move(body));
    pump();
}

void Net::step(const std::string& node, EventBody body) {
    Actions actions;
    core(node).step({now, std::move(body)}, actions);
    if (check_every_step) core(node).check();
    if (on_step) on_step(node, core(node), actions);
    for (auto& action : actions) perform(node, action);
}

void Net::send(const std::string& to, MessageArrived message) {
    if (!nodes_.contains(to) || (drop && drop(to, message.message))) return;
    letters_.push_back({to, {now, std::move(message)}});
}

void Net::perform(const std::string& node, Action& action) {
    const auto key_of = [this](const std::string& name) { return keys ? Sender{Sender::Role::node, name} : Sender{}; };
    if (auto* publish = std::get_if<Publish>(&action)) {
        published[node].push_back(publish->message);
        for (const auto& [name, other] : nodes_) {
            const auto link = other.connected.find(node);
            if (link != other.connected.end() && link->second == core(node).self())
                send(name, {Channel::gossip, {}, {}, publish->message});
        }
    } else if (auto* peer = std::get_if<SendPeer>(&action)) {
        if (nodes_.at(node).connected.contains(peer->peer))
            send(peer->peer, {Channel::control, {}, {}, std::move(peer->message), key_of(node)});
    } else if (auto* dial = std::get_if<Dial>(&action)) {
        const ConnectionId connection{++last_connection_};
        dialers_[connection] = node + " " + dial->address;
        const auto name = hosts.find(at(dial->address));
        for (const auto& host : name == hosts.end() ? std::vector{at(dial->address)} : name->second)
            send(host, {Channel::door, connection, {}, dial->message, key_of(node)});
    } else if (auto* door = std::get_if<SendDoor>(&action)) {
        const auto dialer = dialers_.find(door->connection);
        if (dialer == dialers_.end()) {
            to_workers_[door->connection].push_back(std::move(door->message));
        } else {
            const auto space = dialer->second.find(' ');
            send(dialer->second.substr(0, space),
                 {Channel::dial, {}, dialer->second.substr(space + 1), std::move(door->message), key_of(node)});
        }
    } else if (auto* connect = std::get_if<ConnectPeer>(&action)) {
        const auto there = nodes_.find(connect->peer.name);
        if (there == nodes_.end() || there->second.core->self() != connect->peer) return;
        nodes_.at(node).connected[connect->peer.name] = connect->peer;
        letters_.push_back({connect->peer.name, {now, LinkUp{core(node).self()}}});
    } else if (auto* disconnect = std::get_if<DisconnectPeer>(&action)) {
        nodes_.at(node).connected.erase(disconnect->peer);
    } else if (auto* check = std::get_if<CheckProcess>(&action)) {
        const auto there = nodes_.find(check->peer.name);
        if (checks_in_vain > 0)
            --checks_in_vain;
        else if (there == nodes_.end())
            letters_.push_back({node, {now, ProcessGone{check->peer}}});
    } else if (auto* deliver = std::get_if<Deliver>(&action)) {
        for (const auto& to : *deliver->to) {
            const auto awaited = deliver->awaited(to.members);
            if (awaited != 0 && handlers_return)
                letters_.push_back({node, {now, HandlerOutcomes{{{deliver->fan_out, awaited, {}}}}}});
            if (awaited != 0) asked.push_back({node, deliver->fan_out, awaited});
            delivered.push_back({node, to.handler, proto::to_notification(*deliver->notice, to.members)});
        }
    } else if (auto* gap = std::get_if<DeliverGap>(&action)) {
        Notification none;
        none.data.msgpack.clear();
        delivered.push_back({node, gap->handler, std::move(none), gap->missed});
    } else if (auto* tell = std::get_if<TellWatcher>(&action)) {
        told.push_back({node, tell->watch, std::move(tell->event)});
    } else if (auto* answer = std::get_if<Answer>(&action)) {
        answers[answer->call] = std::move(answer->result);
    } else if (auto* note = std::get_if<Note>(&action)) {
        notes.push_back(node + ": " + std::string(to_string(note->kind)) + " " + note->node);
    } else if (auto* stop = std::get_if<Stop>(&action)) {
        notes.push_back(node + ": stop " + stop->error.text);
    }
}

CallResult Net::join(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count, Meta meta,
                     bool visible) {
    const CallId id{++last_call_};
    call(node, LocalJoin{id, handler, group, count, std::move(meta), visible, std::chrono::seconds(5)});
    return answers.at(id);
}

CallResult Net::leave(const std::string& node, HandlerId handler, const Group& group, std::uint64_t count) {
    const CallId id{++last_call_};
    call(node, LocalLeave{id, handler, group, {}, count});
    return answers.at(id);
}

CallResult Net::notify(const std::string& node, const Group& group, const std::string& data, bool wait) {
    const CallId id{++last_call_};
    call(node, LocalNotify{id, NotificationKind::created, group, *data_from_json(data), wait, std::chrono::seconds(5)});
    for (int i = 0; i < 600 && !answers.contains(id); ++i) run(kStep);
    return answers.at(id);
}

void Net::tell(const std::string& node, ConnectionId connection, const std::string& worker, SessionToken token,
               std::uint64_t seq, proto::Body body) {
    proto::Message message{{"default", worker, token.value, seq}, std::move(body)};
    call(node, MessageArrived{Channel::door, connection, {}, std::move(message), worker_key});
}

std::vector<proto::Message> Net::heard(ConnectionId connection) {
    return std::exchange(to_workers_[connection], {});
}

std::vector<std::string> Net::members(const std::string& node, const Group& group) {
    std::vector<std::string> ids;
    for (const auto& member : core(node).members(group, false)) ids.push_back(to_string(member.id));
    return ids;
}

}  // namespace muster::cluster::test
