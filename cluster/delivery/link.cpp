#include "cluster/delivery/link.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kInFlightBytes = 4u << 20;
constexpr std::size_t kInFlightItems = 16384;
constexpr unsigned kMaxBackoff = 3;  // doublings of link_retry
// Fewer than these are acknowledged along with something else, or at the next tick.
constexpr std::size_t kAckItems = 4;
constexpr std::size_t kAckBytes = 64u << 10;

}  // namespace

// ---- what goes out ---------------------------------------------------------

void Link::put(proto::SharedNotice notice, std::size_t size) {
    bytes_ += size;
    waiting_.push_back({std::move(notice), size});
}

void Link::put(proto::NoticeReport report, std::size_t size) {
    bytes_ += size;
    reports_.push_back({std::move(report), size});
}

bool Link::is_unused() const {
    return acked_ == 0 && received_ == 0 && window_.empty() && !has_unsent();
}

void Link::drop_oldest() {
    const auto& oldest = waiting_.front();
    lose(oldest.item->group);
    bytes_ -= oldest.size;
    waiting_.pop_front();
}

bool Link::is_over(const Bounds& bounds) const {
    std::size_t losses = 0;  // in the window they took no room from anything
    for (const auto& out : window_)
        if (std::holds_alternative<proto::NoticesLost>(out.item)) losses += out.size;
    return reports_.size() + waiting_.size() > bounds.link_items || window_.size() > (bounds.link_items + 1) / 2 ||
           lost_.size() > bounds.link_items || bytes_ > bounds.link_bytes + losses;
}

std::uint64_t Link::give_up() {
    std::uint64_t given_up = waiting_.size();
    while (!waiting_.empty()) drop_oldest();
    for (auto& out : window_) {
        const auto* notice = std::get_if<proto::SharedNotice>(&out.item);
        if (!notice) continue;
        // Under the same number: if it did arrive after all, this is only a repeat.
        proto::NoticesLost loss{(*notice)->group, 1};
        const auto size = wire_size(loss);
        bytes_ -= out.size;
        bytes_ += size;
        out = {std::move(loss), size};
        ++given_up;
    }
    sent_ = acked_;
    in_flight_ = 0;
    return given_up;
}

bool Link::can_send(const Bounds& bounds) const {
    // Half of the link at most: what is in flight cannot be dropped to make room.
    const bool room = sent_ - acked_ < std::min(kInFlightItems, (bounds.link_items + 1) / 2) &&
                      in_flight_ < std::min(kInFlightBytes, bounds.link_bytes / 2);
    return room && (sent_ - acked_ < window_.size() || has_unsent());
}

void Link::admit() {
    if (!lost_.empty()) {
        auto first = lost_.extract(lost_.begin());
        proto::NoticesLost loss{std::move(first.key()), first.mapped()};
        const auto size = wire_size(loss);
        bytes_ += size;
        window_.push_back({std::move(loss), size});
    } else if (!reports_.empty()) {
        window_.push_back({std::move(reports_.front().item), reports_.front().size});
        reports_.pop_front();
    } else {
        window_.push_back({std::move(waiting_.front().item), waiting_.front().size});
        waiting_.pop_front();
        ++notices_sent_;
    }
}

// ---- what comes in ---------------------------------------------------------

bool Link::acked(std::uint64_t number, Instant retry_at) {
    if (number <= acked_) return true;
    if (number > acked_ + window_.size()) return false;
    for (; acked_ < number; ++acked_) {
        const auto size = window_.front().size;
        bytes_ -= size;
        if (acked_ < sent_) in_flight_ -= size;
        window_.pop_front();
    }
    sent_ = std::max(sent_, acked_);
    attempts_ = 0;
    retry_at_ = sent_ > acked_ ? retry_at : kNever;
    return true;
}

