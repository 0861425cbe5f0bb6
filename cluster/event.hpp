// The events: all input of a core. The shell (node/) makes them from messages, calls and time.
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/time.hpp"
#include "proto/messages.hpp"

namespace muster::cluster {

/// A connection at the front door. The shell chooses the id and uses no id twice while it runs.
using ConnectionId = StrongId<struct ConnectionTag>;
/// A handler inside the process. The shell chooses the id. The handler's members stand until they leave (LocalLeave) or
/// the handler ends (HandlerGone).
using HandlerId = StrongId<struct HandlerTag>;
/// In a LocalLeave: the members may belong to any handler of the process.
inline constexpr HandlerId kAnyHandler{};
/// A watcher inside the process. The shell chooses the id.
using WatchId = StrongId<struct WatchTag>;
/// Pairs a call from inside the process with its Answer. The shell chooses the id.
using CallId = StrongId<struct CallTag>;

/// A fan-out: one notice whose outcomes are collected here for a notifier that waits. 0: nobody waits.
/// See cluster/delivery/README.md.
using FanOutId = StrongId<struct FanOutTag>;

/// The outcome of deliveries to `members` awaited members of a fan-out.
struct Outcome {
    FanOutId fan_out;
    std::uint64_t members = 0;
    std::optional<MissReason> missed;  // empty: delivered

    bool operator==(const Outcome&) const = default;
};

/// How a message reached this node.
enum class Channel : std::uint8_t {
    gossip,   // published by a peer that this node is connected to
    control,  // sent by a node to this node's control socket
    door,     // sent over a connection to the front door, `connection`
    dial,     // the answer to a hello that was sent to `address`
};

/// The sender of a message, as the key of its connection proves. Without keys: anyone.
struct Sender {
    enum class Role : std::uint8_t { anyone, node, worker, observer, operator_ };
    Role role = Role::anyone;
    std::string name{};  // the key's name; for a node, the node's name

    bool operator==(const Sender&) const = default;
};

/// "operator ops"; "anyone".
std::string to_string(const Sender& sender);

/// Time has passed. The shell steps a Tick only after all messages that had arrived, so that the core does not suspect
/// a peer whose heartbeat lies unread in a socket.
struct Tick {};

struct MessageArrived {
    Channel channel = Channel::gossip;
    ConnectionId connection;  // door only
    std::string address;      // dial: as it was dialed. door: where a request that administers comes from
    proto::Message message;
    Sender sender{};        // empty for gossip: one socket receives from all peers
    bool is_local = false;  // door: a request that administers came over loopback
};

/// The peer has subscribed to this node's publisher: its connection is up.
struct LinkUp {
    NodeId peer;
};
/// The peer's last subscription has ended.
struct LinkLost {
    NodeId peer;
};
/// The answer to CheckProcess if the connect was refused: the peer's process has ended.
struct ProcessGone {
    NodeId peer;
};

/// A message could not be sent over this connection: it has ended, or its client does not read.
struct ConnectionLost {
    ConnectionId connection;
};

struct LocalJoin {
    CallId call;
    HandlerId handler;
    Group group;
    std::uint64_t count = 1;
    Meta meta;
    bool visible = false;
    Duration timeout = std::chrono::seconds(5);
};
/// The given members leave; without any, the latest `count` of the handler. As proto::LeaveRequest.
struct LocalLeave {
    CallId call;
    HandlerId handler;
    Group group;
    std::vector<MemberNumber> members;
    std::uint64_t count = 1;
};
/// The handler has ended: all its members leave, in one delta.
struct HandlerGone {
    HandlerId handler;
};
/// The outcomes of Deliver actions with a fan-out. Each awaited member is reported once, in any order and in any
/// portions. A member counts as delivered when its handler has returned.
struct HandlerOutcomes {
    std::vector<Outcome> outcomes;
};
struct LocalNotify {
    CallId call;
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    bool wait = false;
    Duration timeout = std::chrono::seconds(5);
};
/// Watches one group, or every group if both names are empty.
struct LocalWatch {
    WatchId watch;
    Group group;
};
struct LocalUnwatch {
    WatchId watch;
};
/// This node will leave soon: its workers are asked to go to other nodes. See Core::is_drained.
struct Drain {};
/// This node leaves the cluster. It publishes a goodbye, and ignores all later events.
struct Shutdown {};

using EventBody =
    std::variant<Tick, MessageArrived, LinkUp, LinkLost, ProcessGone, ConnectionLost, LocalJoin, LocalLeave,
                 HandlerGone, HandlerOutcomes, LocalNotify, LocalWatch, LocalUnwatch, Drain, Shutdown>;

struct Event {
    Instant now;
    EventBody body;
};

}  // namespace muster::cluster
