// Answers to the pulls of others: deltas and snapshots, in pieces. PROTOCOL.md, "Replication" and "Snapshots".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/membership/peers.hpp"
#include "cluster/replication/snapshot.hpp"

namespace muster::cluster {

/// One answer for each asker and origin: a repeated pull replaces the answer that is under way. Askers take turns, one
/// frame each, and all together get Bounds::repair_bytes_per_turn.
///
/// An asker gets at most Bounds::answer_window bytes that it is not known to have taken. Only a Pong shows that: its
/// nonce cannot be guessed, and the Ping comes after the frames. An acknowledged chunk or a higher position in a pull
/// does not show it, because an asker that reads nothing can claim both.
///
/// An answer is dropped if nothing of it could be sent for five seconds, or if its table has been replaced or
/// forgotten. The asker then pulls again.
class PullAnswers {
public:
    PullAnswers(Context& context, Peers& peers)
        : ctx_(context), peers_(peers), nonces_(mix64(context.options.random_seed)) {}

    /// Begins the deltas after `have`, which the log of `table` must cover.
    void begin_deltas(const std::shared_ptr<const Replica>& table, Seq have, const std::string& to);
    /// Begins a snapshot of `table`.
    void begin_snapshot(const std::shared_ptr<const Replica>& table, const std::string& to);
    /// Takes an acknowledgement. The chunks for which its window now has room are sent with the next flush.
    void acked(const proto::SnapshotAck& ack, const std::string& from);
    /// An asker answers a Ping: it has taken what was sent before that.
    void ponged(const std::string& from, std::uint64_t nonce);
    void on(const Transition& transition);
    /// Drops answers that are stalled, and asks again what was not answered.
    void tick();
    /// Drops all. The askers pull again.
    void clear() { askers_.clear(); }

    [[nodiscard]] bool wants_flush() const { return due_; }
    /// Sends a turn's part.
    void flush();

    [[nodiscard]] std::optional<std::string> over_bounds() const;

private:
    struct Answer {
        std::weak_ptr<const Replica> table;  // expires when the table is replaced or forgotten
        Seq next;                            // the deltas from here to `end` are still to be sent
        Seq end;
        std::optional<SnapshotSender> snapshot;  // instead of deltas
        Instant last_progress{};
    };
    struct Asker {
        NodeId id;
        std::map<std::string, Answer> answers;  // by origin
        std::size_t untaken = 0;                // bytes sent that are not known to be taken
        std::size_t last_frame = 0;             // of these, the latest frame
        std::uint64_t nonce = 0;                // of the Ping that is not answered, or 0
        std::size_t asked = 0;                  // what was untaken when it was sent
        Instant asked_at{};
    };
    Answer* begin(const std::shared_ptr<const Replica>& table, const std::string& to);
    [[nodiscard]] bool may_send(const Asker& asker) const;
    /// Sends one frame. Returns its size; 0 if there is nothing to send now.
    std::size_t send_frame(Asker& asker, const std::string& to);
    std::size_t send_deltas(const Replica& table, Answer& answer, const std::string& to);
    std::size_t send_chunk(const Replica& table, Answer& answer, const std::string& to);
    void ping(Asker& asker, const std::string& to);
    void ping_if_much_is_untaken(Asker& asker, const std::string& to);
    [[nodiscard]] std::size_t snapshots() const;

    Context& ctx_;
    Peers& peers_;
    std::uint64_t nonces_;  // of the latest nonce, without Options::secret
    std::map<std::string, Asker> askers_;
    std::string last_served_;
    bool due_ = false;  // something can be sent
};

}  // namespace muster::cluster
