#include "node/client/stream.hpp"

#include <algorithm>
#include <utility>

namespace muster::client {
namespace {

// A node keeps at most 1024 items unacknowledged. One that sends twice as many ignores the window.
constexpr std::size_t kMostWaiting = 2048;

}  // namespace

Stream::Stream(const Requests& requests, const Unclaimed& unclaimed, Roster& roster, Watches& watches, Outbox& outbox)
    : requests_(requests), unclaimed_(unclaimed), roster_(roster), watches_(watches), outbox_(outbox) {}

void Stream::continue_session(std::uint64_t handled) {
    last_taken_ = last_handled_ = handled;
    first_sets_position_ = true;
}

void Stream::begin_session() {
    for (auto& waiting : std::exchange(waiting_, {})) (void)pass(std::move(waiting));
    last_taken_ = last_handled_ = 0;
    ack_due_ = false;
    first_sets_position_ = false;
}

Stream::Fault Stream::take(std::uint64_t seq, proto::StreamItem&& item) {
    // The node's acknowledgement can be ahead of an old state file: the node does not send again what it was told to
    // be handled. So the first item after a continued session sets the position, and only later items can be missing.
    if (std::exchange(first_sets_position_, false) && seq > last_taken_) last_taken_ = seq - 1;
    if (seq <= last_taken_) return Fault::none;  // a repeat after a resume
    if (seq > last_taken_ + 1) return Fault::hole;
    if (waiting_.size() == kMostWaiting) return Fault::overflow;
    last_taken_ = seq;
    waiting_.push_back({seq, std::move(item)});
    return release();
}

Stream::Fault Stream::release() {
    while (!waiting_.empty() && !must_wait(waiting_.front().item)) {
        auto waiting = std::move(waiting_.front());
        waiting_.pop_front();
        if (!pass(std::move(waiting))) return Fault::endless;
    }
    return Fault::none;
}

/// A notification can overtake the reply of the join that made its member, above all when the join waits to be visible:
/// only that reply says whose handler it is for. A notification for a member of an earlier process waits until this
/// process joins that member, or the member has left.
bool Stream::must_wait(const proto::StreamItem& item) {
    const auto* delivery = std::get_if<proto::Delivery>(&item);
    if (delivery == nullptr) return false;
    const auto& members = *delivery->members;
    if (!unclaimed_.empty() &&
        std::any_of(members.begin(), members.end(), [this](MemberNumber m) { return unclaimed_.has(m); }))
        return true;
    return !roster_.find(members).all_known && requests_.joining(delivery->notice->group);
}

/// False if the item is part of a snapshot without end.
bool Stream::pass(Waiting&& waiting) {
    Item out{outbox_.session(), waiting.seq, {}};
    if (auto* delivery = std::get_if<proto::Delivery>(&waiting.item)) {
        const auto& found = roster_.find(*delivery->members);  // members that left meanwhile are not in it
        const auto copy = roster_.accept(found, *delivery->notice);
        if (copy == proto::Copy::late) out.what = Lost{delivery->members->size(), false};
        if (copy == proto::Copy::fresh && !found.targets->empty())
            out.what = Deliver{std::move(delivery->notice), found.targets};
    } else if (const auto* gap = std::get_if<proto::Gap>(&waiting.item)) {
        out.what = Lost{gap->missed, gap->at_least};
    } else {
        WatchUpdate update;
        const auto taken = watches_.take(std::move(std::get<proto::WatchNews>(waiting.item)), update);
        if (taken == Watches::Taken::too_large) return false;
        if (taken == Watches::Taken::event) out.what = std::move(update);
    }
    outbox_.add(std::move(out));
    return true;
}

void Stream::handled(std::uint64_t session, std::uint64_t seq) {
    if (session != outbox_.session() || seq <= last_handled_) return;
    last_handled_ = seq;
    ack_due_ = true;
}

}  // namespace muster::client
