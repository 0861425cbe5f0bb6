// libzmq's routing ids and the core's routes, both ways.
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

/// A routing id is no identity (a peer may choose any, and duplicates vanish):
/// the core sees a number of ours for each. Bounded: beyond `max_routes` the one
/// that was unused for longest is forgotten, and so is any that was unused for
/// `idle`. Sessions never are: a node speaks to them every 100 ms. What is
/// forgotten gets a new route when it speaks again.
class ConnectionMap {
public:
    ConnectionMap(std::size_t max_routes, cluster::Duration idle) : max_routes_(max_routes), idle_(idle) {}

    struct Way {
        std::string routing_id;
        int descriptor = -1;  // of the connection that was used last
    };
    /// The route of a routing id, made when there is none. Counts as use.
    cluster::ConnectionId route_of(std::string_view routing_id, int descriptor, cluster::Instant now);
    /// The way to a route, valid until the next call; nullptr when forgotten. Counts as use.
    const Way* way_of(cluster::ConnectionId route, cluster::Instant now);
    void forget(cluster::ConnectionId route);
    /// Forgets all; no number is used again.
    void clear();
    /// Forgets what has not been used for `idle`.
    void expire(cluster::Instant now);
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// How many were forgotten for want of room since the last call.
    std::size_t take_evicted() { return std::exchange(evicted_, 0); }

private:
    struct Entry {
        Way way;
        cluster::ConnectionId route;
        cluster::Instant used;
    };
    using Entries = std::list<Entry>;  // the latest used first

    void touch(Entries::iterator entry, cluster::Instant now);
    void erase(Entries::iterator entry);

    std::size_t max_routes_;
    cluster::Duration idle_;
    std::size_t evicted_ = 0;
    std::uint64_t last_route_ = 0;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_id_;  // views into entries_
    std::unordered_map<cluster::ConnectionId, Entries::iterator> by_route_;
};

}  // namespace muster::node