std::vector<proto::LinkItem> Link::take(proto::LinkData data) {
    std::vector<proto::LinkItem> fresh;
    std::uint64_t number = data.first;
    for (auto& item : data.items) {
        if (number == received_ + 1) {
            if (const auto* notice = std::get_if<proto::SharedNotice>(&item)) {
                owed_bytes_ += (*notice)->data.msgpack.size();
                ++notices_received_;
            }
            fresh.push_back(std::move(item));
            ++received_;
        }
        ++number;
    }
    const bool repeated = fresh.empty() && !data.items.empty();
    owed_items_ += data.items.size();
    ack_is_due_ = ack_is_due_ || repeated;
    repeats_ = repeated ? repeats_ + 1 : 0;
    return fresh;
}

// ---- sending -----------------------------------------------------------------

void Link::hurry(Instant now) {
    if (retry_at_ == kNever) return;
    retry_at_ = now;
    attempts_ = 0;
}

bool Link::wants_flush(const Context& context) const {
    return must_ack() || can_send(context.options.bounds) || retry_at_ <= context.now;
}

bool Link::must_ack() const {
    return ack_is_due_ || owed_items_ >= kAckItems || owed_bytes_ >= kAckBytes;
}

void Link::flush(Context& context, Peers& peers) {
    bool detour = false;
    if (retry_at_ <= context.now) {
        ++attempts_;
        detour = attempts_ % 2 == 0;
        context.count("link_retries");
        context.count("link_items_resent", sent_ - acked_);
        sent_ = acked_;
        in_flight_ = 0;
    }
    if (can_send(context.options.bounds)) {
        send_window(context, peers, detour);
    } else if (must_ack()) {
        const bool detour_ack = repeats_ > 0 && repeats_ % 2 == 0;
        peers.send(peer_.name, proto::LinkAck{peer_, received_}, 0, detour_ack);
    } else {
        return;
    }
    ack_is_due_ = false;
    owed_items_ = owed_bytes_ = 0;
}

void Link::send_window(Context& context, Peers& peers, bool detour) {
    const Bounds& bounds = context.options.bounds;
    while (can_send(bounds)) {
        proto::LinkData data{peer_, sent_ + 1, received_, {}};
        std::size_t size = 0;
        while (can_send(bounds) && (data.items.empty() || size < limits::kChunkBytes)) {
            if (sent_ - acked_ == window_.size()) admit();
            const auto& out = window_[sent_ - acked_];
            if (!data.items.empty() && size + out.size > limits::kFrame / 2) break;
            size += out.size;
            in_flight_ += out.size;
            data.items.push_back(out.item);
            ++sent_;
        }
        peers.send(peer_.name, std::move(data), 0, detour);
    }
    retry_at_ = context.now + context.options.timing.link_retry * (1u << std::min(attempts_, kMaxBackoff));
}

// ---- all links -----------------------------------------------------------------

Link& Links::with(const NodeId& peer) {
    const auto [it, fresh] = links_.try_emplace(peer.name, peer);
    if (it->second.peer().incarnation < peer.incarnation) it->second = Link(peer);
    return it->second;
}

bool Links::fits(const Link& link, std::size_t size) const {
    const Bounds& bounds = ctx_.options.bounds;
    return link.items() < bounds.link_items && link.bytes() + size <= bounds.link_bytes;
}

bool Links::can_lose(const Link& link, const Group& group) const {
    return link.losses() < ctx_.options.bounds.link_items || link.is_lost(group);
}

bool Links::has_room(const NodeId& peer, std::size_t size) {
    return fits(with(peer), size);
}

bool Links::make_room(Link& link, std::size_t size, Put& put) {
    while (!fits(link, size)) {
        ctx_.count("link_overflows");
        const proto::Notice* oldest = link.oldest();
        if (!oldest || !can_lose(link, oldest->group)) return false;
        if (oldest->ticket != 0) put.dropped.push_back(oldest->ticket);
        link.drop_oldest();
    }
    return true;
}

Links::Put Links::put(const NodeId& peer, proto::SharedNotice notice, std::size_t size) {
    Put put;
    Link& link = with(peer);
    if (make_room(link, size, put)) {
        link.put(std::move(notice), size);
    } else if (!link.oldest() && can_lose(link, notice->group)) {
        if (notice->ticket != 0) put.dropped.push_back(notice->ticket);
        link.lose(notice->group);
    } else {
        put.taken = false;
    }
    return put;
}

