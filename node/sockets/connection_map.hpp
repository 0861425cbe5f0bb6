// Maps lines of ZeroMQ's connections to the core's connection ids, and back.
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

/// A routing id is not an identity, because a peer can choose any. So the core gets a ConnectionId for each line of a
/// connection (PROTOCOL.md, "Bundles"), a number that is never used again.
///
/// Bounded: when there are more than `max_connections`, the one that was unused for longest is forgotten, first one
/// that has no session: otherwise a single connection could push out all others by its lines. One that was unused for
/// `idle` is forgotten, too. That does not happen to a session, since a node sends to it every 100 ms. A forgotten one
/// gets a new id when something arrives from it.
class ConnectionMap {
public:
    ConnectionMap(std::size_t max_connections, cluster::Duration idle)
        : max_connections_(max_connections), idle_(idle) {}

    struct Connection {
        std::string routing_id;
        std::uint64_t line = 0;
        int descriptor = -1;      // of the TCP connection that was used last
        bool in_bundles = false;  // its messages come in bundles, and are sent in bundles
    };
    /// The id for a line; a new one if it has none. Counts as use. `from`: what is known of the connection now.
    cluster::ConnectionId id_of(const Connection& from, cluster::Instant now);
    /// The connection of an id, valid until the next call; nullptr if it was forgotten. Counts as use.
    const Connection* find(cluster::ConnectionId id, cluster::Instant now);
    /// It has a session.
    void has_session(cluster::ConnectionId id);
    void forget(cluster::ConnectionId id);
    /// Forgets all connections.
    void clear();
    /// Forgets the connections that were not used for `idle`.
    void expire(cluster::Instant now);
    [[nodiscard]] std::size_t size() const { return by_id_.size(); }
    /// How many were forgotten since the last call because there were too many.
    std::size_t take_evicted() { return std::exchange(evicted_, 0); }

private:
    struct Entry {
        Connection connection;
        cluster::ConnectionId id;
        cluster::Instant used;
        bool has_session = false;
    };
    using Entries = std::list<Entry>;  // most recently used first
    using Line = std::pair<std::string, std::uint64_t>;
    struct LineHash {
        std::size_t operator()(const Line& line) const {
            return std::hash<std::string>()(line.first) + 31 * std::hash<std::uint64_t>()(line.second);
        }
    };

    Entries& list_of(Entries::iterator entry) { return entry->has_session ? sessions_ : others_; }
    void touch(Entries::iterator entry, cluster::Instant now);
    void erase(Entries::iterator entry);

    std::size_t max_connections_;
    cluster::Duration idle_;
    std::size_t evicted_ = 0;
    std::uint64_t last_id_ = 0;
    Entries sessions_;
    Entries others_;  // without a session
    std::unordered_map<Line, Entries::iterator, LineHash> by_line_;
    std::unordered_map<cluster::ConnectionId, Entries::iterator> by_id_;
};

}  // namespace muster::node
