// A notification as one handler is given it.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/action.hpp"

namespace muster::sim {

struct Handed {
    NodeId at;  // its node, with the incarnation that it had then
    cluster::HandlerId handler;
    Notification notification;
    cluster::FanOutId fan_out;
    std::uint64_t awaited = 0;  // of its members, by the fan-out
};

/// One for each recipient.
inline std::vector<Handed> handed(const NodeId& at, const cluster::Deliver& deliver) {
    std::vector<Handed> all;
    for (const auto& to : *deliver.to)
        all.push_back({at, to.handler, proto::to_notification(*deliver.notice, to.members), deliver.fan_out,
                       deliver.awaited(to.members)});
    return all;
}

}  // namespace muster::sim
