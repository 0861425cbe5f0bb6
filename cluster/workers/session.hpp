// The state of one worker at its node: the stream of numbered items to it, and its numbered requests, each done once.
// Both outlive the connection for the grace period. PROTOCOL.md, "6. The worker session".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "cluster/base/context.hpp"
#include "cluster/base/tally.hpp"
#include "cluster/tables/watch_update.hpp"
#include "proto/ring.hpp"

namespace muster::cluster {

/// A part of an event for one watch. It is made of the update when it is sent, and cut where it would not fit a frame.
struct WatchPart {
    std::uint64_t watch = 0;
    std::shared_ptr<const WatchUpdate> update;
    WatchUpdate::Place from;
    WatchUpdate::Place to;
    bool last = true;  // of the event
};

/// What a session may keep of its watches however little memory is left, and as much for the changes during a snapshot.
/// Who is given up comes back and joins again, which is more work for all than these few bytes, which watchers share.
inline constexpr std::size_t kLeastForWatches = 16u << 10;

class Session {
public:
    using StreamItem = std::variant<proto::Delivery, proto::Gap, WatchPart>;

    /// `life`: of the worker's process; 0: an older worker.
    Session(Context& context, SessionToken token, std::string worker, std::uint64_t life, Sender sender,
            SharedShare share)
        : ctx_(context),
          token_(token),
          worker_(std::move(worker)),
          life_(life),
          sender_(std::move(sender)),
          share_(std::move(share)),
          place_(context.session_places, sessions_of(share_)),
          began_at_(context.now),
          items_(context.backlog_items),
          bytes_(context.memory, memory_of(share_), &context.backlog_bytes),
          answered_bytes_(context.memory, memory_of(share_)) {
        place_ += 1;
    }

    [[nodiscard]] SessionToken token() const { return token_; }
    [[nodiscard]] const std::string& worker() const { return worker_; }
    [[nodiscard]] std::uint64_t life() const { return life_; }
    [[nodiscard]] Instant began_at() const { return began_at_; }
    /// The key that the session was made with. Only this key may resume it.
    [[nodiscard]] const Sender& sender() const { return sender_; }
    /// What all sessions of this key use.
    [[nodiscard]] const SharedShare& share() const { return share_; }
    /// Whether the session has a connection. Without one, its grace period runs since lost_at().
    [[nodiscard]] bool is_attached() const { return static_cast<bool>(connection_); }
    [[nodiscard]] ConnectionId connection() const { return connection_; }
    [[nodiscard]] Instant lost_at() const { return lost_at_; }
    /// When the worker was last heard, later by the time that this node itself ran late (allow_for_lateness).
    [[nodiscard]] Instant heard_at() const { return heard_at_; }
    /// Whether more is kept than the bounds allow.
    [[nodiscard]] bool is_over() const;
    /// How many bytes on the wire the next part of a snapshot may have; 0: none now, because enough waits. However
    /// little memory is left, one small part may wait, so that each snapshot comes to its end.
    [[nodiscard]] std::size_t room_for_part() const;
    /// Whether Watches waits for room_for_part(): Sessions tells it then.
    bool waits_for_room = false;
    /// Items of the stream that are not acknowledged, and their bytes.
    [[nodiscard]] std::size_t items() const { return stream_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_.amount(); }
    [[nodiscard]] std::size_t memory() const { return bytes_.amount() + answered_bytes_.amount(); }

    /// Continues over this connection. The worker has received the stream up to `received`; the rest is sent again.
    void attach(ConnectionId connection, std::uint64_t received);
    /// The connection is lost.
    void detach();
    void mark_heard() { heard_at_ = ctx_.now; }
    /// This node ran late: time in which it did not read is no silence of the worker, nor a part of its grace period.
    void allow_for_lateness(Duration late) {
        heard_at_ = std::min(ctx_.now, heard_at_ + late);
        lost_at_ = std::min(ctx_.now, lost_at_ + late);
    }

