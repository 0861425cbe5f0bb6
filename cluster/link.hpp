// Numbered items between two lives of two nodes: what is put in at one side
// comes out at the other once and in order, however often the way between them
// breaks. PROTOCOL.md, "Links".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "cluster/peers.hpp"

namespace muster::cluster {

/// Both directions with one life of one peer.
class Link {
public:
    explicit Link(NodeId peer) : peer_(std::move(peer)) {}

    [[nodiscard]] const NodeId& peer() const { return peer_; }
    [[nodiscard]] std::size_t items() const { return out_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// Queues an item; the caller has checked the bounds.
    void put(proto::LinkItem item, std::size_t size);
    /// The other side has everything up to `number`; what is still out is sent
    /// again at `retry_at`. False when the number was never sent.
    bool acked(std::uint64_t number, Instant retry_at);
    /// The items of `data` that are new, in order; the rest is repeated or too early.
    std::vector<proto::LinkItem> take(proto::LinkData data);

    [[nodiscard]] bool wants_flush(Instant now) const;
    /// Sends what may go, what is due again, or at least the acknowledgement that is owed.
    void flush(Context& context, Peers& peers);

private:
    struct Out {
        proto::LinkItem item;
        std::size_t size = 0;
    };
    void send_window(Context& context, Peers& peers, bool detour);
    [[nodiscard]] bool can_send() const;

    NodeId peer_;
    std::deque<Out> out_;  // numbered acked_ + 1, …
    std::size_t bytes_ = 0;
    std::uint64_t acked_ = 0;     // by the other side
    std::uint64_t sent_ = 0;      // up to this number, since the last return to acked_
    std::uint64_t highest_ = 0;   // ever sent
    std::size_t in_flight_ = 0;   // bytes of acked_ + 1 … sent_
    std::uint64_t received_ = 0;  // from the other side
    bool owes_ack_ = false;
    unsigned repeats_ = 0;   // data in a row that brought nothing new: our acknowledgements are lost
    unsigned attempts_ = 0;  // since the last progress
    Instant retry_at_ = kNever;
};

/// A link for every peer that has needed one.
class Links {
public:
    Links(Context& context, Peers& peers) : ctx_(context), peers_(peers) {}

    /// False when the link's bounds are reached: the item is refused.
    bool put(const NodeId& peer, proto::LinkItem item);
    std::vector<proto::LinkItem> take(const NodeId& from, proto::LinkData data);
    void acked(const NodeId& from, const proto::LinkAck& ack);

    void on(const Transition& transition);
    [[nodiscard]] bool wants_flush() const;
    void flush();
    [[nodiscard]] std::optional<std::string> over_bounds() const;
    [[nodiscard]] std::size_t queued() const;

private:
    Link& with(const NodeId& peer);
    void acked(Link& link, std::uint64_t number);

    Context& ctx_;
    Peers& peers_;
    std::map<std::string, Link> links_;
};

}  // namespace muster::cluster
