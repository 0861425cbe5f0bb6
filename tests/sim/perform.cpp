// The actions of a core, done on the simulated network.
#include <type_traits>

#include "proto/codec.hpp"
#include "tests/sim/world.hpp"

namespace muster::sim {

using namespace cluster;  // NOLINT(google-build-using-namespace): this is the shell of the core

void Host::perform(const Action& action) {
    std::visit([&](const auto& what) { perform_one(action, what); }, action);
}

void Host::record(const Action& action, std::string_view encoded) {
    world_.transcript.take(world_.clock.now(), place_, action, encoded);
}

std::vector<Frame> Host::encoded(const Action& action, const proto::Message& message) {
    auto frames = speech_.frames(message);
    record(action, *frames.back());
    ++world_.coverage.messages[message.body.index()];
    return frames;
}

void Host::perform_one(const Action& action, const Publish& publish) {
    const auto frames = encoded(action, publish.message);
    for (const auto& [connection, peer] : subscribers_)
        for (const Frame& frame : frames) world_.network.publish(connection, frame);
    // The node's SUB is connected to its own XPUB as well: the core's canary.
    post_later(random_.within(microseconds(100), milliseconds(2)),
               {MessageArrived{Channel::gossip, {}, {}, {}}, frames.back()});
}

void Host::perform_one(const Action& action, const SendPeer& send) {
    const auto frames = encoded(action, send.message);
    const auto found = peers_.find(send.peer);
    if (found == peers_.end()) return;
    for (const Frame& frame : frames) world_.network.send(found->second.control, frame);
}

void Host::perform_one(const Action& action, const PublishTo& publish) {
    const auto frames = encoded(action, publish.message);
    for (const auto& [connection, peer] : subscribers_) {
        if (peer != publish.peer) continue;
        for (const Frame& frame : frames) world_.network.publish(connection, frame);
    }
}

void Host::perform_one(const Action& action, const Dial& dial) {
    const auto frames = encoded(action, dial.message);
    auto found = dials_.find(dial.address);
    if (found == dials_.end()) {
        const ConnectorId connector = world_.network.connect(*this, dial.address, core_->self());
        found = dials_.emplace(dial.address, connector).first;
        dialled_.emplace(connector, dial.address);
    }
    bool sent = true;
    for (const Frame& frame : frames) sent = world_.network.send(found->second, frame) && sent;
    if (!sent) greetings_[dial.address] = frames;
}

void Host::perform_one(const Action& action, const SendDoor& send) {
    const auto frames = encoded(action, send.message);
    const auto found = door_connections_.find(send.connection);
    bool sent = found != door_connections_.end();
    for (const Frame& frame : frames) sent = sent && world_.network.send(found->second, frame);
    if (!sent) post_later(Duration(0), {ConnectionLost{send.connection}, {}});
}

void Host::perform_one(const Action& action, const ConnectPeer& connect) {
    record(action, connect.peer.name + connect.control + connect.gossip);
    PeerLink& link = peers_[connect.peer.name];
    const auto open = [this](ConnectorId& connector, const std::string& address) {
        if (address.empty()) return;
        world_.network.hang_up(connector);
        connector = world_.network.connect(*this, address, core_->self());
    };
    open(link.control, connect.control);
    open(link.gossip, connect.gossip);
}

void Host::perform_one(const Action& action, const CheckProcess& check) {
    record(action, check.peer.name + check.address);
    world_.network.probe(place_, check.address, [this, life = lives_, peer = check.peer] {
        if (life == lives_) post({ProcessGone{peer}, {}});
    });
}

void Host::perform_one(const Action& action, const Note& note) {
    record(action, note.node + note.text);
    ++world_.coverage.notes[note.kind];
}

void Host::perform_one(const Action& action, const IdentityChanged& changed) {
    record(action, changed.self.name + std::to_string(changed.self.incarnation.value));
    ++world_.coverage.marks["incarnation adopted"];
    performing_ = changed.self;
    for (const auto& [name, link] : peers_) world_.network.rename(link.gossip, changed.self);
}

void Host::disconnect_peer(const std::string& peer) {
    const auto found = peers_.find(peer);
    if (found == peers_.end()) return;
    world_.network.hang_up(found->second.control);
    world_.network.hang_up(found->second.gossip);
    peers_.erase(found);
}

/// What leaves no trace on the network, and closing.
template <class A>
void Host::perform_one(const Action& action, const A& other) {
    scratch_.clear();
    if constexpr (std::is_same_v<A, HangUp>) {
        scratch_ = other.address;
        const auto found = dials_.find(other.address);
        if (found != dials_.end()) {
            world_.network.hang_up(found->second);
            dialled_.erase(found->second);
            greetings_.erase(other.address);
            dials_.erase(found);
        }
    } else if constexpr (std::is_same_v<A, DisconnectPeer>) {
        scratch_ = other.peer;
        disconnect_peer(other.peer);
    } else if constexpr (std::is_same_v<A, Deliver>) {
        for (const Handed& one : handed(performing_, other)) {
            auto members = std::make_shared<const std::vector<MemberNumber>>(one.notification.members);
            proto::encode({{"", "", one.handler.value, one.fan_out.value},
                           proto::Deliveries{{{other.notice, std::move(members)}}}},
                          scratch_);
            handlers_.take(one);
        }
    } else if constexpr (std::is_same_v<A, DeliverGap>) {
        proto::encode({{"", "", other.handler.value, 0}, proto::Gap{other.missed}}, scratch_);
    } else if constexpr (std::is_same_v<A, TellWatcher>) {
        proto::encode({{}, proto::WatchNews{other.watch.value, other.event, true}}, scratch_);
    } else if constexpr (std::is_same_v<A, Answer>) {
        scratch_ = to_text(action);
    } else if constexpr (std::is_same_v<A, GroupChanged>) {
        if (other.group) scratch_ = other.group->store + other.group->feature;
    } else if constexpr (std::is_same_v<A, Stop>) {
        scratch_ = other.error.text;
        ending_ = stopped_by_core_ = true;
        ++world_.coverage.marks["node stopped by itself"];
    }
    record(action, scratch_);
}

}  // namespace muster::sim
