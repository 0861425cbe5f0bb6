// A small node behind a real ROUTER socket, for tests of the Worker.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "proto/codec.hpp"

namespace muster::client {

/// Serves one worker: keeps its session, numbers its members, answers its requests, and sends the items that a test
/// puts into the stream. Thread-safe.
class FakeNode {
public:
    explicit FakeNode(std::string name, std::chrono::milliseconds ttl = std::chrono::milliseconds(2000));
    ~FakeNode();

    [[nodiscard]] std::string address() const;

    /// Notifies all members that the worker joined in this session.
    void notify(const std::string& data);
    void push(proto::Body item);
    /// Closes the socket and opens it again at the same port. The session is kept.
    void break_connections();
    void kill();
    /// Sends nothing any more, but still receives.
    void fall_silent() { silent_ = true; }
    /// Does not answer requests any more.
    void stop_answering() { answering_ = false; }
    void refuse(ErrorCode code, std::string text);
    /// Asks the worker to go to another node.
    void move();

    /// Waits at most 10 s for the condition. Returns whether it holds.
    bool wait_for(const std::function<bool(const FakeNode&)>& holds);
    // For conditions of `wait_for`.
    std::uint64_t received = 0;  // from the last heartbeat
    std::uint64_t sessions = 0;  // new ones
    std::uint64_t resumes = 0;
    std::uint64_t heartbeats = 0;
    std::uint64_t goodbyes = 0;
    std::vector<proto::Body> requests;
    std::vector<std::uint64_t> members;

private:
    void run();
    void open();
    void take(std::string route, proto::Message&& message);
    void hello(const std::string& route, const proto::Message& message);
    void answer(const proto::Header& header, const proto::Body& request);
    void flush();
    void send(const std::string& route, proto::Body body, std::uint64_t seq);

    const std::string name_;
    const std::chrono::milliseconds ttl_;
    std::uint16_t port_ = 0;
    zmq::context_t context_;
    zmq::socket_t socket_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> reopen_{false};
    std::atomic<bool> silent_{false};
    std::atomic<bool> answering_{true};

    std::mutex mutex_;
    std::condition_variable changed_;
    std::string route_;
    std::uint64_t token_ = 0;
    std::uint64_t last_token_ = 41;
    std::uint64_t last_member_ = 0;
    std::uint64_t last_request_ = 0;
    bool move_ = false;
    std::vector<proto::Body> stream_;  // number 1 first
    std::size_t sent_ = 0;
    std::optional<proto::Refuse> refusal_;
    std::thread thread_;
};

}  // namespace muster::client
