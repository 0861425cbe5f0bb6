// What has to be remembered of a session so that another process can go on
// with it: a digest of what was said, in the protocol's own messages.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/messages.hpp"

namespace muster::client {

/// Plain data; empty (no token) when there is no session to go on with.
struct SavedSession {
    /// What one join made; never without members.
    struct Join {
        proto::JoinRequest request;
        std::uint64_t unseen = 0;
        std::set<MemberNumber> members;
    };

    std::string scope;
    std::string worker;
    SessionToken token;
    NodeId speaker;  // as the node's messages name it
    NodeInfo node;
    std::string home;                                        // "host:port" where the session can be resumed
    std::uint64_t received = 0;                              // of the stream: handlers have returned
    std::uint64_t requests = 0;                              // no request has a higher number
    std::map<std::uint64_t, Join> joins;                     // by number of their request
    std::unordered_map<MemberNumber, std::uint64_t> owners;  // which of `joins` a member is of
    /// Joins, leaves and ends of watches that have no answer yet.
    std::map<std::uint64_t, proto::Body> unfinished;
    std::set<std::uint64_t> watches;  // numbers of their requests
};

/// Whether this request, and its reply unless it makes a watch, is to be remembered.
bool is_remembered(const proto::Body& request);

/// Takes in what was said: WorkerHello and WorkerWelcome (whose `nodes` are only the address that was
/// called) begin a session, WorkerGoodbye ends it; requests as they are sent; their replies.
/// False when that cannot have been said at this point.
bool apply(SavedSession& saved, const proto::Message& message);

/// The shortest conversation that leads to `saved`, `received` and `requests` aside.
std::vector<proto::Message> conversation_of(const SavedSession& saved);

}  // namespace muster::client
