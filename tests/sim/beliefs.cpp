// The model's judgement of what nodes believe of each other and of their
// workers: deaths, returns, and what must be gone at the end.
#include "cluster/membership/seal.hpp"
#include "proto/codec.hpp"
#include "tests/sim/model.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this file judges the core

void Model::hear(Watched& watched, const MessageArrived& arrived) {
    if (world_.profile.keys != 0) hear_through_others(watched, arrived.message);
    const proto::Message message = unsealed(arrived.message);
    if (const auto* forget = std::get_if<proto::Forget>(&message.body)) watched.beliefs.erase(forget->node.name);
    const auto found = watched.beliefs.find(message.header.origin);
    if (found == watched.beliefs.end() || message.header.scope != kScope) return;
    if (found->second.id.incarnation.value != message.header.incarnation) return;
    const bool is_own = world_.profile.keys == 0 || is_own_word(found->second, arrived);
    if (!is_own || !found->second.live) return;
    if (const auto* pong = std::get_if<proto::Pong>(&message.body); pong && pong->about == watched.life->id) {
        found->second.denies = (pong->channels & proto::channel_report::kNothing) != 0;
        if (!found->second.denies) found->second.reports = world_.clock.now();
    }
    if (std::holds_alternative<proto::Goodbye>(message.body))
        cause_.goodbye = message.header.origin;
    else
        found->second.heard = world_.clock.now();
    if (arrived.channel == Channel::gossip) found->second.published = world_.clock.now();
}

/// In a run with keys: what came through others of a node's publications, which is not new when it comes directly.
void Model::hear_through_others(Watched& watched, const proto::Message& message) const {
    const auto* relay = std::get_if<proto::Relay>(&message.body);
    const auto* heard = std::get_if<proto::Heard>(&message.body);
    if (relay ? relay->to != watched.life->id.name : !heard) return;
    auto passed_on = proto::decode(relay ? relay->message : heard->beat);
    const auto* seal = passed_on ? std::get_if<proto::Sealed>(&passed_on->body) : nullptr;
    if (!seal) return;
    const proto::Header said = unsealed(*passed_on).header;
    const auto belief = watched.beliefs.find(said.origin);
    if (belief == watched.beliefs.end() || belief->second.id.incarnation.value != said.incarnation) return;
    if (world_.notary_of(said.origin)->is_signed_by(said.origin, signed_bytes(*seal), seal->signature))
        belief->second.stamp = std::max(belief->second.stamp, seal->stamp);
}

/// In a run with keys: sealed by its origin and never shown before, whichever way it came and whatever was believed
/// meanwhile; or not sealed, over the origin's own connection.
bool Model::is_own_word(Belief& belief, const MessageArrived& arrived) const {
    const std::string& name = belief.id.name;
    const auto* seal = std::get_if<proto::Sealed>(&arrived.message.body);
    const bool is_new = seal && seal->stamp > belief.stamp &&
                        world_.notary_of(name)->is_signed_by(name, signed_bytes(*seal), seal->signature);
    if (is_new) belief.stamp = seal->stamp;
    if (seal) return is_new;
    return arrived.channel == Channel::control && arrived.sender.name == arrived.message.header.origin;
}

/// A session's worker was heard, unless its message was turned away.
void Model::hear_worker(Watched& watched) {
    const proto::Message* message = door_message();
    if (!message || cause_.refused || std::holds_alternative<proto::WorkerHello>(message->body)) return;
    const auto found = watched.spoke.find(message->header.incarnation);
    if (found != watched.spoke.end()) found->second = world_.clock.now();
}

