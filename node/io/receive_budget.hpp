// How much one turn of the loop receives.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "node/io/clock.hpp"

namespace muster::node {

/// Bounds messages, their bytes, and the processor time that receiving and stepping them takes. Neither number bounds a
/// turn alone: a message of 1 MiB takes a thousand times as long to decode as a small one, and a signed one takes some
/// 0.1 ms to check. One message may exceed any amount. libzmq takes turns between the connections of a socket: one that
/// sends much cannot hide what others send.
class ReceiveBudget {
public:
    struct Amount {
        std::size_t messages = 0;
        std::size_t bytes = 0;
        std::chrono::nanoseconds time{};
    };

    /// The time runs from now.
    explicit ReceiveBudget(const Amount& most)
        : most_(most),
          left_(most),
          end_(cpu_time() + most.time),
          end_by_clock_(now() + std::chrono::duration_cast<cluster::Duration>(most.time)) {}

    [[nodiscard]] bool is_spent() const { return left_.messages == 0 || left_.bytes == 0 || is_late_; }
    [[nodiscard]] std::size_t received() const { return most_.messages - left_.messages; }
    void spend(std::size_t message_bytes) { spend(1, message_bytes); }

    /// A budget of its own, with at most what is left here. To be given to spend() when it has been used.
    [[nodiscard]] ReceiveBudget part(const Amount& most) const {
        return ReceiveBudget({std::min(most.messages, left_.messages), std::min(most.bytes, left_.bytes),
                              std::min(most.time, end_ - cpu_time())});
    }
    void spend(const ReceiveBudget& part) { spend(part.received(), part.most_.bytes - part.left_.bytes); }

private:
    void spend(std::size_t messages, std::size_t bytes) {
        left_.messages -= std::min(left_.messages, messages);
        left_.bytes -= std::min(left_.bytes, bytes);
        // The processor's clock costs as much as a quick message, the other one a tenth. It runs as fast or faster.
        is_late_ = now() >= end_by_clock_ && cpu_time() >= end_;
    }

    Amount most_;
    Amount left_;
    std::chrono::nanoseconds end_;
    cluster::Instant end_by_clock_;
    bool is_late_ = false;
};

}  // namespace muster::node