Links::Put Links::put(const NodeId& peer, proto::NoticeReport report) {
    Put put;
    Link& link = with(peer);
    // The life that asked is gone: its next one would take the report for one of its own.
    if (link.peer() != peer) return ctx_.count("link_items_for_dead"), put;
    const auto size = wire_size(report);
    if (make_room(link, size, put)) link.put(std::move(report), size);
    return put;
}

std::vector<proto::LinkItem> Links::take(const NodeId& from, proto::LinkData data) {
    if (data.to != ctx_.self) return ctx_.count("link_data_for_another_life"), std::vector<proto::LinkItem>();
    Link& link = with(from);
    if (link.peer() != from) return ctx_.count("link_data_for_another_life"), std::vector<proto::LinkItem>();
    acked(link, data.acked);
    const bool early = !data.items.empty() && data.first > link.received() + 1;
    const std::size_t items = data.items.size();
    auto fresh = link.take(std::move(data));
    if (early)
        ctx_.count("link_items_early", items);
    else if (fresh.size() < items)
        ctx_.count("link_items_repeated", items - fresh.size());
    return fresh;
}

void Links::acked(const NodeId& from, const proto::LinkAck& ack) {
    if (ack.to != ctx_.self) return;
    Link& link = with(from);
    if (link.peer() == from) acked(link, ack.acked);
}

void Links::acked(Link& link, std::uint64_t number) {
    if (!link.acked(number, ctx_.now + ctx_.options.timing.link_retry)) ctx_.count("acks_of_unsent_links");
}

void Links::on(const Transition& transition) {
    // A node that is down may return in the same life: what it has not got waits for it.
    if (transition.kind == Transition::Kind::up)
        with(transition.id).hurry(ctx_.now);
    else if (transition.kind == Transition::Kind::left)
        links_.erase(transition.id.name);
}

void Links::way_is_open(const NodeId& peer) {
    const auto it = links_.find(peer.name);
    if (it != links_.end() && it->second.peer() == peer) it->second.hurry(ctx_.now);
}

void Links::tick() {
    for (auto& [name, link] : links_) {
        link.tick();
        const Peer* peer = peers_.find(name);
        const bool lost = peer && !peer->is_live() && ctx_.now - peer->since >= ctx_.options.timing.link_retention;
        if (lost && link.items() > 0) ctx_.count("link_items_given_up", link.give_up());
    }
    forget_old();
}

/// A life that returns after all goes on with the numbers that both sides know,
/// so links outlive what is known of their peers; as many as there may be peers.
void Links::forget_old() {
    std::erase_if(links_, [&](const auto& entry) { return !peers_.find(entry.first) && entry.second.is_unused(); });
    if (links_.size() <= ctx_.options.bounds.peers) return;
    std::erase_if(links_, [&](const auto& entry) {
        return !peers_.find(entry.first) && links_.size() > ctx_.options.bounds.peers;
    });
}

bool Links::wants_flush() const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& entry) {
        const Peer* peer = peers_.find(entry.first);
        return peer && peer->is_live() && entry.second.wants_flush(ctx_);
    });
}

void Links::flush() {
    for (auto& [name, link] : links_)
        if (peers_.find_live(link.peer()) && link.wants_flush(ctx_)) link.flush(ctx_, peers_);
}

const Link* Links::find(const NodeId& peer) const {
    const auto found = links_.find(peer.name);
    return found == links_.end() || found->second.peer() != peer ? nullptr : &found->second;
}

std::size_t Links::queued() const {
    std::size_t items = 0;
    for (const auto& [name, link] : links_) items += link.items() + link.losses();
    return items;
}

std::size_t Links::queued_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, link] : links_) bytes += link.bytes();
    return bytes;
}

std::optional<std::string> Links::over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    for (const auto& [name, link] : links_)
        if (link.is_over(bounds)) return "link to " + name;
    return std::nullopt;
}

}  // namespace muster::cluster
