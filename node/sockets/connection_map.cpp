#include "node/sockets/connection_map.hpp"

#include <iterator>

namespace muster::node {

cluster::ConnectionId ConnectionMap::id_of(const Connection& from, cluster::Instant now) {
    if (const auto found = by_line_.find({from.routing_id, from.line}); found != by_line_.end()) {
        touch(found->second, now);
        found->second->connection.descriptor = from.descriptor;
        found->second->connection.in_bundles = from.in_bundles;
        return found->second->id;
    }
    if (size() >= max_connections_) {
        erase(std::prev(others_.empty() ? sessions_.end() : others_.end()));
        ++evicted_;
    }
    others_.push_front({from, cluster::ConnectionId{++last_id_}, now});
    by_line_.emplace(Line(from.routing_id, from.line), others_.begin());
    by_id_.emplace(others_.front().id, others_.begin());
    return others_.front().id;
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

void ConnectionMap::has_session(cluster::ConnectionId id) {
    const auto found = by_id_.find(id);
    if (found == by_id_.end() || found->second->has_session) return;
    sessions_.splice(sessions_.begin(), others_, found->second);
    found->second->has_session = true;
}

void ConnectionMap::clear() {
    by_id_.clear();
    by_line_.clear();
    sessions_.clear();
    others_.clear();
}

void ConnectionMap::expire(cluster::Instant now) {
    for (Entries* entries : {&sessions_, &others_})
        while (!entries->empty() && now - entries->back().used > idle_) erase(std::prev(entries->end()));
}

void ConnectionMap::touch(Entries::iterator entry, cluster::Instant now) {
    entry->used = now;
    Entries& entries = list_of(entry);
    entries.splice(entries.begin(), entries, entry);
}

void ConnectionMap::erase(Entries::iterator entry) {
    by_line_.erase({entry->connection.routing_id, entry->connection.line});
    by_id_.erase(entry->id);
    list_of(entry).erase(entry);
}

}  // namespace muster::node
