#include "cluster/delivery/links.hpp"

#include <algorithm>
#include <utility>

#include "cluster/base/wire_size.hpp"

namespace muster::cluster {

Link& Links::link_to(const NodeId& peer) {
    auto it = links_.find(peer.name);
    if (it == links_.end()) it = links_.try_emplace(peer.name, new_link(peer)).first;
    // A live peer may have a life whose clock is behind: what is late for the one before must not end this link.
    if (it->second.peer().incarnation < peer.incarnation && !peers_.find_live(it->second.peer()))
        replace(it->second, peer);
    return it->second;
}

/// Two processes can have one name, as when a key was stolen, and be believed by turns. Each goes on with the numbers
/// that it and this node know.
void Links::replace(Link& link, const NodeId& peer) {
    ctx_.count("link_items_given_up", link.give_up());
    Former former{std::exchange(link, new_link(peer)), ctx_.now};
    former_.insert_or_assign(peer.name, std::move(former));
}

Link Links::new_link(const NodeId& peer) {
    const auto former = former_.find(peer.name);
    if (former != former_.end() && former->second.link.peer() == peer)
        return std::move(former_.extract(former).mapped().link);
    return {peer, Drawn(ctx_.memory, memory_of(ctx_.shares.of_node(peer.name)))};
}

bool Links::fits(const Link& link, std::size_t size) const {
    const Bounds& bounds = ctx_.options.bounds;
    return link.items() < bounds.link_items && link.bytes() + size <= bounds.link_bytes && link.has_memory(size);
}

/// Losses are counts by group; how many groups may have one is bounded like the items.
bool Links::can_lose(const Link& link, const Group& group) const {
    return link.losses() < ctx_.options.bounds.link_items || link.is_lost(group);
}

bool Links::has_room(const NodeId& peer, std::size_t size) {
    return fits(link_to(peer), size);
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
    // If even dropping all waiting notices makes no room, this one becomes a loss itself. It cannot if too many groups
    // have losses already, nor if an older notice still waits: a loss takes its number before all that waits.
    Put put;
    Link& link = link_to(peer);
    if (make_room(link, size, put)) {
        link.put(std::move(notice), size);
    } else if (!link.oldest() && can_lose(link, notice->group)) {
        if (notice->ticket != 0) put.dropped.push_back(notice->ticket);
        link.lose(*notice);
    } else {
        put.taken = false;
    }
    return put;
}

Links::Put Links::put(const NodeId& peer, proto::NoticeReport report) {
    Put put;
    Link& link = link_to(peer);
    // The next life of the notifier would take the report for one of its own tickets.
    if (link.peer() != peer) {
        ctx_.count("link_items_for_dead");
        return put;
    }
    const auto size = wire_size(report);
    if (make_room(link, size, put)) link.put(std::move(report), size);
    return put;
}

std::vector<proto::LinkItem> Links::take(const NodeId& from, proto::LinkData data) {
    Link* link = data.to != ctx_.self ? nullptr : &link_to(from);
    if (!link || link->peer() != from) {
        ctx_.count("link_data_for_another_life");
        return {};
    }
    acked(*link, data.acked);
    const bool early = !data.items.empty() && data.first > link->received() + 1;
    const std::size_t items = data.items.size();
    auto fresh = link->take(std::move(data));
    if (early)
        ctx_.count("link_items_early", items);
    else if (fresh.size() < items)
        ctx_.count("link_items_repeated", items - fresh.size());
    return fresh;
}

void Links::acked(const NodeId& from, const proto::LinkAck& ack) {
    if (ack.to != ctx_.self) return;
    Link& link = link_to(from);
    if (link.peer() == from) acked(link, ack.acked);
}

void Links::acked(Link& link, std::uint64_t number) {
    if (!link.acked(number, ctx_.now + ctx_.options.timing.link_retry)) ctx_.count("acks_of_unsent_links");
}

void Links::on(const Transition& transition) {
    // A node that is down may return in the same life, so its link is kept with all that waits.
    if (transition.kind == Transition::Kind::up) {
        Link& link = link_to(transition.id);
        // A peer that was forgotten may return in a life whose clock is behind.
        if (link.peer() != transition.id) replace(link, transition.id);
        link.retry_now(ctx_.now);
    } else if (transition.kind == Transition::Kind::left)
        links_.erase(transition.id.name);
}

void Links::begin_life() {
    former_.clear();
    for (auto& [name, link] : links_) {
        ctx_.count("link_items_given_up", link.give_up());
        link.begin_again();
    }
}

void Links::retry_now(const NodeId& peer) {
    const auto it = links_.find(peer.name);
    if (it != links_.end() && it->second.peer() == peer) it->second.retry_now(ctx_.now);
}

void Links::tick() {
    for (auto& [name, link] : links_) {
        link.tick();
        const Peer* peer = peers_.find(name);
        const bool expired =
            peer && !peer->is_live() && ctx_.now - peer->state_since >= ctx_.options.timing.link_retention;
        if (expired && link.items() > 0) ctx_.count("link_items_given_up", link.give_up());
    }
    forget_old();
}

/// A peer that was forgotten may return in the same life and go on with the numbers that both sides know. So a used
/// link outlives its peer, as long as there are no more links than Bounds::peers.
void Links::forget_old() {
    std::erase_if(former_, [&](const auto& entry) {
        return ctx_.now - entry.second.since >= ctx_.options.timing.link_retention;
    });
    std::erase_if(links_, [&](const auto& entry) { return !peers_.find(entry.first) && entry.second.is_unused(); });
    if (links_.size() <= ctx_.options.bounds.peers) return;
    std::erase_if(links_, [&](const auto& entry) {
        return !peers_.find(entry.first) && links_.size() > ctx_.options.bounds.peers;
    });
}

bool Links::wants_flush() const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& entry) {
        return peers_.find_live(entry.second.peer()) && entry.second.wants_flush(ctx_);
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

bool Links::has_unacknowledged() const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& entry) {
        return entry.second.items() > 0 && peers_.find_live(entry.second.peer());
    });
}

std::uint64_t Links::lowest_notice() const {
    std::uint64_t lowest = UINT64_MAX;
    for (const auto& [name, link] : links_) {
        lowest = std::min(lowest, link.lowest_notice());
        const Peer* peer = peers_.find(name);
        const bool is_here =
            peer && (peer->is_live() || ctx_.now - peer->state_since < ctx_.options.timing.handover_window);
        if (is_here) lowest = std::min(lowest, link.lowest_lost());
    }
    return lowest;
}

std::size_t Links::queued() const {
    std::size_t items = 0;
    for (const auto& [name, link] : links_) items += link.items() + link.losses();
    return items;
}

std::size_t Links::queued_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [name, link] : links_) bytes += link.bytes();
    for (const auto& [name, former] : former_) bytes += former.link.bytes();
    return bytes;
}

std::optional<std::string> Links::over_bounds() const {
    const Bounds& bounds = ctx_.options.bounds;
    for (const auto& [name, link] : links_)
        if (link.is_over(bounds)) return "link to " + name;
    return std::nullopt;
}

}  // namespace muster::cluster
