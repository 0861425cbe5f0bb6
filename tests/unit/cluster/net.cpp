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

std::string Net::node_at(const std::string& address) {
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
        if (!in_flight_.empty()) {
            auto arriving = std::exchange(in_flight_, {});
            for (auto& [to, event] : arriving)
                if (nodes_.contains(to)) step(to, std::move(event.body));
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
    in_flight_.push_back({to, {now, std::move(message)}});
}

Sender Net::key_of(const std::string& node) const {
    return keys ? Sender{Sender::Role::node, node} : Sender{};
}

void Net::dial(const std::string& node, const Dial& dial) {
    const ConnectionId connection{++last_connection_};
    dialers_[connection] = {node, dial.address};
    const auto name = hosts.find(node_at(dial.address));
    for (const auto& host : name == hosts.end() ? std::vector{node_at(dial.address)} : name->second)
        send(host, {Channel::door, connection, {}, dial.message, key_of(node)});
}

void Net::answer_at_door(const std::string& node, SendDoor& answer) {
    const auto dialer = dialers_.find(answer.connection);
    if (dialer == dialers_.end()) {
        to_workers_[answer.connection].push_back(std::move(answer.message));
    } else {
        const auto& [to, address] = dialer->second;
        send(to, {Channel::dial, {}, address, std::move(answer.message), key_of(node)});
    }
}

void Net::perform(const std::string& node, Action& action) {
    if (auto* publish = std::get_if<Publish>(&action)) {
        published[node].push_back(publish->message);
        for (const auto& [name, other] : nodes_) {
            const auto link = other.connected.find(node);
            if (link != other.connected.end() && link->second == core(node).self())
                send(name, {Channel::gossip, {}, {}, publish->message});
        }
    } else if (auto* addressed = std::get_if<PublishTo>(&action)) {
        const auto to = nodes_.find(addressed->peer.name);
        if (to != nodes_.end() && to->second.connected.contains(node))
            send(to->first, {Channel::gossip, {}, {}, std::move(addressed->message)});
    } else if (auto* peer = std::get_if<SendPeer>(&action)) {
        if (nodes_.at(node).connected.contains(peer->peer))
            send(peer->peer, {Channel::control, {}, {}, std::move(peer->message), key_of(node)});
    } else if (const auto* hello = std::get_if<Dial>(&action)) {
        dial(node, *hello);
    } else if (auto* door = std::get_if<SendDoor>(&action)) {
        answer_at_door(node, *door);
    } else if (auto* connect = std::get_if<ConnectPeer>(&action)) {
        const auto there = nodes_.find(connect->peer.name);
        if (connect->gossip.empty()) return;
        if (there == nodes_.end() || there->second.core->self() != connect->peer) return;
        nodes_.at(node).connected[connect->peer.name] = connect->peer;
        in_flight_.push_back({connect->peer.name, {now, LinkUp{core(node).self()}}});
    } else if (auto* disconnect = std::get_if<DisconnectPeer>(&action)) {
        nodes_.at(node).connected.erase(disconnect->peer);
    } else if (auto* check = std::get_if<CheckProcess>(&action)) {
        if (failing_checks > 0)
            --failing_checks;
        else if (!nodes_.contains(check->peer.name))
            in_flight_.push_back({node, {now, ProcessGone{check->peer}}});
    } else {
        perform_for_handlers(node, action);
    }
}

void Net::perform_for_handlers(const std::string& node, Action& action) {
    if (auto* deliver = std::get_if<Deliver>(&action)) {
        for (const auto& to : *deliver->to) {
            const auto members = deliver->awaited(to.members);
            if (members != 0 && handlers_return)
                in_flight_.push_back({node, {now, HandlerOutcomes{{{deliver->fan_out, members, {}}}}}});
            if (members != 0) awaited.push_back({node, deliver->fan_out, members});
            delivered.push_back({node, to.handler, proto::to_notification(*deliver->notice, to.members)});
        }
    } else if (auto* gap = std::get_if<DeliverGap>(&action)) {
        Notification none;
        none.data.msgpack.clear();
        delivered.push_back({node, gap->handler, std::move(none), gap->missed});
    } else if (auto* tell = std::get_if<TellWatcher>(&action)) {
        watch_events.push_back({node, tell->watch, std::move(tell->event)});
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

void Net::from_worker(const std::string& node, ConnectionId connection, const std::string& worker, SessionToken token,
                      std::uint64_t seq, proto::Body body) {
    proto::Message message{{"default", worker, token.value, seq}, std::move(body)};
    MessageArrived event{Channel::door, connection, {}, std::move(message), worker_key};
    event.is_local = true;
    call(node, std::move(event));
}

std::vector<proto::Message> Net::take_sent(ConnectionId connection) {
    return std::exchange(to_workers_[connection], {});
}

std::vector<std::string> Net::members(const std::string& node, const Group& group) {
    std::vector<std::string> ids;
    for (const auto& member : core(node).members(group, false)) ids.push_back(to_string(member.id));
    return ids;
}

std::uint64_t Net::counter(const std::string& node, const std::string& name) {
    const auto counters = core(node).status().counters;
    const auto it = counters.find(name);
    return it == counters.end() ? 0 : it->second;
}

}  // namespace muster::cluster::test
