// Which notify calls of one worker's life a receiver has had. PROTOCOL.md, "Calls that outlive a node".
#pragma once

#include <array>
#include <cstdint>

#include "proto/messages/notices.hpp"

namespace muster::proto {

/// What a notification is to a receiver.
enum class Copy : std::uint8_t {
    fresh,
    had,   // the receiver has had it
    late,  // repeated, and the receiver has not had it, but later calls: it is lost, because it would break their order
};

/// Of one group. The notifications of calls come in their order, except when two nodes send the same ones, because the
/// notifier has gone from one to the other: then copies may come before what they repeat, or after.
class AcceptedCalls {
public:
    /// The last calls that are known one by one: more than a worker keeps to send again.
    static constexpr std::uint64_t kSeen = 2048;

    /// One for many members comes in parts with the same seq, which do not repeat each other.
    Copy accept(const Notice& notice) {
        const std::uint64_t call = notice.call;
        if (call == highest_ && notice.seq == seq_ && notice.from_node == from_node_) return Copy::fresh;
        if (call <= highest_ && has(call)) return Copy::had;
        if (call <= highest_ && notice.repeated) return highest_ - call < kSeen ? Copy::late : Copy::had;
        if (call > highest_) {
            forget_between(call);
            highest_ = call;
            seq_ = notice.seq;
            if (from_node_ != notice.from_node) from_node_ = notice.from_node;
        }
        if (highest_ - call < kSeen) word(call) |= bit(call);
        return Copy::fresh;
    }

private:
    static constexpr std::size_t kWords = kSeen / 64;

    static std::uint64_t bit(std::uint64_t call) { return std::uint64_t{1} << (call % 64); }
    std::uint64_t& word(std::uint64_t call) { return seen_[static_cast<std::size_t>(call / 64 % kWords)]; }
    [[nodiscard]] bool has(std::uint64_t call) const {
        return highest_ - call < kSeen && (seen_[static_cast<std::size_t>(call / 64 % kWords)] & bit(call)) != 0;
    }
    /// The calls above the highest, up to `next`, take the places of others.
    void forget_between(std::uint64_t next) {
        if (next - highest_ >= kSeen)
            seen_ = {};
        else
            for (std::uint64_t call = highest_ + 1; call <= next; ++call) word(call) &= ~bit(call);
    }

    std::uint64_t highest_ = 0;
    std::uint64_t seq_ = 0;  // of the notification that had the highest call
    NodeId from_node_;
    std::array<std::uint64_t, kWords> seen_{};  // by call modulo kSeen
};

}  // namespace muster::proto