/// ZeroMQ connects to an address once: whoever claims it must not take it from the node that is heard there.
void Model::judge_connect(Watched& watched, const ConnectPeer& connect) {
    if (connect.gossip.empty()) return;
    const NodeId before = std::exchange(watched.at_gossip[connect.gossip], connect.peer);
    const auto belief = watched.beliefs.find(before.name);
    if (before.name == connect.peer.name || belief == watched.beliefs.end()) return;
    if (!belief->second.live || belief->second.id != before) return;
    if (belief->second.published > belief->second.lost && world_.clock.now() - belief->second.published < seconds(1))
        fail(watched, "gives the gossip address of " + before.name + ", which it hears there, to " + connect.peer.name);
}

/// A node that serves ends only where another process has its name at another address, with a later life.
void Model::judge_stop(const Watched& watched, const Host& host) const {
    if (!host.core().is_ready()) return;
    const auto running = world_.running();
    const bool has_rival = std::any_of(running.begin(), running.end(), [&](const Host* other) {
        return other->name() == host.name() && other->advertised() != host.advertised() &&
               other->id().incarnation > host.id().incarnation;
    });
    if (!has_rival) fail(watched, "ends although it serves and no other process has its name");
}

/// A clone tells others the addresses of the process that it copies. They refuse when that process has ended.
bool Model::refuses_for_another(const Belief& belief) const {
    if (!cause_.event || !std::holds_alternative<ProcessGone>(*cause_.event)) return false;
    return std::any_of(world_.impostors.begin(), world_.impostors.end(),
                       [&](const auto& host) { return host->running() && host->id() == belief.id; });
}

/// It says that it hears nothing of the node, or has not said for so long that it does that the node has waited for its
/// report, and then been in doubt, unless another node has told it.
bool Model::is_unreached(const Belief& belief) const {
    const Timing timing;
    const bool was_told = !cause_.event || !std::holds_alternative<Tick>(*cause_.event);
    const Duration confirmed = was_told ? Duration(0) : timing.down_confirmed;
    return belief.denies || world_.clock.now() - belief.reports > timing.report_missing + confirmed;
}

/// A silence that began after the last cut, between two nodes that run all the time. Connections may have been
/// forgotten before the node suspects the other, so new ones carry. In a run with keys, a node whose key is replaced is
/// not believed until it has proven its life again.
bool Model::could_reconnect(const Host& host, const Belief& belief) const {
    if (!cause_.event || !std::holds_alternative<Tick>(*cause_.event)) return false;
    if (!world_.profile.impostors.empty() || world_.profile.keys != 0) return false;
    if (is_unreached(belief) || belief.heard < Duration(0)) return false;
    const Host* other = world_.host_of(belief.id.name);
    if (!other || !other->running() || other->id() != belief.id) return false;
    if (host.last_pause() >= belief.heard || other->last_pause() >= belief.heard) return false;
    const Network& network = world_.network;
    return network.undisturbed_since(host.place(), other->place(), belief.heard) &&
           network.forgotten_at(host.place(), other->place()) < belief.heard + Timing{}.suspect_after;
}

void Model::judge_note(Watched& watched, const Host& host, const Note& note) {
    Belief& belief = watched.beliefs[note.node];
    if (note.kind == Note::Kind::self_accused && !watched.refuting) {
        watched.refuting = host.core().applied(host.name()).value;
    } else if (note.kind == Note::Kind::node_up) {
        for (const NodeInfo& info : host.core().nodes()) {
            if (info.id.name != note.node || info.id == belief.id) continue;
            belief.id = info.id;
            belief.stamp = 0;
        }
        if (!belief.live) belief.reports = world_.clock.now();
        belief.live = true;
    } else if (note.kind == Note::Kind::node_down || note.kind == Note::Kind::node_left) {
        const bool left = note.kind == Note::Kind::node_left;
        cause_.parted.emplace(note.node, left ? NodeState::left : NodeState::down);
        const Life* life = truth_.find(belief.id);
        if (note.text == "restarted") see_successor(watched, host, note.node);
        const bool wrong = belief.live && note.text.empty() && life && life->running;
        if (!left && cause_.goodbye == note.node) fail(watched, "calls " + note.node + " dead, which says goodbye");
        if (wrong && left) fail(watched, "believes that " + note.node + " left, which runs");
        const Duration silent = world_.clock.now() - belief.heard;
        // One whose key was replaced is heard, and not believed until its new proof has come.
        const bool was_replaced = world_.replaced->of.contains(note.node);
        if (wrong && !is_unreached(belief) && !refuses_for_another(belief) && belief.heard >= Duration(0) &&
            silent < Timing{}.suspect_after && !was_replaced)
            fail(watched, "believes " + note.node + " dead, which it hears itself");
        if (wrong && !left && could_reconnect(host, belief))
            fail(watched, "believes " + note.node + " dead, which a new connection would have reached");
        belief.live = belief.denies = false;
        belief.heard = belief.published = Duration(-1);
    }
}

