// Everything a core can ask of its shell, to be done in the order given.
// An action that cannot be done (full queue, dead link) is dropped: the core
// repeats what matters.
#pragma once

#include <muster/types.hpp>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cluster/event.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// To everyone that is connected to this node's publisher.
struct Publish {
    enum class Kind : std::uint8_t { news, heartbeat, deltas };
    proto::Message message;  // sealed, where there are keys
    Kind kind = Kind::news;  // of what is in it
};
/// To one connected peer's control socket.
struct SendPeer {
    std::string peer;
    proto::Message message;
};
/// A hello to an address, connecting to its front door if need be. Answers come as Channel::dial.
struct Dial {
    std::string address;
    proto::Message message;
};
/// No more hellos to this address for now: its socket can be closed.
struct HangUp {
    std::string address;
};
/// To whoever is behind this connection of the front door.
struct SendDoor {
    ConnectionId connection;
    proto::Message message;
};
/// Subscribe to a peer's gossip and open a control link to it; replaces an
/// earlier connection to a peer of this name, even to the same addresses.
struct ConnectPeer {
    NodeId peer;
    std::string control;
    std::string gossip;
};
struct DisconnectPeer {
    std::string peer;
};
/// Try a TCP connect to `address`; tell ProcessGone if, and only if, it is refused.
struct CheckProcess {
    NodeId peer;
    std::string address;
};
/// A handler's members of one group, ascending.
struct HandlerMembers {
    HandlerId handler;
    std::vector<MemberNumber> members;
};
using Recipients = std::vector<HandlerMembers>;
/// A notification to handlers inside the process. With a fan-out, HandlerOutcomes must tell of each handler what
/// became of the members that are awaited.
struct Deliver {
    proto::SharedNotice notice;
    std::shared_ptr<const Recipients> to;
    FanOutId fan_out{};

    /// How many of these members, the first ones, the fan-out asks about: those no newer than it matched.
    [[nodiscard]] std::uint64_t awaited(const std::vector<MemberNumber>& members) const;
};
/// To a handler inside the process: so many notifications for its members were lost before this place.
struct DeliverGap {
    HandlerId handler;
    std::uint64_t missed = 0;
};
/// To a watcher inside the process.
struct TellWatcher {
    WatchId watch;
    WatchEvent event;
};
/// The end of an embedded call.
struct Answer {
    CallId call;
    std::variant<Done, proto::JoinReply, proto::LeaveReply, NotifyReport, Error> result;
};
/// Members of this group have changed: a view made earlier is out of date.
struct GroupChanged {
    Group group;
};
/// This node took a higher incarnation, because an earlier life had used its first choice.
struct IdentityChanged {
    NodeId self;
};
/// Something an operator would want to read. `node` may be empty.
struct Note {
    enum class Kind : std::uint8_t {
        ready,
        syncing,  // how far it is
        node_up,
        node_suspect,
        node_down,
        node_left,
        self_accused,  // others believed this node down; it refuted
        name_taken,    // waiting for the name's last owner to be found dead
        dial_refused,  // a seed answered with a refusal
        worker_up,
        worker_resumed,
        worker_lost,  // in its grace
        worker_down,
        snapshot_taken,
        digest_mismatch,
        overflow,
    };
    Kind kind = Kind::ready;
    std::string node;  // or worker
    std::string text;
};
/// The node cannot go on (its name is taken): end, with this error.
struct Stop {
    Error error;
};

using Action = std::variant<Publish, SendPeer, Dial, HangUp, SendDoor, ConnectPeer, DisconnectPeer, CheckProcess,
                            Deliver, DeliverGap, TellWatcher, Answer, GroupChanged, IdentityChanged, Note, Stop>;
using Actions = std::vector<Action>;

std::string_view to_string(Note::Kind kind);

}  // namespace muster::cluster
