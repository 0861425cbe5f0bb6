// Numbered items between two lives of two nodes: what is put in at one side
// comes out at the other once and in order, however often the way between them
// breaks. What is dropped for want of room is told at the other side, in its
// place. PROTOCOL.md, "Links".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cluster/membership/peers.hpp"

namespace muster::cluster {

/// Both directions with one life of one peer.
class Link {
public:
    explicit Link(NodeId peer) : peer_(std::move(peer)) {}

    [[nodiscard]] const NodeId& peer() const { return peer_; }
    /// Nothing has ever passed, and nothing waits to.
    [[nodiscard]] bool is_unused() const;
    /// Items that wait or are not acknowledged.
    [[nodiscard]] std::size_t items() const { return window_.size() + reports_.size() + waiting_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Notices that were numbered, and that were taken, since the link stands.
    [[nodiscard]] std::uint64_t notices_sent() const { return notices_sent_; }
    [[nodiscard]] std::uint64_t notices_received() const { return notices_received_; }
    /// Whether more is kept than the bounds allow. Losses are kept apart, one for a group.
    [[nodiscard]] bool is_over(const Bounds& bounds) const;
    /// Groups with a loss that is still to be told.
    [[nodiscard]] std::size_t losses() const { return lost_.size(); }

    // What goes out. The caller has checked the bounds.
    void put(proto::SharedNotice notice, std::size_t size);
    void put(proto::NoticeReport report, std::size_t size);
    /// The oldest notice that was never sent, if any.
    [[nodiscard]] const proto::Notice* oldest() const { return waiting_.empty() ? nullptr : &*waiting_.front().item; }
    /// Drops it; it becomes a loss.
    void drop_oldest();
    /// A notice of this group was dropped, later than all that was sent and before all that waits.
    void lose(const Group& group) { ++lost_[group]; }
    [[nodiscard]] bool is_lost(const Group& group) const { return lost_.contains(group); }
    /// Notices that are not acknowledged become losses; answers how many.
    std::uint64_t give_up();

    // What comes in.
    /// The other side has everything up to `number`; what is still out is sent
    /// again at `retry_at`. False when the number was never sent.
    bool acked(std::uint64_t number, Instant retry_at);
    [[nodiscard]] std::uint64_t received() const { return received_; }
    /// The items of `data` that are new, in order; the rest is repeated or too early.
    std::vector<proto::LinkItem> take(proto::LinkData data);

    /// An acknowledgement that waited for something to go along with waits no longer.
    void tick() { ack_is_due_ = ack_is_due_ || owed_items_ > 0; }
    /// The way seems to be open: what is out goes again at once.
    void hurry(Instant now);
    [[nodiscard]] bool wants_flush(const Context& context) const;
    /// Sends what may go, what is due again, or at least the acknowledgement that is owed.
    void flush(Context& context, Peers& peers);

private:
    template <class Item>
    struct Sized {
        Item item;
        std::size_t size = 0;
    };
    void send_window(Context& context, Peers& peers, bool detour);
    [[nodiscard]] bool can_send(const Bounds& bounds) const;
    [[nodiscard]] bool must_ack() const;
    [[nodiscard]] bool has_unsent() const { return !lost_.empty() || !reports_.empty() || !waiting_.empty(); }
    /// Numbers the next item.
    void admit();

    NodeId peer_;
    std::deque<Sized<proto::LinkItem>> window_;  // sent once or more: numbered acked_ + 1, …
    std::map<Group, std::uint64_t> lost_;        // dropped from waiting_ since
    std::deque<Sized<proto::NoticeReport>> reports_;
    std::deque<Sized<proto::SharedNotice>> waiting_;
    std::size_t bytes_ = 0;      // of window_, reports_ and waiting_
    std::uint64_t acked_ = 0;    // by the other side
    std::uint64_t sent_ = 0;     // up to this number, since the last return to acked_
    std::size_t in_flight_ = 0;  // bytes of acked_ + 1 … sent_

    std::uint64_t notices_sent_ = 0;

    std::uint64_t received_ = 0;  // from the other side
    std::uint64_t notices_received_ = 0;
    // Since the last acknowledgement:
    std::size_t owed_items_ = 0;
    std::size_t owed_bytes_ = 0;
    bool ack_is_due_ = false;
    unsigned repeats_ = 0;   // data in a row that brought nothing new: our acknowledgements are lost
    unsigned attempts_ = 0;  // since the last progress
    Instant retry_at_ = kNever;
};

/// A link for every peer that has needed one.
class Links {
public:
    Links(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    struct Put {
        bool taken = true;                   // false: the notice was refused, and no member is told
        std::vector<std::uint64_t> dropped;  // tickets of notices that gave way
    };
    /// When the link is full the oldest notices give way, or this one, and the members are told.
    Put put(const NodeId& peer, proto::SharedNotice notice, std::size_t size);
    Put put(const NodeId& peer, proto::NoticeReport report);
    [[nodiscard]] bool has_room(const NodeId& peer, std::size_t size);

    std::vector<proto::LinkItem> take(const NodeId& from, proto::LinkData data);
    void acked(const NodeId& from, const proto::LinkAck& ack);

    void on(const Transition& transition);
    /// Messages of this peer can come through again.
    void way_is_open(const NodeId& peer);
    void tick();
    [[nodiscard]] bool wants_flush() const;
    void flush();
    [[nodiscard]] std::optional<std::string> over_bounds() const;
    /// Items and losses that are not acknowledged.
    [[nodiscard]] std::size_t queued() const;
    /// The same in bytes on the wire, roughly; without losses.
    [[nodiscard]] std::size_t queued_bytes() const;
    /// With this life; nullptr when nothing was ever to pass.
    [[nodiscard]] const Link* find(const NodeId& peer) const;

private:
    Link& with(const NodeId& peer);
    void acked(Link& link, std::uint64_t number);
    /// Drops the oldest notices until there is room; false when that is not enough.
    bool make_room(Link& link, std::size_t size, Put& put);
    [[nodiscard]] bool fits(const Link& link, std::size_t size) const;
    [[nodiscard]] bool can_lose(const Link& link, const Group& group) const;
    void forget_old();

    Context& ctx_;
    Peers& peers_;
    std::map<std::string, Link> links_;
};

}  // namespace muster::cluster
