// All links of this node: one for each peer that has needed one. PROTOCOL.md, "Links", "27 LinkData", "28 LinkAck".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/delivery/link.hpp"

namespace muster::cluster {

/// Decides what happens when a link is full, and which peers' data and acknowledgements belong to a link.
class Links {
public:
    Links(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    struct Put {
        bool taken = true;                   // false: the notice was refused, and its members are told nothing
        std::vector<std::uint64_t> dropped;  // tickets of the notices that were dropped to make room
    };
    /// Queues a notice of `size` bytes. If the link is full, the oldest notices that were not sent are dropped, or this
    /// one; the peer tells their members (NoticesLost).
    Put put(const NodeId& peer, proto::SharedNotice notice, std::size_t size);
    /// Queues a report. If no room can be made, or that life of the peer is over, the report is dropped.
    Put put(const NodeId& peer, proto::NoticeReport report);
    /// Queues a part of a replay, for which there must be room.
    void put(const NodeId& peer, proto::Replay part, std::size_t size) { link_to(peer).put(std::move(part), size); }
    /// Whether a notice of `size` bytes fits without dropping another.
    [[nodiscard]] bool has_room(const NodeId& peer, std::size_t size);

    /// The new items of `data`, in order. Empty if `data` is for or from another life.
    std::vector<proto::LinkItem> take(const NodeId& from, proto::LinkData data);
    void acked(const NodeId& from, const proto::LinkAck& ack);

    void on(const Transition& transition);
    /// This node has a new incarnation, so all links begin again. Notices that were not acknowledged become losses: the
    /// peers tell their members.
    void begin_life();
    /// Sends what this peer has not acknowledged again with the next flush, because messages can reach it again.
    void retry_now(const NodeId& peer);
    /// Makes delayed acknowledgements due, and gives up what a peer that is down has not got within
    /// Timing::link_retention.
    void tick();
    [[nodiscard]] bool wants_flush() const;
    void flush();

    /// Whether a live peer has not acknowledged everything.
    [[nodiscard]] bool has_unacknowledged() const;
    /// Link::lowest_notice() of all links, also to peers that are down: they may return. Also of notices that were lost
    /// on a link, until its peer has been told, or is down for longer than Timing::handover_window.
    [[nodiscard]] std::uint64_t lowest_notice() const;
    [[nodiscard]] std::optional<std::string> over_bounds() const;
    /// Items and losses of all links that are not acknowledged.
    [[nodiscard]] std::size_t queued() const;
    /// The approximate size of these items on the wire; without losses.
    [[nodiscard]] std::size_t queued_bytes() const;
    /// The link to this life; nullptr if there is none.
    [[nodiscard]] const Link* find(const NodeId& peer) const;

private:
    /// The link to the peer of this name. A higher incarnation replaces the link to an earlier life.
    Link& link_to(const NodeId& peer);
    Link new_link(const NodeId& peer);
    /// Turns the link to another life of its peer.
    void replace(Link& link, const NodeId& peer);
    void acked(Link& link, std::uint64_t number);
    /// Drops the oldest notices until `size` bytes fit. False if dropping all of them is not enough.
    bool make_room(Link& link, std::size_t size, Put& put);
    [[nodiscard]] bool fits(const Link& link, std::size_t size) const;
    [[nodiscard]] bool can_lose(const Link& link, const Group& group) const;
    void forget_old();

    Context& ctx_;
    Peers& peers_;
    std::map<std::string, Link> links_;  // by the peer's name
    struct Former {
        Link link;
        Instant since;
    };
    std::map<std::string, Former> former_;  // to the life before, for Timing::link_retention
};

}  // namespace muster::cluster
