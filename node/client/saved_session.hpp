// What another process needs to know to continue a session (PROTOCOL.md, "Going on in another process").
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// Plain data, built from the messages that were exchanged. Without a token there is no session to continue.
struct SavedSession {
    /// One join and those of its members that have not left; there is at least one.
    struct Join {
        proto::JoinRequest request;
        std::uint64_t unseen = 0;
        std::set<MemberNumber> members;
        bool again = false;  // joined by a RejoinRequest
    };
    /// The number of the request, and the join's place in it; places of a RejoinRequest may have gaps.
    using JoinKey = std::pair<std::uint64_t, std::size_t>;
    using Joins = std::map<JoinKey, Join>;

    std::string scope;
    std::string worker;
    SessionToken token;
    NodeId speaker;  // origin and incarnation of the node's messages
    NodeInfo node;
    std::string home;            // the address where the session can be resumed
    std::uint64_t received = 0;  // the stream was handled up to this item
    std::uint64_t requests = 0;  // no request has a higher number
    Joins joins;
    std::unordered_map<MemberNumber, JoinKey> owners;  // member -> key in `joins`
    /// JoinRequest, RejoinRequest, LeaveRequest and UnwatchRequest without a reply, by number.
    std::map<std::uint64_t, proto::Body> unfinished;
    std::set<std::uint64_t> watches;  // numbers of the requests
};

/// Whether this request must be applied before it is sent. Its reply must be applied, too, unless it is a WatchRequest.
bool is_remembered(const proto::Body& request);

/// Applies the next message of the conversation: WorkerHello and WorkerWelcome begin a session (`nodes` of this welcome
/// is the one address that was connected to), WorkerGoodbye ends it, and requests and replies change it.
/// A RejoinRequest may have the number of one that was answered: together they are one request. False if the message
/// cannot come at this point: `saved` is unchanged then.
bool apply(SavedSession& saved, const proto::Message& message);

/// The shortest conversation that results in `saved`, except for `received` and `requests`.
std::vector<proto::Message> conversation_of(const SavedSession& saved);

}  // namespace muster::client
