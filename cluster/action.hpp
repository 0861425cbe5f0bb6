// The actions: all output of a core. The shell (node/) performs them in the order given. It drops an action that it
// cannot perform (queue full, connection lost); the core repeats what must arrive.
#pragma once

#include <muster/types.hpp>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/event.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// Sends a message to all subscribers of this node's publisher.
struct Publish {
    enum class Kind : std::uint8_t { news, heartbeat, deltas };
    proto::Message message;  // sealed if the cluster uses keys
    Kind kind = Kind::news;  // of the message inside the seal
};
/// Sends a message to the control socket of one connected peer.
struct SendPeer {
    std::string peer;
    proto::Message message;
};
/// Publishes a message to one peer alone, on its presence topic: its control socket cannot be reached.
struct PublishTo {
    NodeId peer;
    proto::Message message;  // sealed if the cluster uses keys
};
/// Sends a hello to the front door at an address, and connects to it first if necessary. The answers arrive with
/// Channel::dial.
struct Dial {
    std::string address;
    proto::Message message;
};
/// No more hellos go to this address for now. The shell may close its socket.
struct HangUp {
    std::string address;
};
/// Sends a message over a connection of the front door.
struct SendDoor {
    ConnectionId connection;
    proto::Message message;
};
/// Subscribes to a peer's gossip and connects to its control socket. Replaces earlier connections to a peer of this
/// name, even if the addresses are the same. A connection whose address is empty stays as it is.
struct ConnectPeer {
    NodeId peer;
    std::string control;
    std::string gossip;
};
struct DisconnectPeer {
    std::string peer;
};
/// Tries a TCP connect to `address`. The shell answers with ProcessGone if, and only if, it is refused.
struct CheckProcess {
    NodeId peer;
    std::string address;
};
/// A handler and its members of one group, in ascending order.
struct HandlerMembers {
    HandlerId handler;
    std::vector<MemberNumber> members;
};
using Recipients = std::vector<HandlerMembers>;
/// Hands a notification to handlers inside the process. If `fan_out` is set, the shell reports the outcome for every
/// awaited member with HandlerOutcomes.
struct Deliver {
    proto::SharedNotice notice;
    std::shared_ptr<const Recipients> to;
    FanOutId fan_out{};

    /// How many of `members` (the first ones) are awaited: those that the notifier's node matched. The others joined
    /// later; they get the notification, but the report is not about them.
    [[nodiscard]] std::uint64_t awaited(const std::vector<MemberNumber>& members) const;
};
/// Tells a handler inside the process that it missed `missed` deliveries to its members, in the place of the
/// notifications that were lost.
struct DeliverGap {
    HandlerId handler;
    std::uint64_t missed = 0;
};
/// Hands an event to a watcher inside the process.
struct TellWatcher {
    WatchId watch;
    WatchEvent event;
};
/// The result of a call from inside the process.
struct Answer {
    CallId call;
    std::variant<Done, proto::JoinReply, proto::LeaveReply, NotifyReport, Error> result;
};
/// The members of this group, or of any group, have changed. Views that were made before are outdated.
struct GroupChanged {
    std::optional<Group> group;  // nullopt: any
};
/// This node has taken a higher incarnation, because a later life of its name was known. It may do so at any time. The
/// members of its handlers keep their numbers; their ids contain the new incarnation.
struct IdentityChanged {
    NodeId self;
};
/// A log entry for operators. `node` may be empty.
struct Note {
    enum class Kind : std::uint8_t {
        ready,
        syncing,  // with its progress
        node_up,
        node_suspect,
        node_down,
        node_left,
        self_accused,     // other nodes declared this node down; it refuted that
        name_taken,       // another live node has this node's name; this node waits until that node is down
        new_incarnation,  // this node takes a higher incarnation while it serves
        dial_refused,     // a seed refused this node's hello
        peer_refused,     // there are as many live nodes as Bounds::peers allows
        administered,     // somebody used a verb that administers, or was refused it
        worker_up,
        worker_resumed,
        worker_lost,  // its connection is lost; its grace period begins
        worker_down,
        snapshot_taken,
        digest_mismatch,
        deltas_refused,    // a node published what no log may have
        table_refused,     // a node has more members, or they take more bytes, than this node keeps
        channel_silent,    // one way to or from a peer does not work, with the address that fails
        channel_restored,  // it works again
        overflow,
    };
    Kind kind = Kind::ready;
    std::string node;  // the node or worker that it is about
    std::string text;
};
/// The node cannot continue, because its name is taken: the shell ends it with this error. A node that was ready ends
/// only if a later life of its name has answered at another address.
struct Stop {
    Error error;
};

using Action =
    std::variant<Publish, SendPeer, PublishTo, Dial, HangUp, SendDoor, ConnectPeer, DisconnectPeer, CheckProcess,
                 Deliver, DeliverGap, TellWatcher, Answer, GroupChanged, IdentityChanged, Note, Stop>;
using Actions = std::vector<Action>;

std::string_view to_string(Note::Kind kind);

}  // namespace muster::cluster
