// Everything that can happen to a core. The shell turns sockets, calls and
// time into these; nothing else enters.
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

/// A connection at the front door; given by the shell, not reused while it runs.
using ConnectionId = StrongId<struct ConnectionTag>;
/// A handler inside the process, chosen by the shell. Its members live until it leaves or is gone.
using HandlerId = StrongId<struct HandlerTag>;
/// In a LocalLeave: whichever handlers of the process have the members.
inline constexpr HandlerId kAnyHandler{};
/// A watcher inside the process, chosen by the shell.
using WatchId = StrongId<struct WatchTag>;
/// Pairs an embedded call with its Answer; chosen by the shell.
using CallId = StrongId<struct CallTag>;

/// Names a fan-out that wants to know what became of its deliveries; 0: none does.
using FanOutId = StrongId<struct FanOutTag>;

/// What became of `members` deliveries of a fan-out.
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
    door,     // at the front door, from whoever is behind `connection`
    dial,     // answer to a hello that was sent to `address`
};

/// Who speaks on a connection, as its key proves. Without keys: anyone.
struct Sender {
    enum class Role : std::uint8_t { anyone, node, worker, observer };
    Role role = Role::anyone;
    std::string name{};  // of the key; a node's key has the node's name

    bool operator==(const Sender&) const = default;
};

/// Time has passed. Sent only after everything that had arrived was stepped
/// through, so that no one is judged silent whose words lie in a socket.
struct Tick {};

struct MessageArrived {
    Channel channel = Channel::gossip;
    ConnectionId connection;  // door only
    std::string address;      // dial only
    proto::Message message;
    Sender sender{};  // but for gossip, which many write to one socket
};

/// A peer's subscription was seen on this node's publisher: its link is live.
struct LinkUp {
    NodeId peer;
};
/// The last live subscription of that peer is gone.
struct LinkLost {
    NodeId peer;
};
/// Answer to CheckProcess: a connect was refused, so the process is gone.
struct ProcessGone {
    NodeId peer;
};

/// A message could not be put on this connection: whoever was behind it is gone, or does not read.
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
/// As proto::LeaveRequest: the given members, or else the latest `count`.
struct LocalLeave {
    CallId call;
    HandlerId handler;
    Group group;
    std::vector<MemberNumber> members;
    std::uint64_t count = 1;
};
/// The handler ends: all its members leave, each once, in one delta.
struct HandlerGone {
    HandlerId handler;
};
/// What became of Deliver actions that a fan-out asked about: each of its members once, in any order and
/// any portions. Delivered is what the handler has returned from.
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
/// Empty group names: every group.
struct LocalWatch {
    WatchId watch;
    Group group;
};
struct LocalUnwatch {
    WatchId watch;
};
/// Leave the cluster for good: a goodbye is published and nothing is answered afterwards.
struct Shutdown {};

using EventBody =
    std::variant<Tick, MessageArrived, LinkUp, LinkLost, ProcessGone, ConnectionLost, LocalJoin, LocalLeave,
                 HandlerGone, HandlerOutcomes, LocalNotify, LocalWatch, LocalUnwatch, Shutdown>;

struct Event {
    Instant now;
    EventBody body;
};

}  // namespace muster::cluster
