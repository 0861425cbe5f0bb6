#include "cluster/workers/session.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/limits.hpp"
#include "proto/saturating.hpp"

namespace muster::cluster {
namespace {

constexpr std::size_t kInFlightItems = 1024;
constexpr std::size_t kInFlightBytes = 1u << 20;
constexpr std::size_t kLeastAnswerBytes = 32u << 10;
constexpr std::size_t kFewUnsent = 16;
constexpr std::size_t kMostLookedAt = 64;
constexpr Duration kPatienceToMove = std::chrono::seconds(2);
constexpr Duration kAskAgainToMove = std::chrono::seconds(1);
constexpr std::size_t kMostUnsettled = 8192;  // calls that are known one by one
constexpr std::size_t kSmallPart = 4096;      // of a snapshot, in bytes on the wire
constexpr std::size_t kPartOverhead = 64;     // of a part of a watch event, on the wire, approximately

/// The approximate size in memory.
std::size_t size_of(const proto::Body& body) {
    constexpr std::size_t kAnswer = 256;
    if (const auto* left = std::get_if<proto::LeaveReply>(&body))
        return kAnswer + left->members.size() * sizeof(MemberNumber);
    if (const auto* report = std::get_if<proto::NotifyReply>(&body))
        return kAnswer + report->report.missed.size() * sizeof(Missed);
    if (const auto* error = std::get_if<proto::ErrorReply>(&body)) return kAnswer + error->text.size();
    return kAnswer;
}

}  // namespace

void Session::attach(ConnectionId connection, std::uint64_t received) {
    connection_ = connection;
    heard_at_ = ctx_.now;
    // An impossible number counts as the last one acknowledged.
    if (received < acked_ || received > highest_) received = acked_;
    if (sent_ > received) ctx_.count("stream_items_resent", sent_ - received);
    sent_ = received;
    in_flight_ = 0;
    for (std::uint64_t number = acked_; number < sent_; ++number) in_flight_ += item_after(number).wire_size;
}

void Session::detach() {
    connection_ = {};
    lost_at_ = ctx_.now;
}

bool Session::is_full(std::size_t more, bool for_delivery) const {
    const Bounds& bounds = ctx_.options.bounds;
    if (stream_.size() - gaps_ - pieces_ >= bounds.backlog_items || bytes_.amount() + more > bounds.backlog_bytes)
        return true;
    return !bytes_.has_room(more) && (for_delivery || bytes_.amount() + more > kLeastForWatches);
}

bool Session::is_over() const {
    const Bounds& bounds = ctx_.options.bounds;
    return stream_.size() - gaps_ - pieces_ > bounds.backlog_items || bytes_.amount() > bounds.backlog_bytes ||
           gaps_ > 2 * (bounds.backlog_items + 1);  // unsent Gaps are never adjacent; sent ones keep their number
}

bool Session::push(StreamItem item, std::size_t size, Awaited awaited, std::vector<Outcome>& outcomes) {
    const auto* delivery = std::get_if<proto::Delivery>(&item);
    const std::uint64_t members = delivery ? delivery->members->size() : 0;
    if (!make_room(size, delivery != nullptr, outcomes)) {
        if (!delivery || ctx_.options.bounds.backlog_policy == OverflowPolicy::disconnect) return false;
        drop(members, awaited, outcomes);
        lose(members);
        return true;
    }
    bytes_ += size;
    const bool own = delivery && delivery->notice->from_node == ctx_.self;
    stream_.push_back({std::move(item), size, size, members, awaited, ctx_.now, false, own});
    own_notices_ += own ? 1 : 0;
    items_ = stream_.size();
    return true;
}

void Session::replay(proto::Delivery delivery, std::size_t size, Awaited awaited, std::vector<Outcome>& outcomes) {
    if (!is_full(size, true)) {
        (void)push(std::move(delivery), size, awaited, outcomes);
        return;
    }
    drop(delivery.members->size(), awaited, outcomes);
    lose(delivery.members->size());
}

bool Session::make_room(std::size_t size, bool for_delivery, std::vector<Outcome>& outcomes) {
    const OverflowPolicy policy = ctx_.options.bounds.backlog_policy;
    while (is_full(size, for_delivery)) {
        // Items of a watch must not be dropped. Notifications make room for them with both dropping policies, so that
        // the worker keeps its session.
        const bool may_drop =
            policy == OverflowPolicy::drop_oldest || (policy == OverflowPolicy::refuse_newest && !for_delivery);
        if (!may_drop || !drop_oldest(outcomes)) return false;
    }
    return true;
}

bool Session::drop_oldest(std::vector<Outcome>& outcomes) {
    // An item that has been sent keeps its number and its content.
    const auto unsent = stream_.begin() + static_cast<std::ptrdiff_t>(highest_ - acked_);
    const auto it = std::find_if(unsent, stream_.end(),
                                 [](const Item& item) { return std::holds_alternative<proto::Delivery>(item.body); });
    if (it == stream_.end()) return false;
    drop(it->members, it->awaited, outcomes);
    make_gap(it);
    return true;
}

/// Replaces an item by a Gap, and merges that with unsent Gaps next to it.
void Session::make_gap(proto::Ring<Item>::iterator dropped, bool at_least) {
    const auto unsent = stream_.begin() + static_cast<std::ptrdiff_t>(highest_ - acked_);
    const auto gap_at = [](auto it) { return std::get_if<proto::Gap>(&it->body); };
    bytes_ -= dropped->size;
    if (dropped->is_own) --own_notices_;
    *dropped = {proto::Gap{dropped->members, at_least}, 0, 0, 0, {}, {}};
    ++gaps_;
    auto at = dropped;
    if (at != unsent && gap_at(std::prev(at))) --at;
    while (std::next(at) != stream_.end() && gap_at(std::next(at))) {
        gap_at(at)->missed = proto::saturating_sum(gap_at(at)->missed, gap_at(std::next(at))->missed);
        gap_at(at)->at_least = gap_at(at)->at_least || gap_at(std::next(at))->at_least;
        at = std::prev(stream_.erase(std::next(at)));
        --gaps_;
    }
    items_ = stream_.size();
}

void Session::drop(std::uint64_t members, Awaited awaited, std::vector<Outcome>& outcomes) {
    ctx_.count("notifications_dropped", members);
    if (awaited.fan_out) outcomes.push_back({awaited.fan_out, awaited.members, MissReason::overflow});
}

void Session::lose(std::uint64_t members, bool at_least) {
    stream_.push_back({proto::Gap{}, 0, 0, members, {}, {}});
    make_gap(std::prev(stream_.end()), at_least);
}

void Session::acked(std::uint64_t received, std::vector<Outcome>& outcomes) {
    if (received > highest_) return ctx_.count("acks_of_unsent_stream");
    for (; acked_ < received; ++acked_) {
        const Item& item = stream_.front();
        if (item.awaited.fan_out) outcomes.push_back({item.awaited.fan_out, item.awaited.members, std::nullopt});
        bytes_ -= item.size;
        if (acked_ < sent_) in_flight_ -= item.wire_size;  // else it was sent on an earlier connection only
        if (std::holds_alternative<proto::Gap>(item.body)) --gaps_;
        if (item.is_piece) --pieces_;
        if (item.is_own) --own_notices_;
        if (std::holds_alternative<proto::Delivery>(item.body)) ctx_.durations.delivery.add(ctx_.now - item.since);
        stream_.pop_front();
    }
    sent_ = std::max(sent_, acked_);
    items_ = stream_.size();
}

bool Session::may_ask_to_move() {
    to_move_since_ = std::min(to_move_since_, ctx_.now);
    const bool has_patience = !stream_.empty() && ctx_.now - to_move_since_ < kPatienceToMove;
    return connection_ && !has_patience && ctx_.now - asked_to_move_at_ >= kAskAgainToMove;
}

void Session::ask_to_move(const std::string& to) {
    asked_to_move_at_ = ctx_.now;
    ctx_.count("workers_asked_to_move");
    send(proto::Move{to});
}

std::uint64_t Session::lowest_own_notice() {
    if (own_notices_ == 0) return UINT64_MAX;
    const auto end = stream_.begin() + static_cast<std::ptrdiff_t>(std::min(stream_.size(), kMostLookedAt));
    const auto found = std::find_if(stream_.begin(), end, [](const Item& item) { return item.is_own; });
    // Behind so many others it is not looked for: the last answer is too low, but not wrong.
    if (found != end) lowest_own_ = std::get<proto::Delivery>(found->body).notice->seq;
    return lowest_own_;
}

void Session::called(std::uint64_t call, std::uint64_t seq) {
    if (call == 0 || life_ == 0) return;
    if (calls_.size() < kMostUnsettled)
        calls_.push_back({call, seq});
    else
        calls_.back() = {call, seq};  // those between count as settled with it, later than they are
}

void Session::settle_up_to(std::uint64_t seq) {
    const std::uint64_t before = settled_;
    for (; !calls_.empty() && calls_.front().second <= seq; calls_.pop_front()) settled_ = calls_.front().first;
    if (settled_ > before) send(proto::NodeHeartbeat{settled_});
}

void Session::close(MissReason why, std::vector<Outcome>& outcomes) {
    std::uint64_t members = 0;
    for (const Item& item : stream_) {
        members = proto::saturating_sum(members, item.members);
        if (item.awaited.fan_out) outcomes.push_back({item.awaited.fan_out, item.awaited.members, why});
    }
    if (members > 0) ctx_.count("notifications_lost_with_workers", members);
    stream_.clear();
    own_notices_ = 0;
    items_ = 0;
    bytes_ -= bytes_.amount();
}

bool Session::begin(std::uint64_t number, bool once) {
    // Requests come in order, so a number that is not above the last is a repeat after a resume.
    if (number > last_request_) {
        last_request_ = number;
        if (!once) return true;
        running_.insert(number);
        if (running_.size() <= ctx_.options.bounds.requests_per_session) return true;
        ctx_.count("requests_refused");
        reply(number, proto::ErrorReply{ErrorCode::overloaded,
                                        "too many requests of this worker have no answer yet: wait for some"});
        return false;
    }
    if (!once) return true;
    ctx_.count("requests_repeated");
    if (const auto it = answered_.find(number); it != answered_.end())
        send(it->second.body, number);
    else if (!running_.contains(number))
        send(proto::ErrorReply{ErrorCode::refused,
                               "this request was done, but its answer is not kept any more: look up the present state"},
             number);
    return false;
}

void Session::reply(std::uint64_t number, proto::Body body) {
    if (running_.erase(number) > 0) keep_answer(number, body);
    send(std::move(body), number);
}

void Session::keep_answer(std::uint64_t number, const proto::Body& body) {
    const Bounds& bounds = ctx_.options.bounds;
    const std::size_t size = size_of(body);
    answered_[number] = {body, size};
    answered_bytes_ += size;
    // The last answer is kept whatever its size: its request is the likeliest to be repeated. Without memory, a few
    // small ones are: a worker that resumes repeats what was under way.
    const auto too_many = [&] {
        const std::size_t bytes = answered_bytes_.amount();
        return answered_.size() > bounds.answers_kept || bytes > bounds.answer_bytes_kept ||
               (bytes > kLeastAnswerBytes && !answered_bytes_.has_room(0));
    };
    while (answered_.size() > 1 && too_many()) {
        answered_bytes_ -= answered_.begin()->second.size;
        answered_.erase(answered_.begin());
    }
}

void Session::send(proto::Body body, std::uint64_t seq) {
    if (!connection_) return;
    spoke_at_ = ctx_.now;
    ctx_.emit(SendDoor{connection_, ctx_.message(std::move(body), seq)});
}

void Session::heartbeat_if_quiet() {
    if (connection_ && ctx_.now - spoke_at_ >= ctx_.options.session.probe) send(proto::NodeHeartbeat{settled_});
}

bool Session::wants_flush() const {
    // Use at most half of the backlog: items in flight cannot be dropped to make room.
    const Bounds& bounds = ctx_.options.bounds;
    return connection_ && sent_ - acked_ < stream_.size() &&
           sent_ - acked_ < std::min(kInFlightItems, (bounds.backlog_items + 1) / 2) &&
           in_flight_ < std::min(kInFlightBytes, bounds.backlog_bytes / 2);
}

std::size_t Session::room_for_part() const {
    const Bounds& bounds = ctx_.options.bounds;
    if (!connection_ || stream_.size() - (sent_ - acked_) >= kFewUnsent) return 0;
    const bool has_room = stream_.size() < bounds.backlog_items / 2 && bytes_.amount() < bounds.backlog_bytes / 2 &&
                          bytes_.has_room(bounds.chunk_bytes);
    if (has_room) return bounds.chunk_bytes;
    return stream_.empty() ? std::min(kSmallPart, bounds.chunk_bytes) : 0;
}

void Session::count_sent(const Item& item) {
    in_flight_ += item.wire_size;
    ++sent_;
    highest_ = std::max(highest_, sent_);
}

void Session::flush(std::size_t& budget) {
    while (wants_flush() && budget > 0) {
        const std::size_t before = in_flight_;
        const Item& item = item_after(sent_);
        if (std::holds_alternative<proto::Delivery>(item.body)) {
            send_deliveries();
        } else if (const auto* gap = std::get_if<proto::Gap>(&item.body)) {
            count_sent(item);
            send(*gap, sent_);
        } else {
            send_watch_part();
        }
        budget -= std::min(budget, in_flight_ - before + 1);
    }
}

void Session::send_watch_part() {
    if (sent_ == highest_) cut(static_cast<std::size_t>(sent_ - acked_));
    const Item& item = item_after(sent_);
    const auto& part = std::get<WatchPart>(item.body);
    count_sent(item);
    send(proto::WatchNews{part.watch, part.update->part(part.from, part.to), part.last}, sent_);
}

/// Puts as much of the event as fits one frame before the rest of it. Only of an item that was never sent: the others
/// keep their numbers.
void Session::cut(std::size_t at) {
    Item& rest = stream_[at];
    auto& part = std::get<WatchPart>(rest.body);
    std::size_t size = kPartOverhead;
    const auto end = part.update->cut(part.from, ctx_.options.bounds.chunk_bytes, size);
    if (end >= part.to) {
        rest.wire_size = size;
        return;
    }
    Item piece{WatchPart{part.watch, part.update, part.from, end, false}, 0, size, 0, {}, {}, true};
    part.from = end;
    ++pieces_;
    stream_.insert(stream_.begin() + static_cast<std::ptrdiff_t>(at), std::move(piece));
    items_ = stream_.size();
}

/// Sends the next notifications in one frame: as many as may be in flight and fit.
void Session::send_deliveries() {
    proto::Deliveries frame;
    const std::uint64_t first = sent_ + 1;
    for (std::size_t bytes = 0; wants_flush();) {
        const Item& item = item_after(sent_);
        const auto* delivery = std::get_if<proto::Delivery>(&item.body);
        bytes += item.wire_size;
        if (!delivery || (!frame.items.empty() && bytes > limits::kChunkBytes)) break;
        frame.items.push_back(*delivery);
        count_sent(item);
    }
    send(std::move(frame), first);
}

}  // namespace muster::cluster
