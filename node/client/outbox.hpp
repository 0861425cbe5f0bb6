// The actions that a session asks for, and the identity that its messages carry.
#pragma once

#include <cstdint>
#include <string>

#include "node/client/actions.hpp"

namespace muster::client {

/// Collects actions in the order in which the shell performs them. Every message carries the scope, the worker's name
/// and the token of the current session (PROTOCOL.md, "The header").
///
/// With a state file (`keeps`), a request is reserved and kept before it is sent: a process that continues the session
/// then knows of every request that the node may have seen (PROTOCOL.md, "Going on in another process").
class Outbox {
public:
    /// Without `keeps`, no Keep and no Reserve is emitted.
    /// `life`: of this process; see WorkerHello.
    Outbox(std::string scope, std::string worker, bool keeps, std::uint64_t life);

    /// The token of the current session; 0 before the first one.
    [[nodiscard]] SessionToken token() const { return token_; }
    /// Sessions of this process are numbered 1, 2, 3, …; 0 before the first one.
    [[nodiscard]] std::uint64_t session() const { return session_; }

    /// The session that an earlier process kept becomes session 1. Its requests may have numbers up to `reserved`.
    void continue_session(SessionToken token, std::uint64_t reserved);
    /// A new session begins. `header` is that of the node's welcome; `home` is the address where it can be resumed.
    void begin_session(const proto::Header& header, SessionToken token, const NodeInfo& node, const std::string& home);
    /// Marks the kept session as ended.
    void end_session();

    /// `resume`: ask for the current session, whose stream was handled up to `handled`. Otherwise ask for a new one.
    void send_hello(bool resume, std::uint64_t handled);
    void send(proto::Body body);
    /// The same in an earlier session, over the connection that was kept.
    void send_old(SessionToken token, proto::Body body);
    /// A request that has not been sent in this session yet.
    void send_request(const proto::Body& request, std::uint64_t number);
    /// The same request once more, after the session was resumed.
    void repeat_request(const proto::Body& request, std::uint64_t number);
    /// Must precede every action that the reply causes. Only for requests that `is_remembered` names, watches excepted.
    void keep_reply(const proto::Body& reply, std::uint64_t number);

    /// Does nothing if `call` is 0.
    void answer(CallId call, Reply reply);
    void announce(bool attached, std::string text);
    void add(Action action) { actions_.push_back(std::move(action)); }

    /// Moves the actions to `actions`. What `actions` held is dropped; its memory is reused.
    void take(Actions& actions) {
        actions.clear();
        actions.swap(actions_);
    }

private:
    [[nodiscard]] proto::Message message(proto::Body body, std::uint64_t number) const;
    void keep(const proto::Body& body, std::uint64_t number);
    void reserve(std::uint64_t number);

    const std::string scope_;
    const std::string worker_;
    const bool keeps_;
    const std::uint64_t life_;
    SessionToken token_;
    std::uint64_t session_ = 0;
    std::uint64_t reserved_ = 0;  // the state file allows request numbers up to this one
    Actions actions_;
};

}  // namespace muster::client
