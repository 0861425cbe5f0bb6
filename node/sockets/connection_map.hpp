// Maps ZeroMQ's routing ids to the core's connection ids, and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "cluster/event.hpp"
#include "cluster/time.hpp"

namespace muster::node {

/// A routing id is not an identity, because a peer can choose any. So the core gets a ConnectionId, a number that is
/// never used again.
///
/// Bounded: when there are more than `max_connections`, the one that was unused for longest is forgotten. A connection
/// that was unused for `idle` is forgotten, too. Neither happens to a session, since a node sends to it every 100 ms. A
/// forgotten connection gets a new id when something arrives from it.
class ConnectionMap {
public:
    ConnectionMap(std::size_t max_connections, cluster::Duration idle)
        : max_connections_(max_connections), idle_(idle) {}

    struct Connection {
        std::string routing_id;
        int descriptor = -1;  // of the TCP connection that was used last
    };
    /// The id for a routing id; a new one if it has none. Counts as use.
    cluster::ConnectionId id_of(std::string_view routing_id, int descriptor, cluster::Instant now);
    /// The connection of an id, valid until the next call; nullptr if it was forgotten. Counts as use.
    const Connection* find(cluster::ConnectionId id, cluster::Instant now);
    void forget(cluster::ConnectionId id);
    /// Forgets all connections.
    void clear();
    /// Forgets the connections that were not used for `idle`.
    void expire(cluster::Instant now);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// How many were forgotten since the last call because there were too many.
    std::size_t take_evicted() { return std::exchange(evicted_, 0); }

private:
    struct Entry {
        Connection connection;
        cluster::ConnectionId id;
        cluster::Instant used;
    };
    using Entries = std::list<Entry>;  // most recently used first

    void touch(Entries::iterator entry, cluster::Instant now);
    void erase(Entries::iterator entry);

    std::size_t max_connections_;
    cluster::Duration idle_;
    std::size_t evicted_ = 0;
    std::uint64_t last_id_ = 0;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_routing_id_;  // views into entries_
    std::unordered_map<cluster::ConnectionId, Entries::iterator> by_id_;
};

}  // namespace muster::node
