// Hellos to addresses, one DEALER for each address dialed.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <zmq.hpp>

#include "cluster/time.hpp"
#include "node/gossip.hpp"
#include "node/resolver.hpp"

namespace muster::node {

/// A name is looked up at every dial, and every address it has is dialed: the
/// answers count as the name's. A connection that has not answered for a while
/// is opened anew with the next dial (libzmq gives some up for ever), and one
/// that is not used for 30 s is closed. Bounded: beyond kMaxConnections the one
/// that was dialed longest ago is closed.
class Dialer {
public:
    static constexpr std::size_t kMaxConnections = 512;
    /// Told of a name that has no address, at most once a minute for each name.
    using Warn = std::function<void(const std::string&)>;

    Dialer(zmq::context_t& context, FrameCounts& counts, Resolver& resolver, Warn warn);

    void dial(const std::string& address, const proto::Message& message);
    void hang_up(const std::string& address);
    /// A name's addresses have been found. False when nobody had dialed it.
    bool resolved(const Resolver::Found& found);

    void add_to(std::vector<zmq::pollitem_t>& items);
    std::size_t drain(const Emit& emit, std::size_t budget);
    /// Closes what has not been used for long.
    void expire();

private:
    struct Connection {
        zmq::socket_t socket;
        std::string dialed;  // the address as it was asked for
        cluster::Instant used;
        cluster::Instant heard;  // or opened
    };
    struct Name {
        std::optional<std::string> waiting;  // an encoded hello
        std::optional<cluster::Instant> warned;
        cluster::Instant used;
    };

    void send_to(const std::string& dialed, const std::string& numeric, const std::string& hello);
    void make_room();

    zmq::context_t& context_;
    FrameCounts& counts_;
    Resolver& resolver_;
    Warn warn_;
    std::map<std::string, Connection> connections_;  // by numeric address
    std::map<std::string, Name> names_;
};

}  // namespace muster::node