    /// The awaited members of a Delivery (cluster/delivery/README.md).
    struct Awaited {
        FanOutId fan_out;
        std::uint64_t members = 0;
    };
    /// Appends an item to the stream. If the stream is full, Bounds::backlog_policy says which notifications become a
    /// Gap: the oldest that were not sent, or this one. Returns false if that makes no room or is not the policy: then
    /// the session must end. Appends the outcomes of dropped notifications to `outcomes`.
    bool push(StreamItem item, std::size_t size, Awaited awaited, std::vector<Outcome>& outcomes);
    /// The same for a notification that is replayed: without room it becomes a Gap.
    void replay(proto::Delivery delivery, std::size_t size, Awaited awaited, std::vector<Outcome>& outcomes);
    /// Deliveries to `members` members of this worker were lost on the way to this node, and with `at_least` perhaps
    /// more. A Gap takes their place.
    void lose(std::uint64_t members, bool at_least = false);
    /// The worker has handled the stream up to `received`. Notifications there count as delivered.
    void acked(std::uint64_t received, std::vector<Outcome>& outcomes);
    /// Whether to ask the worker now to go to another node. It is not asked twice within a second, nor while its stream
    /// has something that was not acknowledged, but not for longer than two seconds after the first call: what is in
    /// the stream of a node that has ended meanwhile, nobody else has.
    [[nodiscard]] bool may_ask_to_move();
    void ask_to_move(const std::string& to);
    /// It is not to be asked any more.
    void stay() { to_move_since_ = kNever; }
    // The worker's own notify calls.
    /// The call was made a notice with the number `seq`, or none, and those before it have lower numbers.
    void called(std::uint64_t call, std::uint64_t seq);
    /// All notices up to this number are where the death of this node does not lose them.
    void settle_up_to(std::uint64_t seq);
    /// Up to which call all are.
    [[nodiscard]] std::uint64_t settled_call() const { return settled_; }
    [[nodiscard]] bool has_unsettled_calls() const { return !calls_.empty(); }
    /// The lowest number of a notice of this node that the worker has not acknowledged; UINT64_MAX: none. The number
    /// may be too low.
    [[nodiscard]] std::uint64_t lowest_own_notice();
    /// Ends the stream: notifications that are not acknowledged are missed, for this reason.
    void close(MissReason why, std::vector<Outcome>& outcomes);

    /// Begins request `number`, and returns whether it is to be done now. A repeated request that must be done `once`
    /// is answered from memory, or ignored while the first is not answered. Beyond Bounds::requests_per_session a
    /// request is refused.
    bool begin(std::uint64_t number, bool once);
    void reply(std::uint64_t number, proto::Body body);

    [[nodiscard]] bool wants_flush() const;
    /// Sends the items that may be in flight now, as long as there is a budget of bytes, from which it takes what it
    /// sends. One Deliveries carries many notifications.
    void flush(std::size_t& budget);
    /// Whether Sessions has this session in its list of those to flush.
    bool is_listed = false;
    /// Sends a message, or drops it without a connection: what matters is sent again after the resume.
    void send(proto::Body body, std::uint64_t seq = 0);
    void heartbeat_if_quiet();

private:
    struct Item {
        StreamItem body;
        std::size_t size = 0;       // that counts for the backlog
        std::size_t wire_size = 0;  // that counts for what is in flight
        std::uint64_t members = 0;  // of a Delivery
        Awaited awaited;            // of a Delivery
        Instant since{};            // when the item was pushed
        bool is_piece = false;      // of an item that was cut, and not its end
        bool is_own = false;        // a notice of this node
    };
    struct KeptAnswer {
        proto::Body body;
        std::size_t size = 0;
    };

    /// The item with the next number. There must be one in stream_.
    [[nodiscard]] const Item& item_after(std::uint64_t number) const {
        return stream_[static_cast<std::size_t>(number - acked_)];
    }
    [[nodiscard]] bool is_full(std::size_t more, bool for_delivery) const;
    bool make_room(std::size_t size, bool for_delivery, std::vector<Outcome>& outcomes);
    bool drop_oldest(std::vector<Outcome>& outcomes);
    void make_gap(proto::Ring<Item>::iterator dropped, bool at_least = false);
    void count_sent(const Item& item);
    void send_watch_part();
    void cut(std::size_t at);
    void send_deliveries();
    void drop(std::uint64_t members, Awaited awaited, std::vector<Outcome>& outcomes);
    void keep_answer(std::uint64_t number, const proto::Body& body);

    Context& ctx_;
    SessionToken token_;
    std::string worker_;
    std::uint64_t life_ = 0;
    Sender sender_;
    SharedShare share_;
    Drawn place_;
    ConnectionId connection_;  // 0: lost
    Instant began_at_{};
    Instant to_move_since_ = kNever;
    Instant asked_to_move_at_ = kLongAgo;
    Instant heard_at_{};
    Instant spoke_at_{};
    Instant lost_at_{};

    proto::Ring<Item> stream_;  // numbered acked_ + 1, acked_ + 2, …; those above highest_ may still change
    std::size_t gaps_ = 0;      // Gaps in stream_
    std::size_t pieces_ = 0;    // pieces in stream_, which are in flight
    Tally items_;               // in stream_
    Drawn bytes_;               // of all items except Gaps
    std::uint64_t acked_ = 0;
    std::uint64_t sent_ = 0;     // on this connection
    std::uint64_t highest_ = 0;  // on any connection
    std::size_t in_flight_ = 0;  // bytes of the items acked_ + 1 … sent_

    std::size_t own_notices_ = 0;                                 // of this node, in stream_
    std::uint64_t lowest_own_ = 0;                                // as found last
    proto::Ring<std::pair<std::uint64_t, std::uint64_t>> calls_;  // call and seq, not settled
    std::uint64_t settled_ = 0;

    std::uint64_t last_request_ = 0;
    std::set<std::uint64_t> running_;               // requests to be done once that have no answer
    std::map<std::uint64_t, KeptAnswer> answered_;  // answers to requests to be done once
    Drawn answered_bytes_;
};

}  // namespace muster::cluster
