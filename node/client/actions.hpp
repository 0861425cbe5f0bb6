// What a session asks of the code around it (WorkerLoop), which performs the actions in the order given.
#pragma once

#include <muster/tracker.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "node/client/time.hpp"
#include "proto/messages.hpp"

namespace muster::client {

/// Pairs a user's call with its Answer. WorkerLoop chooses it; 0 means that nobody waits for an answer.
using CallId = StrongId<struct ClientCallTag>;

/// One for all members of a join. Called on the handlers' thread only.
using Handler = std::shared_ptr<const OnNotification>;

struct WatchHandler {
    explicit WatchHandler(OnWatch f, bool parts = false) : call(std::move(f)), in_parts(parts) {}
    OnWatch call;
    const bool in_parts;             // it is called with each part of an event
    std::atomic<bool> ended{false};  // set by unwatch on any thread: the handler must not be called any more
};

/// Find out the numeric addresses of "host:port" or "NAME@host:port", and call `resolved` when they are known.
struct LookUp {
    std::string address;
};
/// Close the connection, if there is one, and open a new one.
struct Open {
    std::string address;   // "host:port" or "NAME@host:port": says which key to expect
    std::string endpoint;  // one of its numeric addresses, "number:port"
};
/// Send over the open connection. If that fails, the connection is broken.
struct Send {
    proto::Message message;
};
/// Keep the open connection next to the one that is opened next. What arrives over it is not read.
struct KeepOld {};
/// Send over the connection that was kept. If that fails, nothing need be done.
struct SendOld {
    proto::Message message;
};
/// Close the connection that was kept, after what was sent over it has left.
struct CloseOld {};
/// Try a TCP connect. Call `connection_refused` if the port refuses it, or there is no way to it, and
/// `connection_unanswered` if the host does not answer in the time of `patience`.
struct Check {
    std::string endpoint;
    Duration patience;
};

using Reply = std::variant<Done, Error, Joined, std::vector<MemberId>, std::vector<Member>, std::vector<GroupInfo>,
                           std::vector<NodeInfo>, Status, NotifyReport>;
/// For a reply that is a T or an Error. Any other reply becomes an Error, because the node broke the protocol.
template <class T>
Result<T> result_of(Reply reply) {
    if (auto* value = std::get_if<T>(&reply)) return std::move(*value);
    if (auto* error = std::get_if<Error>(&reply)) return std::move(*error);
    return Error{ErrorCode::refused, "the node's answer does not fit the request: update muster there or here"};
}

/// A call has ended.
struct Answer {
    CallId call;
    Reply reply;
};

struct Target {
    MemberNumber member;
    Handler handler;
};
using Targets = std::vector<Target>;
/// Call each member's handler with the notification.
struct Deliver {
    proto::SharedNotice notice;
    std::shared_ptr<const Targets> targets;  // not null; shared, because most notifications go to the same members
};
/// Notifications were lost for good.
struct Lost {
    std::uint64_t missed = 0;  // deliveries to members
    bool at_least = false;     // perhaps more
};
/// Call the watch's handler, unless the watch has ended.
struct WatchUpdate {
    std::shared_ptr<WatchHandler> handler;
    WatchEvent event;
};
/// The worker was attached to a node or lost it.
struct Attachment {
    bool attached = false;
    std::string text;
};
/// The state file cannot be written any more: the next process will be a new worker.
struct StateLost {
    std::string text;
};
/// For the handlers' thread, in order. When it is done there, WorkerLoop calls `handled(session, seq)`.
/// monostate: nothing to do, but the item must still be acknowledged in its turn.
struct Item {
    std::uint64_t session = 0;  // see Outbox::session
    std::uint64_t seq = 0;      // in the session's stream; 0: the item is not of the stream
    std::variant<std::monostate, Deliver, Lost, WatchUpdate, Attachment, StateLost> what;
};
/// Write a message that was received or is about to be sent to the state file, before the actions that follow.
struct Keep {
    proto::Message message;
    std::uint64_t session = 0;
};
/// Write to the state file that requests may have numbers up to this one.
struct Reserve {
    std::uint64_t requests = 0;
};

using Action = std::variant<LookUp, Open, Send, KeepOld, SendOld, CloseOld, Check, Answer, Item, Keep, Reserve>;
using Actions = std::vector<Action>;

}  // namespace muster::client
