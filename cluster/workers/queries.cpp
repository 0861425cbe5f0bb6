#include "cluster/workers/queries.hpp"

#include <utility>

namespace muster::cluster {

bool Queries::put(Sessions::Request&& request, std::size_t most_per_session) {
    auto& own = waiting_[request.id.token];
    if (own.size() >= most_per_session) return false;
    own.push_back(std::move(request));
    return true;
}

std::optional<Sessions::Request> Queries::take() {
    if (waiting_.empty()) return std::nullopt;
    auto it = waiting_.upper_bound(last_);  // the session after the last one; after the end, the first
    if (it == waiting_.end()) it = waiting_.begin();
    last_ = it->first;
    Sessions::Request request = std::move(it->second.front());
    it->second.pop_front();
    if (it->second.empty()) waiting_.erase(it);
    return request;
}

}  // namespace muster::cluster
