#include "cluster/link.hpp"

#include <algorithm>
#include <utility>

#include "cluster/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kInFlightBytes = 4u << 20;
constexpr std::size_t kInFlightItems = 16384;
constexpr unsigned kMaxBackoff = 3;  // doublings of link_retry

}  // namespace

void Link::put(proto::LinkItem item, std::size_t size) {
    bytes_ += size;
    out_.push_back({std::move(item), size});
}

bool Link::acked(std::uint64_t number, Instant retry_at) {
    if (number > highest_) return false;
    if (number <= acked_) return true;
    for (; acked_ < number; ++acked_) {
        const auto size = out_.front().size;
        bytes_ -= size;
        if (acked_ < sent_) in_flight_ -= size;
        out_.pop_front();
    }
    sent_ = std::max(sent_, acked_);
    attempts_ = 0;
    retry_at_ = sent_ > acked_ ? retry_at : kNever;
    return true;
}

std::vector<proto::LinkItem> Link::take(proto::LinkData data) {
    owes_ack_ = true;
    std::vector<proto::LinkItem> fresh;
    std::uint64_t number = data.first;
    for (auto& item : data.items) {
        if (number == received_ + 1) {
            fresh.push_back(std::move(item));
            ++received_;
        }
        ++number;
    }
    repeats_ = fresh.empty() && !data.items.empty() ? repeats_ + 1 : 0;
    return fresh;
}

bool Link::can_send() const {
    return sent_ - acked_ < out_.size() && sent_ - acked_ < kInFlightItems && in_flight_ < kInFlightBytes;
}

bool Link::wants_flush(Instant now) const {
    return owes_ack_ || can_send() || retry_at_ <= now;
}

void Link::flush(Context& context, Peers& peers) {
    bool detour = false;
    if (retry_at_ <= context.now) {
        ++attempts_;
        detour = attempts_ % 2 == 0;
        sent_ = acked_;
        in_flight_ = 0;
        context.count("link_retries");
    }
    if (can_send()) {
        send_window(context, peers, detour);
    } else if (owes_ack_) {
        const bool detour_ack = repeats_ > 0 && repeats_ % 2 == 0;
        peers.send(peer_.name, proto::LinkAck{peer_, received_}, 0, detour_ack);
    }
    owes_ack_ = false;
}

void Link::send_window(Context& context, Peers& peers, bool detour) {
    while (can_send()) {
        proto::LinkData data{peer_, sent_ + 1, received_, {}};
        std::size_t size = 0;
        while (can_send() && (data.items.empty() || size < limits::kChunkBytes)) {
            const Out& out = out_[sent_ - acked_];
            if (!data.items.empty() && size + out.size > limits::kFrame / 2) break;
            size += out.size;
            in_flight_ += out.size;
            data.items.push_back(out.item);
            ++sent_;
        }
        peers.send(peer_.name, std::move(data), 0, detour);
    }
    highest_ = std::max(highest_, sent_);
    retry_at_ = context.now + context.options.timing.link_retry * (1u << std::min(attempts_, kMaxBackoff));
}

Link& Links::with(const NodeId& peer) {
    const auto [it, fresh] = links_.try_emplace(peer.name, peer);
    if (it->second.peer().incarnation < peer.incarnation) it->second = Link(peer);
    return it->second;
}

bool Links::put(const NodeId& peer, proto::LinkItem item) {
    Link& link = with(peer);
    if (link.peer() != peer) {  // its next life would take a report for one of its own
        ctx_.count("link_items_for_dead");
        return false;
    }
    const auto size = wire_size(item);
    const Bounds& bounds = ctx_.options.bounds;
    if (link.items() >= bounds.link_items || link.bytes() + size > bounds.link_bytes) {
        ctx_.count("link_overflows");
        return false;
    }
    link.put(std::move(item), size);
    return true;
}

std::vector<proto::LinkItem> Links::take(const NodeId& from, proto::LinkData data) {
    if (data.to != ctx_.self) return {};
    Link& link = with(from);
    if (link.peer() != from) return {};
    acked(link, data.acked);
    return link.take(std::move(data));
}

void Links::acked(const NodeId& from, const proto::LinkAck& ack) {
    if (ack.to != ctx_.self) return;
    Link& link = with(from);
    if (link.peer() == from) acked(link, ack.acked);
}

void Links::acked(Link& link, std::uint64_t number) {
    if (!link.acked(number, ctx_.now + ctx_.options.timing.link_retry)) ctx_.count("acks_of_unsent");
}

void Links::on(const Transition& transition) {
    // A node that is down may return in the same life: what it has not got waits for it.
    if (transition.kind == Transition::Kind::up)
        with(transition.id);
    else if (transition.kind == Transition::Kind::left)
        links_.erase(transition.id.name);
}

bool Links::wants_flush() const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& entry) {
        const Peer* peer = peers_.find(entry.first);
        return peer && peer->is_live() && entry.second.wants_flush(ctx_.now);
    });
}

void Links::flush() {
    std::erase_if(links_, [&](const auto& entry) { return !peers_.find(entry.first); });
    for (auto& [name, link] : links_)
        if (peers_.find_live(link.peer()) && link.wants_flush(ctx_.now)) link.flush(ctx_, peers_);
}

std::size_t Links::queued() const {
    std::size_t items = 0;
    for (const auto& [name, link] : links_) items += link.items();
    return items;
}

std::optional<std::string> Links::over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    for (const auto& [name, link] : links_)
        if (link.items() > bounds.link_items || link.bytes() > bounds.link_bytes) return "link to " + name;
    return std::nullopt;
}

}  // namespace muster::cluster
