// The front door: the socket whose address users configure.
#pragma once

#include <muster/result.hpp>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <zmq.hpp>

#include "node/io/emit.hpp"
#include "node/io/receive_budget.hpp"
#include "node/io/zmq_io.hpp"
#include "node/sockets/connection_map.hpp"
#include "node/sockets/other_majors.hpp"
#include "node/sockets/server_socket.hpp"
#include "proto/bundle.hpp"

namespace muster::node {

/// A ROUTER for the sessions of workers and for hellos of nodes (PROTOCOL.md, sections 1 and 9).
class Door {
public:
    /// `log` gets a warning for senders of another major version.
    Door(zmq::context_t& context, NodeCounters& counters, Security& security, Connections::Bounds bounds, Log log);
    Door(const Door&) = delete;
    Door& operator=(const Door&) = delete;

    [[nodiscard]] ServerSocket& server() { return server_; }
    /// Closes every connection. The port stays the same.
    std::optional<Error> reopen();
    /// The header of the refusals that the door sends by itself.
    void set_header(proto::Header header) { header_ = std::move(header); }
    void set_identity(const NodeId& self) { header_.incarnation = self.incarnation.value; }

    /// Sends on a connection, or keeps the message for a bundle until flush(). Emits ConnectionLost if the connection
    /// is gone, or if its queue is full.
    void send_to(cluster::ConnectionId connection, const proto::Message& message, const Emit& emit);
    void flush(const Emit& emit);
    /// Receives messages within the budget and emits them as Channel::door.
    void drain(const Emit& emit, ReceiveBudget budget);
    /// Forgets connections that were not used for long. To be called about once a second.
    void expire();

private:
    /// For one ZeroMQ connection.
    struct Outgoing {
        proto::BundleEncoder bundle;
        std::vector<cluster::ConnectionId> lines;  // that have messages in it
        int descriptor = -1;
    };
    using OutgoingBundles = std::unordered_map<std::string, Outgoing>;  // by routing id

    [[nodiscard]] Sent send_frame(const std::string& routing_id, int descriptor);
    void send_bundle(OutgoingBundles::value_type& outgoing, const Emit& emit);
    void unsent(cluster::ConnectionId connection, Sent why, const Emit& emit);
    void take_bundle(const Parts& parts, const ConnectionMap::Connection& from, const cluster::Sender& sender,
                     const Emit& emit, ReceiveBudget& budget);
    void take(proto::Decoded decoded, const Parts& parts, const ConnectionMap::Connection& from,
              const cluster::Sender& sender, const Emit& emit);
    void refuse_version(const Parts& parts, const cluster::Sender& sender);

    NodeCounters& counters_;
    Security& security_;
    ServerSocket server_;
    ConnectionMap connections_;
    OutgoingBundles outgoing_;                           // those that are empty are forgotten by expire()
    std::vector<OutgoingBundles::value_type*> to_send_;  // those that are not
    OtherMajors other_majors_;
    proto::Header header_;
    std::string buffer_;
};

}  // namespace muster::node
