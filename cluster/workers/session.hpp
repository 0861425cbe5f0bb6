// One worker's session: its stream of numbered items, and its requests, each
// done once. PROTOCOL.md, "The worker session".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/base/context.hpp"

namespace muster::cluster {

class Session {
public:
    Session(Context& context, SessionToken token, std::string worker, Sender sender)
        : ctx_(context), token_(token), worker_(std::move(worker)), sender_(std::move(sender)) {}

    [[nodiscard]] SessionToken token() const { return token_; }
    [[nodiscard]] const std::string& worker() const { return worker_; }
    /// Whose key it was made with: no other may resume it.
    [[nodiscard]] const Sender& sender() const { return sender_; }
    [[nodiscard]] bool is_attached() const { return static_cast<bool>(connection_); }
    [[nodiscard]] ConnectionId connection() const { return connection_; }
    [[nodiscard]] Instant lost_at() const { return lost_at_; }
    [[nodiscard]] Instant heard() const { return heard_; }
    /// Whether more is kept than the bounds allow. Gaps take no room, but no two that wait stand side by side.
    [[nodiscard]] bool is_over() const;
    /// Of the stream, not acknowledged.
    [[nodiscard]] std::size_t items() const { return stream_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// The worker is behind this connection now and has received the stream up to `received`.
    void attach(ConnectionId connection, std::uint64_t received);
    void detach();
    void hear() { heard_ = ctx_.now; }
    void excuse(Duration late) { heard_ = std::min(ctx_.now, heard_ + late); }

    /// What a fan-out is to be told of a Delivery.
    struct Awaited {
        FanOutId fan_out;
        std::uint64_t members = 0;  // of those in the Delivery
    };
    /// Appends to the stream. When it is full, Bounds::backlog_policy says which notifications become
    /// a Gap: the oldest not yet sent, or this one. False when that makes no room, or is not the policy.
    bool push(proto::StreamItem item, std::size_t size, Awaited awaited, std::vector<Outcome>& outcomes);
    /// So many deliveries to members of this worker were lost before they came here; told in their place.
    void lose(std::uint64_t members);
    /// The worker has handled the stream up to `received`.
    void acked(std::uint64_t received, std::vector<Outcome>& outcomes);
    /// Ends the stream: what was not acknowledged is missed.
    void close(std::vector<Outcome>& outcomes);

    /// Whether this request is to be carried out now; a repeated one is answered from memory, and one too many is
    /// refused.
    bool begin(std::uint64_t number, bool once);
    void reply(std::uint64_t number, proto::Body body);

    [[nodiscard]] bool wants_flush() const;
    /// Sends what of the stream may go now, deliveries many to a frame.
    void flush();
    /// Whether it is in the list of those to be flushed; its owner's affair.
    bool is_listed = false;
    void send(proto::Body body, std::uint64_t seq = 0);
    void heartbeat_if_quiet();

    // Watches by the number of their request.
    std::map<std::uint64_t, Group> watches;

private:
    struct Item {
        proto::StreamItem body;
        std::size_t size = 0;
        std::uint64_t members = 0;  // of a Delivery
        Awaited awaited;
        Instant since{};  // a Delivery is here
    };
    [[nodiscard]] bool is_full(std::size_t more) const;
    bool make_room(std::size_t size, bool for_delivery, std::vector<Outcome>& outcomes);
    bool drop_oldest(std::vector<Outcome>& outcomes);
    void make_gap(std::deque<Item>::iterator dropped);
    void count_sent(const Item& item);
    void send_deliveries();
    void drop(std::uint64_t members, Awaited awaited, std::vector<Outcome>& outcomes);

    Context& ctx_;
    SessionToken token_;
    std::string worker_;
    Sender sender_;
    ConnectionId connection_;
    Instant heard_{};
    Instant spoke_{};
    Instant lost_at_{};

    std::deque<Item> stream_;  // numbered acked_ + 1, …; those beyond highest_ may still change
    std::size_t gaps_ = 0;     // among them
    std::size_t bytes_ = 0;    // of all but gaps
    std::uint64_t acked_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t highest_ = 0;  // ever sent
    std::size_t in_flight_ = 0;  // bytes

    std::uint64_t last_request_ = 0;
    std::set<std::uint64_t> running_;
    struct Kept {
        proto::Body body;
        std::size_t size = 0;
    };
    void keep(std::uint64_t number, const proto::Body& body);
    std::map<std::uint64_t, Kept> answered_;  // of requests to be done once
    std::size_t answered_bytes_ = 0;
};

}  // namespace muster::cluster
