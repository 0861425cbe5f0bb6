// Node to node: notifications, and reports of their delivery. They travel as items of links.
// PROTOCOL.md, "Links".
#pragma once

#include <muster/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace muster::proto {

/// A notification for the members at one node.
struct Notice {
    NotificationKind kind = NotificationKind::created;
    Group group;
    Data data;
    NodeId from_node;
    std::string from_worker;
    std::uint64_t seq = 0;
    std::uint64_t ticket = 0;     // not 0: answer with a NoticeReport of this ticket
    MemberNumber newest;          // with a ticket: the newest member there that the notifier's node knew
    std::uint64_t wait_ms = 0;    // with a ticket: how long the notifier waits
    std::uint64_t group_seq = 0;  // number of the notice in its group, by from_node; 0: an older minor
    std::uint64_t life = 0;       // of the worker's process; 0: no worker, or an older one
    std::uint64_t call = 0;       // with a life: number of the worker's notify call; rises with each
    bool repeated = false;        // the call was made at another node before, which may have sent it

    bool operator==(const Notice&) const = default;
};

/// The outcome of a Notice with a ticket, for the members up to `newest`. The node that fanned it out sends it.
struct NoticeReport {
    std::uint64_t ticket = 0;
    std::uint64_t delivered = 0;
    std::vector<Missed> missed;

    bool operator==(const NoticeReport&) const = default;
};

/// Takes the place of notices that were dropped because the link was full: the group's members missed this many.
struct NoticesLost {
    Group group;
    std::uint64_t notices = 0;

    bool operator==(const NoticesLost&) const = default;
};

inline Notification to_notification(const Notice& notice, std::vector<MemberNumber> members) {
    return {notice.kind,        notice.group, notice.data,        notice.from_node,
            notice.from_worker, notice.seq,   std::move(members), notice.group_seq};
}

/// Sets all fields of a notification except its members. Reuses the memory of `to`.
inline void assign(Notification& to, const Notice& notice) {
    constexpr std::size_t kept_bytes = 64u << 10u;
    if (to.data.msgpack.capacity() > kept_bytes) to.data.msgpack = {};
    to.kind = notice.kind;
    to.group = notice.group;
    to.data = notice.data;
    to.from_node = notice.from_node;
    to.from_worker = notice.from_worker;
    to.seq = notice.seq;
    to.group_seq = notice.group_seq;
}

/// An immutable notice, shared by the links and streams that send it.
class SharedNotice {
public:
    struct Held : Notice {
        Held() = default;
        explicit Held(Notice notice) : Notice(std::move(notice)) {}
        mutable std::string encoded;  // see SharedNotice::encoded
        mutable std::size_t head_size = 0;
    };

    SharedNotice() = default;  // empty
    // NOLINTNEXTLINE(google-explicit-constructor)
    SharedNotice(Notice notice) : held_(std::make_shared<const Held>(std::move(notice))) {}
    explicit SharedNotice(std::shared_ptr<const Held> held) : held_(std::move(held)) {}

    const Notice& operator*() const { return *held_; }
    const Notice* operator->() const { return held_.get(); }
    bool operator==(const SharedNotice& other) const {
        return held_ == other.held_ || (held_ && other.held_ && **this == *other);
    }

    struct Encoded {
        std::string_view head;  // the fields from `kind` to `seq`
        std::string_view tail;  // those after the members
    };
    /// The fields of a notification in wire format, encoded at the first call and kept.
    /// Threads: not safe, unlike all other members; the loop's thread calls it.
    [[nodiscard]] Encoded encoded() const;

private:
    std::shared_ptr<const Held> held_;
};

/// Part of the answer to one entry of a ReplayRequest.
struct Replay {
    struct Aged {
        std::uint64_t age_ms = 0;  // since the notifier's node took it, when this part was made
        SharedNotice notice;

        bool operator==(const Aged&) const = default;
    };

    std::uint64_t request = 0;  // number of the ReplayRequest
    std::uint64_t entry = 0;    // its place in the request's list
    std::uint64_t missed = 0;   // notices before these that are not remembered any more
    bool at_least = false;      // perhaps more than `missed`
    bool last = false;          // what follows on the link continues the replay
    std::vector<Aged> notices;

    bool operator==(const Replay&) const = default;
};

using LinkItem = std::variant<SharedNotice, NoticeReport, NoticesLost, Replay>;

}  // namespace muster::proto
