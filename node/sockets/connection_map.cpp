#include "node/sockets/connection_map.hpp"

#include <iterator>

namespace muster::node {

cluster::ConnectionId ConnectionMap::route_of(std::string_view routing_id, int descriptor, cluster::Instant now) {
    if (const auto found = by_id_.find(routing_id); found != by_id_.end()) {
        touch(found->second, now);
        found->second->way.descriptor = descriptor;
        return found->second->route;
    }
    if (entries_.size() >= max_routes_) {
        erase(std::prev(entries_.end()));
        ++evicted_;
    }
    entries_.push_front({{std::string(routing_id), descriptor}, cluster::ConnectionId{++last_route_}, now});
    by_id_.emplace(entries_.front().way.routing_id, entries_.begin());
    by_route_.emplace(entries_.front().route, entries_.begin());
    return entries_.front().route;
}

const ConnectionMap::Way* ConnectionMap::way_of(cluster::ConnectionId route, cluster::Instant now) {
    const auto found = by_route_.find(route);
    if (found == by_route_.end()) return nullptr;
    touch(found->second, now);
    return &found->second->way;
}

void ConnectionMap::forget(cluster::ConnectionId route) {
    if (const auto found = by_route_.find(route); found != by_route_.end()) erase(found->second);
}

void ConnectionMap::clear() {
    by_route_.clear();
    by_id_.clear();
    entries_.clear();
}

void ConnectionMap::expire(cluster::Instant now) {
    while (!entries_.empty() && now - entries_.back().used > idle_) erase(std::prev(entries_.end()));
}

void ConnectionMap::touch(Entries::iterator entry, cluster::Instant now) {
    entry->used = now;
    entries_.splice(entries_.begin(), entries_, entry);
}

void ConnectionMap::erase(Entries::iterator entry) {
    by_id_.erase(entry->way.routing_id);
    by_route_.erase(entry->route);
    entries_.erase(entry);
}

}  // namespace muster::node
