#include "cluster/delivery/link.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"
#include "proto/limits.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kInFlightBytes = 4u << 20;
constexpr std::size_t kInFlightItems = 16384;
constexpr std::size_t kStrippedReplay = 4 * kWireOverhead;
constexpr unsigned kMaxBackoff = 3;  // doublings of Timing::link_retry
// Fewer are acknowledged with the next data, or at the next tick. A message of its own for each item would wake as many
// threads as the notification did.
constexpr std::size_t kAckItems = 4;
constexpr std::size_t kAckBytes = 64u << 10;

}  // namespace

// ---- outgoing ----------------------------------------------------------------

void Link::put(proto::SharedNotice notice, std::size_t size) {
    bytes_ += size;
    waiting_.push_back({std::move(notice), size});
}

void Link::put(proto::Replay part, std::size_t size) {
    bytes_ += size;
    waiting_.push_back({std::move(part), size});
    ++replays_put_;
}

void Link::lose(const proto::Notice& notice, std::uint64_t after_replays) {
    ++(after_replays > replays_numbered_ ? lost_after_[after_replays] : lost_)[notice.group];
    lowest_lost_ = std::min(lowest_lost_, notice.seq);
}

bool Link::has_untold_losses() const {
    return !lost_.empty() || !lost_after_.empty() || std::any_of(window_.begin(), window_.end(), [](const auto& out) {
        return std::holds_alternative<proto::NoticesLost>(out.item);
    });
}

void Link::merge_losses(std::uint64_t replays) {
    for (; !lost_after_.empty() && lost_after_.begin()->first <= replays; lost_after_.erase(lost_after_.begin()))
        for (const auto& [group, notices] : lost_after_.begin()->second) lost_[group] += notices;
}

std::size_t Link::losses() const {
    std::size_t sum = lost_.size();
    for (const auto& [replays, lost] : lost_after_) sum += lost.size();
    return sum;
}

bool Link::is_lost(const Group& group) const {
    return lost_.contains(group) || std::any_of(lost_after_.begin(), lost_after_.end(),
                                                [&](const auto& entry) { return entry.second.contains(group); });
}

Link::Items::const_iterator Link::oldest_notice() const {
    return std::find_if(waiting_.begin(), waiting_.end(),
                        [](const auto& out) { return std::holds_alternative<proto::SharedNotice>(out.item); });
}

const proto::Notice* Link::oldest() const {
    const auto found = oldest_notice();
    return found == waiting_.end() ? nullptr : &*std::get<proto::SharedNotice>(found->item);
}

void Link::put(proto::NoticeReport report, std::size_t size) {
    bytes_ += size;
    reports_.push_back({std::move(report), size});
}

bool Link::is_unused() const {
    return acked_ == 0 && received_ == 0 && window_.empty() && !has_unsent();
}

std::uint64_t Link::lowest_notice() const {
    const auto is_notice = [](const auto& out) { return std::holds_alternative<proto::SharedNotice>(out.item); };
    for (const auto* items : {&window_, &waiting_}) {
        const auto found = std::find_if(items->begin(), items->end(), is_notice);
        if (found != items->end()) return std::get<proto::SharedNotice>(found->item)->seq;
    }
    return UINT64_MAX;
}

void Link::drop_oldest() {
    const auto found = oldest_notice();
    const auto before = std::count_if(std::as_const(waiting_).begin(), found,
                                      [](const auto& out) { return std::holds_alternative<proto::Replay>(out.item); });
    lose(*std::get<proto::SharedNotice>(found->item), replays_numbered_ + static_cast<std::uint64_t>(before));
    bytes_ -= found->size;
    waiting_.erase(found);
}

bool Link::is_over(const Bounds& bounds) const {
    std::size_t losses = 0;  // bytes; a loss gets its number even if the link is full
    for (const auto& out : window_)
        if (std::holds_alternative<proto::NoticesLost>(out.item)) losses += out.size;
    return reports_.size() + waiting_.size() > bounds.link_items || window_.size() > (bounds.link_items + 1) / 2 ||
           lost_.size() > bounds.link_items || bytes_.amount() > bounds.link_bytes + losses;
}

/// The peer may wait for them, and does not know that they wait here for so long. It asks again in vain, because this
/// node has answered.
void Link::strip_replays() {
    Items stripped;
    for (auto& out : std::exchange(waiting_, {})) {
        bytes_ -= out.size;
        const auto& part = std::get<proto::Replay>(out.item);
        auto* before = stripped.empty() ? nullptr : &std::get<proto::Replay>(stripped.back().item);
        if (before && before->request == part.request && before->entry == part.entry) {
            before->last = part.last;
            continue;
        }
        proto::Replay rest{part.request, part.entry, 0, true, part.last, {}};
        stripped.push_back({std::move(rest), kStrippedReplay});
        bytes_ += kStrippedReplay;
    }
    waiting_ = std::move(stripped);
    replays_put_ = replays_numbered_ + waiting_.size();
}

std::uint64_t Link::give_up() {
    std::uint64_t given_up = 0;
    for (; oldest() != nullptr; ++given_up) drop_oldest();
    merge_losses(UINT64_MAX);
    strip_replays();
    for (auto& out : window_) {
        const auto* notice = std::get_if<proto::SharedNotice>(&out.item);
        if (!notice) continue;
        // The loss keeps the notice's number: if the peer did take the notice, it ignores the loss as a repeat.
        lowest_lost_ = std::min(lowest_lost_, (*notice)->seq);
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

void Link::begin_again() {
    Link next(peer_, bytes_.fresh());
    next.notices_sent_ = notices_sent_;
    next.notices_received_ = notices_received_;
    next.lowest_lost_ = lowest_lost_;
    merge_losses(UINT64_MAX);
    next.lost_ = std::move(lost_);
    for (const auto& out : window_)
        if (const auto* loss = std::get_if<proto::NoticesLost>(&out.item)) next.lost_[loss->group] += loss->notices;
    *this = std::move(next);
}

bool Link::can_send(const Bounds& bounds) const {
    // Use at most half of the link: items in flight cannot be dropped to make room.
    const bool room = sent_ - acked_ < std::min(kInFlightItems, (bounds.link_items + 1) / 2) &&
                      in_flight_ < std::min(kInFlightBytes, bounds.link_bytes / 2);
    return room && (sent_ - acked_ < window_.size() || has_unsent());
}

void Link::number_next() {
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
        if (std::holds_alternative<proto::SharedNotice>(window_.back().item)) ++notices_sent_;
        if (std::holds_alternative<proto::Replay>(window_.back().item)) merge_losses(++replays_numbered_);
    }
}

// ---- incoming ----------------------------------------------------------------

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
    if (lowest_lost_ != UINT64_MAX && !has_untold_losses()) lowest_lost_ = UINT64_MAX;
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
            } else if (std::holds_alternative<proto::Replay>(item)) {
                owed_bytes_ += kAckBytes;
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

void Link::retry_now(Instant now) {
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
        detour = attempts_ % 2 == 0;  // through a third node: the direct connection may be what fails
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
            const auto next = static_cast<std::size_t>(sent_ - acked_);
            if (next == window_.size()) number_next();
            const auto& out = window_[next];
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

}  // namespace muster::cluster
