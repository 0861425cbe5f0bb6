#include "node/client/unsettled.hpp"

#include <algorithm>
#include <utility>

namespace muster::client {

void Unsettled::keep(proto::NotifyRequest&& request) {
    const auto call = request.call;
    if (call <= settled_) return;
    const auto bytes = request.data.msgpack.size();
    if (kept_.emplace(call, std::move(request)).second) bytes_ += bytes;
    while (kept_.size() > kMost || bytes_ > kMostBytes) drop_first();
}

void Unsettled::settled(std::uint64_t call) {
    settled_ = std::max(settled_, call);
    while (!kept_.empty() && kept_.begin()->first <= settled_) drop_first();
}

void Unsettled::drop_first() {
    bytes_ -= kept_.begin()->second.data.msgpack.size();
    kept_.erase(kept_.begin());
}

std::vector<proto::NotifyRequest> Unsettled::take_all() {
    std::vector<proto::NotifyRequest> list;
    for (auto& [call, request] : kept_) list.push_back(std::move(request));
    kept_.clear();
    bytes_ = 0;
    return list;
}

}  // namespace muster::client
