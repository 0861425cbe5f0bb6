// The stream of a session: deliveries, gaps and news for watches, each taken
// once and in order.
#include <algorithm>
#include <utility>

#include "node/client/session.hpp"

namespace muster::client {
namespace {

// The node keeps at most 1024 unacknowledged; twice as many means that it keeps no count.
constexpr std::size_t kMostWaiting = 2048;

}  // namespace

void Session::take_deliveries(std::uint64_t first, proto::Deliveries&& deliveries) {
    for (auto& delivery : deliveries.items) {
        take_stream_item(first++, std::move(delivery));
        if (state_ != State::attached) return;  // given up on the way
    }
}

void Session::take_stream_item(std::uint64_t seq, proto::StreamItem&& body) {
    // Of an earlier process: what the node does not send again, it was told to be handled.
    if (std::exchange(stream_goes_on_, false) && seq > last_taken_) last_taken_ = seq - 1;
    if (seq <= last_taken_) return;  // a repeat after a resume
    if (seq > last_taken_ + 1) return lost("something was lost on the way", false);
    if (waiting_.size() == kMostWaiting) return lost("it sends more than was agreed", false);
    last_taken_ = seq;
    waiting_.push_back({seq, std::move(body)});
    pass_on();
}

void Session::pass_on() {
    while (!waiting_.empty() && !must_wait(waiting_.front())) {
        auto item = std::move(waiting_.front());
        waiting_.pop_front();
        if (!pass(std::move(item))) return lost("it sent a snapshot without end", true);
    }
}

/// A delivery can overtake the answer of the join that made its member (a
/// visible one above all): only that answer says whose handler it is for. One for
/// a member of an earlier process waits until this one joins it, or it has left.
bool Session::must_wait(const StreamItem& item) {
    const auto* delivery = std::get_if<proto::Delivery>(&item.body);
    if (delivery == nullptr) return false;
    const auto& members = *delivery->members;
    if (!unclaimed_.empty() &&
        std::any_of(members.begin(), members.end(), [this](MemberNumber m) { return unclaimed_.has(m); }))
        return true;
    return !roster_.find(members).all_known && requests_.joining(delivery->notice->group);
}

/// False when the node is not sane.
bool Session::pass(StreamItem&& item) {
    Item out{number_, item.seq, {}};
    if (auto* delivery = std::get_if<proto::Delivery>(&item.body)) {
        const auto& targets = roster_.find(*delivery->members).targets;  // without those that have left meanwhile
        if (!targets->empty()) out.what = Deliver{std::move(delivery->notice), targets};
    } else if (const auto* gap = std::get_if<proto::Gap>(&item.body)) {
        out.what = Lost{gap->missed};
    } else {
        News news;
        const auto taken = watches_.take(std::move(std::get<proto::WatchNews>(item.body)), news);
        if (taken == Watches::Taken::too_large) return false;
        if (taken == Watches::Taken::event) out.what = std::move(news);
    }
    actions_.emplace_back(std::move(out));
    return true;
}

}  // namespace muster::client
