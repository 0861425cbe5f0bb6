// One link: numbered items between one life of this node and one life of a peer, in both directions. Each item arrives
// once and in order, however often connections between the two nodes break. Notices that are dropped because a bound is
// reached become losses, which the peer tells its members. PROTOCOL.md, "Links".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/membership/peers.hpp"
#include "proto/ring.hpp"

namespace muster::cluster {

/// An outgoing item goes through three stages: it waits without a number (`waiting_`, `reports_`, `lost_`), is in the
/// window from the first time that it is sent, and leaves it when the peer acknowledges it. Only waiting notices can be
/// dropped.
class Link {
public:
    /// `bytes`: what the items are drawn from.
    Link(NodeId peer, Drawn bytes) : peer_(std::move(peer)), bytes_(std::move(bytes)) {}

    [[nodiscard]] const NodeId& peer() const { return peer_; }
    /// Whether no item has been acknowledged, received or queued.
    [[nodiscard]] bool is_unused() const;
    /// Outgoing items that are not acknowledged; without losses that wait.
    [[nodiscard]] std::size_t items() const { return window_.size() + reports_.size() + waiting_.size(); }
    /// The approximate size of these items on the wire.
    [[nodiscard]] std::size_t bytes() const { return bytes_.amount(); }
    /// Whether there is memory for `more` bytes.
    [[nodiscard]] bool has_memory(std::size_t more) const { return bytes_.has_room(more); }
    /// Notices that have been numbered, and that have been taken, since the link exists.
    [[nodiscard]] std::uint64_t notices_sent() const { return notices_sent_; }
    [[nodiscard]] std::uint64_t notices_received() const { return notices_received_; }
    /// Whether more is kept than the bounds allow.
    [[nodiscard]] bool is_over(const Bounds& bounds) const;
    /// The lowest number (Notice::seq) of a notice that the peer has not acknowledged; UINT64_MAX: none.
    [[nodiscard]] std::uint64_t lowest_notice() const;
    /// The lowest number of a notice that was lost since the peer had been told of all losses; UINT64_MAX: none. If
    /// this node dies now, the peer is not told.
    [[nodiscard]] std::uint64_t lowest_lost() const { return lowest_lost_; }
    /// Groups with losses that the peer has not been told of.
    [[nodiscard]] std::size_t losses() const;

    // Outgoing. The caller has checked the bounds.
    void put(proto::SharedNotice notice, std::size_t size);
    void put(proto::NoticeReport report, std::size_t size);
    /// A part of a replay keeps its place between the notices.
    void put(proto::Replay part, std::size_t size);
    /// The oldest notice that has never been sent; nullptr if there is none.
    [[nodiscard]] const proto::Notice* oldest() const;
    /// Drops oldest() and counts it as a loss of its group.
    void drop_oldest();
    /// Counts this notice as lost. The loss takes a number before every notice that waits now, but after all parts of
    /// replays that wait: it is not in them. It may be in parts that come later.
    void lose(const proto::Notice& notice) { lose(notice, replays_put_); }
    [[nodiscard]] bool is_lost(const Group& group) const;
    /// Turns all notices that are not acknowledged into losses, and returns their number. Replays that were not sent
    /// yet say that what they had is not remembered any more.
    std::uint64_t give_up();
    /// Begins again with number 1 in both directions, after give_up(): one of the two lives is a new one. Keeps the
    /// losses and drops the reports.
    void begin_again();

    // Incoming.
    /// The peer has everything up to `number`. Items that it has not are sent again at `retry_at`. Returns false, and
    /// changes nothing, if `number` was never sent.
    bool acked(std::uint64_t number, Instant retry_at);
    /// The number of the last item taken.
    [[nodiscard]] std::uint64_t received() const { return received_; }
    /// Takes the items that continue the sequence, and returns them in order. Repeated and early items are ignored.
    std::vector<proto::LinkItem> take(proto::LinkData data);

    /// Makes an acknowledgement due that waited for data to travel with.
    void tick() { ack_is_due_ = ack_is_due_ || owed_items_ > 0; }
    /// Sends all unacknowledged items again with the next flush.
    void retry_now(Instant now);
    [[nodiscard]] bool wants_flush(const Context& context) const;
    /// Sends new items as far as the window allows, and old ones again if their retry is due. An owed acknowledgement
    /// travels with them; if there is nothing to send, it travels alone.
    void flush(Context& context, Peers& peers);

private:
    template <class Item>
    struct Sized {
        Item item;
        std::size_t size = 0;
    };
    using Items = proto::Ring<Sized<proto::LinkItem>>;
    void send_window(Context& context, Peers& peers, bool detour);
    [[nodiscard]] bool can_send(const Bounds& bounds) const;
    [[nodiscard]] bool must_ack() const;
    [[nodiscard]] bool has_unsent() const { return !lost_.empty() || !reports_.empty() || !waiting_.empty(); }
    [[nodiscard]] Items::const_iterator oldest_notice() const;
    void strip_replays();
    void lose(const proto::Notice& notice, std::uint64_t after_replays);
    [[nodiscard]] bool has_untold_losses() const;
    /// The losses that waited for so many replays are the next ones.
    void merge_losses(std::uint64_t replays);
    /// Gives the next waiting item its number, by moving it into the window: losses first, then reports, then notices.
    void number_next();

    NodeId peer_;
    Items window_;                         // sent at least once; numbered acked_ + 1, acked_ + 2, …
    std::map<Group, std::uint64_t> lost_;  // notices without a number, by group
    std::map<std::uint64_t, std::map<Group, std::uint64_t>> lost_after_;  // the same, after so many replays
    std::uint64_t lowest_lost_ = UINT64_MAX;
    std::uint64_t replays_put_ = 0;       // parts of replays that came into waiting_
    std::uint64_t replays_numbered_ = 0;  // and went out of it
    proto::Ring<Sized<proto::NoticeReport>> reports_;
    Items waiting_;              // notices and replays
    Drawn bytes_;                // of window_, reports_ and waiting_
    std::uint64_t acked_ = 0;    // the highest number that the peer has acknowledged
    std::uint64_t sent_ = 0;     // the highest number sent since the last retry began at acked_
    std::size_t in_flight_ = 0;  // bytes of the items acked_ + 1 … sent_
    std::uint64_t notices_sent_ = 0;
    unsigned attempts_ = 0;  // retries since the last acknowledgement of something new
    Instant retry_at_ = kNever;

    std::uint64_t received_ = 0;
    std::uint64_t notices_received_ = 0;
    // What has come since this node last sent an acknowledgement.
    std::size_t owed_items_ = 0;
    std::size_t owed_bytes_ = 0;
    bool ack_is_due_ = false;
    unsigned repeats_ = 0;  // LinkData in a row without a new item: this node's acknowledgements are being lost
};

}  // namespace muster::cluster
