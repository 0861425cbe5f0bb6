// Counts and bounds the connections of one socket, and the memory that libzmq uses for them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include <zmq.hpp>

#include "node/io/node_counters.hpp"
#include "node/io/zmq_io.hpp"

namespace muster::node {

/// libzmq accepts any number of connections. This class counts them with a socket monitor. At `Bounds::connections` it
/// makes the kernel drop further connection attempts, which are retried, instead of refusing them: a peer takes a
/// refused connect as proof that this process is gone. Connections that are accepted before the loop has read the
/// monitor exceed the bound.
///
/// libzmq's high-water marks count messages, and do not count the parts of a message that has not ended. So check()
/// compares the bytes that the kernel has transferred for each connection (TCP_INFO) with the bytes that the loop has
/// received from it and sent to it, and closes connections for which libzmq holds more than `Bounds::bytes` in one
/// direction. If it holds more than `Bounds::all_bytes` for all of them, the fullest end, of the address for which it
/// holds most.
///
/// A connection is idle until used() is called for it, and again when that has not happened for `Bounds::idle`. Idle
/// connections end after that time, and before it when a port is nearly full: first those of the address that has most
/// of them, the oldest first. So they keep nobody out who does something with a connection.
///
/// Used by the loop's thread only.
class Connections {
public:
    using Clock = std::chrono::steady_clock;

    struct Bounds {
        std::size_t connections = 0;
        std::size_t bytes = 0;
        Clock::duration idle = std::chrono::seconds(40);  // a node that dials keeps its connection for 30 s
        std::size_t all_bytes = std::size_t{1} << 30;
    };
    /// `open`: the number of open connections is written there.
    Connections(zmq::context_t& context, Bounds bounds, NodeCounters& counters, ConnectionCounts::Count& open);
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    /// Monitors `socket`, which must not be bound or connected yet, instead of any earlier one. A monitored socket must
    /// not be closed before this is called for another one or this object is destroyed.
    void monitor(Socket& socket);
    void add_to(Poller& poller) {
        if (monitored_ != nullptr) poller.add(monitor_);
    }
    /// Handles what the monitor has reported. Must be called in every turn.
    void drain();
    /// Accounts for a message that the loop has received. Returns the descriptor of its connection, or -1 if libzmq
    /// made the message itself.
    int received(Parts& parts);
    /// Accounts for bytes that the loop has passed to libzmq for this connection.
    void sent(int descriptor, std::size_t bytes);
    /// The connection has a session, or belongs to a peer. `for_good`: it is not idle again.
    void used(int descriptor, bool for_good);
    /// Whether the process has few descriptors left. If so, no more connections are accepted, as at
    /// Bounds::connections: the node needs the rest for its own connections and files. Must be called before each
    /// drain().
    void scarce(bool few_descriptors) { scarce_ = few_descriptors; }
    /// Accepts the connections that wait, and closes them. To be called while descriptors are scarce: otherwise
    /// libzmq's thread would try to accept them in a busy loop.
    void refuse_waiting() const;
    /// Closes connections for which libzmq holds too many bytes, and idle ones. Each call checks a part of all
    /// connections.
    void check();

private:
    struct Flow {
        // Bytes that the loop has received from the connection and sent to it.
        std::uint64_t received = 0;
        std::uint64_t sent = 0;
        // Bytes that libzmq held at the latest check.
        std::uint64_t held_in = 0;
        std::uint64_t held_out = 0;
        std::string address{};         // of the other end
        Clock::duration opened{};      // as of observed_
        Clock::duration idle_since{};  // as of observed_
        bool is_ending = false;
        [[nodiscard]] std::uint64_t held() const { return held_in + held_out; }
    };
    void stop_monitoring();
    void read_events();
    void handle(std::uint16_t event, std::int32_t value);
    void handshake_failed(std::uint16_t event, std::int32_t reason);
    void hold_off(bool full);
    void check(int descriptor, Flow& flow);
    void close_overfull(int descriptor, Flow& flow);
    void close_fullest();
    void accepted(int descriptor);
    /// The flow of a connection that is new.
    Flow& begin(int descriptor);
    void uncount(const Flow& flow);
    [[nodiscard]] bool is_idle(const Flow& flow) const;
    /// Ends idle connections if there is little room.
    void make_room();
    void end(int descriptor, Flow& flow);

    zmq::context_t& context_;
    Socket monitor_;
    void* monitored_ = nullptr;
    Bounds bounds_;
    NodeCounters& counters_;
    int listener_ = -1;  // the listening descriptor; -1 for a socket that only connects
    bool full_ = false;  // no connection is accepted
    bool scarce_ = false;
    std::map<int, Flow> flows_;  // of the open connections, by descriptor
    std::size_t ending_ = 0;     // of them
    std::uint64_t held_ = 0;     // by libzmq for all
    int checked_ = -1;           // the descriptor that was checked last
    /// Time during which this thread looked at connections. Time during which it was stuck does not count, because
    /// nobody could use a connection then.
    Clock::duration observed_{};
    Clock::time_point looked_{};
    ConnectionCounts::Count& open_;
};

/// How many sessions may be there, given the connections of the front door: the rest is room for connections that say
/// who they are, above all of nodes.
std::size_t most_sessions(std::size_t door_connections);

/// How many connections each port may have, given the limit of file descriptors (RLIMIT_NOFILE): half of it for the
/// front door, an eighth for each port for nodes, and never more than `most`. The rest remains for connections that
/// this node makes.
struct ConnectionShares {
    std::size_t door = 0;
    std::size_t nodes = 0;
};
ConnectionShares share_descriptors(std::size_t most);

}  // namespace muster::node
