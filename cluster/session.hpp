// One worker's session: its stream of numbered items, and its requests, each
// done once. PROTOCOL.md, "The worker session".
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/context.hpp"

namespace muster::cluster {

class Session {
public:
    Session(Context& context, SessionToken token, std::string worker)
        : ctx_(context), token_(token), worker_(std::move(worker)) {}

    [[nodiscard]] SessionToken token() const { return token_; }
    [[nodiscard]] const std::string& worker() const { return worker_; }
    [[nodiscard]] bool is_attached() const { return static_cast<bool>(route_); }
    [[nodiscard]] Route route() const { return route_; }
    [[nodiscard]] Instant lost_at() const { return lost_at_; }
    [[nodiscard]] Instant heard() const { return heard_; }
    [[nodiscard]] std::size_t items() const { return stream_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    /// The worker is behind this route now and has received the stream up to `received`.
    void attach(Route route, std::uint64_t received);
    void detach();
    void hear() { heard_ = ctx_.now; }
    void excuse(Duration late) { heard_ = std::min(ctx_.now, heard_ + late); }

    /// Appends to the stream. When it is full, the oldest notifications not yet
    /// sent make room and become a Gap; false when there is none left to drop.
    bool push(proto::Body item, std::size_t size, FanOut fan_out, std::vector<Outcome>& outcomes);
    /// The worker has handled the stream up to `received`.
    void acked(std::uint64_t received, std::vector<Outcome>& outcomes);
    /// Ends the stream: what was not acknowledged is missed.
    void close(std::vector<Outcome>& outcomes);

    /// Whether this request is to be carried out now; a repeated one is answered from memory.
    bool begin(std::uint64_t number, bool once);
    void reply(std::uint64_t number, proto::Body body);

    [[nodiscard]] bool wants_flush() const;
    /// Sends what of the stream may go now.
    void flush();
    void send(proto::Body body, std::uint64_t seq = 0);
    void heartbeat_if_quiet();

    // Watches by the number of their request.
    std::map<std::uint64_t, Group> watches;

private:
    struct Item {
        proto::Body body;
        std::size_t size = 0;
        FanOut fan_out;
        std::uint64_t members = 0;  // of a Delivery
    };
    [[nodiscard]] bool is_full(std::size_t more) const;
    bool drop_oldest(std::vector<Outcome>& outcomes);

    Context& ctx_;
    SessionToken token_;
    std::string worker_;
    Route route_;
    Instant heard_{};
    Instant spoke_{};
    Instant lost_at_{};

    std::deque<Item> stream_;  // numbered acked_ + 1, …; those beyond sent_ may still change
    std::size_t bytes_ = 0;
    std::uint64_t acked_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t highest_ = 0;  // ever sent
    std::size_t in_flight_ = 0;  // bytes

    std::uint64_t last_request_ = 0;
    std::set<std::uint64_t> running_;
    std::map<std::uint64_t, proto::Body> answered_;  // of requests to be done once
};

}  // namespace muster::cluster
