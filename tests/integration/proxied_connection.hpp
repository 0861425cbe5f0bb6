// One connection through a proxy: both sockets, and what is on its way between them.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace muster::test {

using std::chrono::milliseconds;
using ProxyClock = std::chrono::steady_clock;

/// Used by the proxy's thread alone. Sockets are non-blocking, watched by an epoll of the proxy.
class ProxiedConnection {
public:
    using Instant = ProxyClock::time_point;

    /// Takes over the accepted socket, and one that is being connected. Events of side s (0 the
    /// accepted one) carry `id * 2 + s`.
    ProxiedConnection(int epoll, std::uint64_t id, int accepted, int connecting);
    /// Resets it if it is still open.
    ~ProxiedConnection();
    ProxiedConnection(const ProxiedConnection&) = delete;
    ProxiedConnection& operator=(const ProxiedConnection&) = delete;

    void handle(Instant now, std::size_t side, std::uint32_t events);
    /// Does what has become due, and renews what epoll is asked for.
    void turn(Instant now);
    /// When `turn` is to be called again if nothing happens before.
    [[nodiscard]] Instant next_turn() const;

    /// Both ends get an RST.
    void reset();
    /// Nothing is read from that side until then, at least.
    void stall(std::size_t side, Instant until) {
        sides_[side].stalled_until = std::max(sides_[side].stalled_until, until);
    }
    /// Bytes read until then are handed on so much later.
    void delay(milliseconds by, Instant until);
    /// Stalls and delays end.
    void calm();

    [[nodiscard]] bool is_open() const { return sides_[0].fd >= 0; }
    /// Bytes handed on so far, both directions.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    struct Chunk {
        Instant due;
        std::string bytes;
        std::size_t written = 0;
    };
    struct Side {
        int fd = -1;
        std::uint32_t watched = 0;  // by epoll
        bool ended = false;         // it sends no more
        bool told_end = false;      // that the other side sends no more
        bool blocked = false;       // it takes no more for now
        bool polled = true;         // by epoll; else both of its directions have ended
        Instant stalled_until{};
        std::deque<Chunk> to_write;
        std::size_t queued = 0;  // bytes of to_write
    };

    void read_from(Instant now, std::size_t side);
    void write_to(Instant now, std::size_t side);
    void write_some(Instant now, Side& side);
    [[nodiscard]] bool may_read(Instant now, std::size_t side) const;
    void watch(Instant now, std::size_t side);

    const int epoll_;
    const std::uint64_t id_;
    std::array<Side, 2> sides_;
    milliseconds delay_{0};
    Instant delay_until_{};
    std::uint64_t bytes_ = 0;
};

}  // namespace muster::test
