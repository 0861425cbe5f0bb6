// What a session asks of the shell around it, to be done in the order given.
#pragma once

#include <muster/tracker.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// Pairs a user's call with its Answer; chosen by the shell. 0: nobody waits.
using CallId = StrongId<struct ClientCallTag>;

/// Shared by all members of one join; called on the handlers' thread only.
using Handler = std::shared_ptr<const OnNotification>;

struct WatchHandler {
    explicit WatchHandler(OnWatch f) : call(std::move(f)) {}
    OnWatch call;
    std::atomic<bool> ended{false};  // set by unwatch, from any thread
};

/// Close the connection, if there is one, and open a fresh one to "host:port".
struct Open {
    std::string address;
};
/// On the open connection. One that cannot be sent means that the connection is broken.
struct Send {
    proto::Message message;
};
/// Try a TCP connect, and tell `connection_refused` if, and only if, it is refused.
struct Check {
    std::string address;
};

using Reply = std::variant<Done, Error, Joined, std::vector<MemberId>, std::vector<Member>, std::vector<GroupInfo>,
                           std::vector<NodeInfo>, Status, NotifyReport>;
/// The value of a reply that can only be a T or an Error.
template <class T>
Result<T> result_of(Reply reply) {
    if (auto* value = std::get_if<T>(&reply)) return std::move(*value);
    if (auto* error = std::get_if<Error>(&reply)) return std::move(*error);
    return Error{ErrorCode::refused, "the node gave an answer to another question: update muster there or here"};
}

/// The end of a call.
struct Answer {
    CallId call;
    Reply reply;
};

struct Target {
    MemberNumber member;
    Handler handler;
};
using Targets = std::vector<Target>;
/// A notification for these members, each with its handler.
struct Deliver {
    proto::SharedNotice notice;
    std::shared_ptr<const Targets> targets;  // not null; most notifications are for the same ones as the last
};
/// Notifications were lost for good.
struct Lost {
    std::uint64_t missed = 0;
};
struct WatchUpdate {
    std::shared_ptr<WatchHandler> handler;
    WatchEvent event;
};
struct Attachment {
    bool attached = false;
    std::string text;
};
/// The state file cannot be written any more.
struct StateLost {
    std::string text;
};
/// For the handlers' thread, in order. When it is done there, the shell calls `handled(session, seq)`.
/// monostate: nothing to do, but its turn in the order counts.
struct Item {
    std::uint64_t session = 0;
    std::uint64_t seq = 0;  // in the session's stream; 0: not of the stream
    std::variant<std::monostate, Deliver, Lost, WatchUpdate, Attachment, StateLost> what;
};
/// For the state file, before any action that follows: said, or about to be.
struct Keep {
    proto::Message message;
    std::uint64_t session = 0;
};
/// For the state file: no request has a higher number.
struct Reserve {
    std::uint64_t requests = 0;
};

using Action = std::variant<Open, Send, Check, Answer, Item, Keep, Reserve>;
using Actions = std::vector<Action>;

}  // namespace muster::client
