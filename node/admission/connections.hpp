// Who is connected to a socket: how many, and how much libzmq holds for each; counted, and bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include <zmq.hpp>

#include "node/io/node_counters.hpp"
#include "node/io/zmq_io.hpp"

namespace muster::node {

/// libzmq accepts without end. This hears of each connection that comes and goes, and when there are `connections`,
/// the kernel drops further attempts unanswered, until some have gone: who connects is not refused, which others would
/// take for the end of this process, but waits. What is accepted before the loop notices goes beyond the bound.
///
/// libzmq counts what it holds in messages, and the parts of one that never ends not at all. This compares, some times
/// a second, what the kernel has passed of each connection with what the loop took from it and gave to it, and ends
/// those for which more than `bytes` lie between, either way.
///
/// Used by one thread. The queue of what has happened has no high-water mark: libzmq's thread would wait there, and
/// with it every connection of the context. It grows by some hundred bytes a connection while the loop is busy.
class Connections {
public:
    struct Bounds {
        std::size_t connections = 0;
        std::size_t bytes = 0;
    };
    /// `size`: how many are open.
    Connections(zmq::context_t& context, Bounds bounds, NodeCounters& counts, ConnectionCounts::Count& size);
    ~Connections();
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;

    /// Looks at this socket from now on, which must not be bound or connected yet, and at none before it. To be called
    /// before that one is closed, as is the destructor.
    void watch(zmq::socket_t& socket);
    /// Takes in what has happened since.
    void drain();
    /// A message has been read. Answers the descriptor of the connection that it came by; -1: of none.
    int took(Parts& parts);
    /// So many bytes are on their way to this connection.
    void gave(int descriptor, std::size_t bytes);
    /// Ends connections that hold too much; looks at some of them at each call.
    void check();

private:
    /// Bytes that the loop took from a connection and gave to it.
    struct Flow {
        std::uint64_t taken = 0;
        std::uint64_t given = 0;
    };
    void take(std::uint16_t event, std::int32_t value);
    void failed(std::uint16_t event, std::int32_t why);
    void hold_off(bool full);
    void check(int descriptor, Flow& flow);

    void unwatch();

    zmq::context_t& context_;
    zmq::socket_t monitor_;
    void* watched_ = nullptr;
    Bounds bounds_;
    NodeCounters& counts_;
    int listener_ = -1;
    bool full_ = false;
    std::map<int, Flow> open_;  // by descriptor
    int checked_ = -1;          // the last one
    ConnectionCounts::Count& size_;
};

/// How the descriptors that the system grants are shared out: half to the front door, an eighth to each port for
/// nodes, at most `most` to any; the rest is for connections that this node makes.
struct ConnectionShares {
    std::size_t door = 0;
    std::size_t nodes = 0;
};
ConnectionShares share_descriptors(std::size_t most);

}  // namespace muster::node
