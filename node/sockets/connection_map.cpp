#include "node/sockets/connection_map.hpp"

#include <iterator>

namespace muster::node {

cluster::ConnectionId ConnectionMap::id_of(std::string_view routing_id, int descriptor, cluster::Instant now) {
    if (const auto found = by_routing_id_.find(routing_id); found != by_routing_id_.end()) {
        touch(found->second, now);
        found->second->connection.descriptor = descriptor;
        return found->second->id;
    }
    if (entries_.size() >= max_connections_) {
        erase(std::prev(entries_.end()));
        ++evicted_;
    }
    entries_.push_front({{std::string(routing_id), descriptor}, cluster::ConnectionId{++last_id_}, now});
    by_routing_id_.emplace(entries_.front().connection.routing_id, entries_.begin());
    by_id_.emplace(entries_.front().id, entries_.begin());
    return entries_.front().id;
}

const ConnectionMap::Connection* ConnectionMap::find(cluster::ConnectionId id, cluster::Instant now) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) return nullptr;
    touch(found->second, now);
    return &found->second->connection;
}

void ConnectionMap::forget(cluster::ConnectionId id) {
    if (const auto found = by_id_.find(id); found != by_id_.end()) erase(found->second);
}

void ConnectionMap::clear() {
    by_id_.clear();
    by_routing_id_.clear();
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
    by_routing_id_.erase(entry->connection.routing_id);
    by_id_.erase(entry->id);
    entries_.erase(entry);
}

}  // namespace muster::node
