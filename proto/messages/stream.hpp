// Node to worker: the stream. header.seq numbers its items 1, 2, 3, … within a session. The node keeps an item
// until a WorkerHeartbeat acknowledges it, and sends it again after a resume. PROTOCOL.md, "The stream".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "proto/messages/notices.hpp"

namespace muster::proto {

/// A notification for members of the session. The wire format leaves out `ticket`, `newest` and `wait_ms`.
struct Delivery {
    SharedNotice notice;
    std::shared_ptr<const std::vector<MemberNumber>> members;  // not null
    bool operator==(const Delivery& other) const { return notice == other.notice && *members == *other.members; }
};

/// Consecutive items of the stream; header.seq numbers the first.
struct Deliveries {
    std::vector<Delivery> items;
    bool operator==(const Deliveries&) const = default;
};

/// Notifications were dropped at this place of the stream because it was full.
struct Gap {
    std::uint64_t missed = 0;
    bool at_least = false;  // perhaps more: a node that knew the number is gone
    bool operator==(const Gap&) const = default;
};

/// An event of a watch. A snapshot comes in parts; the part with `last` is the final one.
struct WatchNews {
    std::uint64_t watch = 0;
    WatchEvent event;
    bool last = true;
    bool operator==(const WatchNews&) const = default;
};

/// Puts an event together of its parts. A group that was cut at the end of a part continues in the next.
inline void append(WatchEvent& event, WatchEvent&& part) {
    auto& groups = event.groups;
    for (auto& next : part.groups) {
        if (!groups.empty() && groups.back().group == next.group) {
            auto& members = groups.back().members;
            members.insert(members.end(), std::make_move_iterator(next.members.begin()),
                           std::make_move_iterator(next.members.end()));
        } else {
            groups.push_back(std::move(next));
        }
    }
}

using StreamItem = std::variant<Delivery, Gap, WatchNews>;

}  // namespace muster::proto