/// It has met a later life of the name. The earlier ones may run, if that is an impostor's.
void Model::see_successor(Watched& watched, const Host& host, const std::string& name) const {
    for (const NodeInfo& info : host.core().nodes())
        for (const auto& life : truth_.lives())
            if (info.id.name == name && life->id.name == name && life->running && life->id < info.id)
                watched.life->replaced.insert(life->index);
}

/// With how many refutations a node is called dead, and which of its own it tells.
void Model::see_news(Watched& watched, const proto::PeerNews& news) {
    for (const proto::PeerRecord& record : news.peers) {
        if (record.id == watched.life->id) {
            if (watched.refuting) watched.life->refuted.emplace(record.refutation, *watched.refuting);
            watched.refuting.reset();
        } else if (record.state == NodeState::down) {
            Belief& belief = watched.beliefs[record.id.name];
            belief.dead = record.id;
            belief.refutation = record.refutation;
        }
    }
}

/// Members that go with their node are told why it went.
void Model::see_reasons(Watched& watched, const WatchEvent& event) {
    const bool down = event.reason == Reason::node_down;
    if (event.kind != WatchEvent::Kind::leave || (!down && event.reason != Reason::node_left)) return;
    for (const GroupMembers& part : event.groups) {
        for (const Member& member : part.members) {
            const std::string& name = member.id.node.name;
            const std::pair way{name, down ? NodeState::down : NodeState::left};
            if (!cause_.parted.contains(way) && !watched.parting.contains(way))
                fail(watched, "tells of members of " + name + " gone for a reason that is not why it went");
        }
    }
}

/// What was called dead is shown again with what it had when it said that it lives: nobody is back who had left then.
void Model::check_returned(Watched& watched, const Core& core, const Life& life) {
    const auto belief = watched.beliefs.find(life.id.name);
    if (belief == watched.beliefs.end() || belief->second.dead != life.id) return;
    const auto refuted = life.refuted.upper_bound(belief->second.refutation);
    const std::uint64_t applied = core.applied(life.id.name).value;
    if (refuted != life.refuted.end() && applied < refuted->second) {
        fail(watched, "shows " + life.id.name + " again at position " + std::to_string(applied) +
                          ", although it stood at " + std::to_string(refuted->second) + " when it refuted its death");
    }
}

/// What must be gone at the end: members whose worker is, and what waits for nodes that all are there.
std::optional<std::string> Model::left_over(const Watched& watched, const Host& host) const {
    for (const auto& [key, numbers] : watched.life->held) {
        const Owner& owner = key.first;
        if (!owner.worker.empty() && is_attached_ && !is_attached_(owner.worker, host, owner.number))
            return "keeps members of a session of " + owner.worker + " that has ended";
    }
    for (const auto& other : world_.hosts) {
        if (!other->running()) return std::nullopt;
    }
    const auto counters = host.core().status().counters;
    const auto queue = counters.find("link_queue");
    if (queue != counters.end() && queue->second > 0)
        return "waits for the acknowledgement of " + std::to_string(queue->second) + " items";
    return std::nullopt;
}

}  // namespace muster::sim
