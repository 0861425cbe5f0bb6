#include "cluster/workers/queries.hpp"

#include <utility>

namespace muster::cluster {

bool Queries::put(Query&& query, std::size_t most_per_session) {
    auto& own = waiting_[query.request.id.token];
    if (own.size() >= most_per_session) return false;
    own.push_back(std::move(query));
    return true;
}

Query& Queries::next() {
    auto it = waiting_.upper_bound(last_);  // the session after the last one; after the end, the first
    if (it == waiting_.end()) it = waiting_.begin();
    last_ = it->first;
    return it->second.front();
}

void Queries::done() {
    const auto it = waiting_.find(last_);
    it->second.pop_front();
    if (it->second.empty()) waiting_.erase(it);
}

}  // namespace muster::cluster
