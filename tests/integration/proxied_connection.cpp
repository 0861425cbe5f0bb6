#include "tests/integration/proxied_connection.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace muster::test {
namespace {

constexpr std::size_t kMostQueued = 256 * 1024;  // bytes one direction may hold
constexpr std::size_t kRead = 64 * 1024;

bool is_only_busy(int error) {
    return error == EAGAIN || error == EINTR || error == ENOTCONN || error == EINPROGRESS;
}

}  // namespace

ProxiedConnection::ProxiedConnection(int epoll, std::uint64_t id, int accepted, int connecting)
    : epoll_(epoll), id_(id) {
    sides_[0].fd = accepted;
    sides_[1].fd = connecting;
    for (const std::size_t side : {0u, 1u}) {
        epoll_event event{};
        event.data.u64 = id_ * 2 + side;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, sides_[side].fd, &event);
    }
}

ProxiedConnection::~ProxiedConnection() {
    reset();
}

void ProxiedConnection::reset() {
    const linger at_once{1, 0};
    for (auto& side : sides_) {
        if (side.fd < 0) continue;
        ::setsockopt(side.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(std::exchange(side.fd, -1));
    }
}

void ProxiedConnection::delay(milliseconds by, Instant until) {
    delay_ = by;
    delay_until_ = until;
}

void ProxiedConnection::calm() {
    delay_until_ = {};
    for (auto& side : sides_) side.stalled_until = {};
}

void ProxiedConnection::handle(Instant now, std::size_t side, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) sides_[side].blocked = false;
    // Both of its directions have ended in order, and that is told without end: the rest is read in turns.
    if ((events & EPOLLHUP) != 0 && (events & EPOLLERR) == 0 && !may_read(now, side)) {
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, sides_[side].fd, nullptr);
        sides_[side].polled = false;
        return;
    }
    // Errors are reported whether asked for or not; who is stalled could not learn of them by reading.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && !may_read(now, side)) return reset();
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read_from(now, side);
}

void ProxiedConnection::turn(Instant now) {
    for (auto& side : sides_)
        if (side.stalled_until <= now) side.stalled_until = {};
    for (const std::size_t side : {0u, 1u})
        while (is_open() && !sides_[side].polled && may_read(now, side)) read_from(now, side);
    for (const std::size_t side : {0u, 1u})
        if (is_open()) write_to(now, side);
    for (const std::size_t side : {0u, 1u})
        if (is_open()) watch(now, side);
}

ProxiedConnection::Instant ProxiedConnection::next_turn() const {
    Instant next = Instant::max();
    for (const auto& side : sides_) {
        if (!side.to_write.empty() && !side.blocked) next = std::min(next, side.to_write.front().due);
        if (side.stalled_until != Instant{}) next = std::min(next, side.stalled_until);
        const Side& other = &side == &sides_[0] ? sides_[1] : sides_[0];
        const bool may_read_now = !side.ended && side.stalled_until == Instant{} && other.queued < kMostQueued;
        if (!side.polled && may_read_now) next = Instant::min();
    }
    return next;
}

bool ProxiedConnection::may_read(Instant now, std::size_t side) const {
    const Side& from = sides_[side];
    return !from.ended && now >= from.stalled_until && sides_[1 - side].queued < kMostQueued;
}

void ProxiedConnection::read_from(Instant now, std::size_t side) {
    if (!is_open() || !may_read(now, side)) return;
    Side& to = sides_[1 - side];
    thread_local std::array<char, kRead> buffer;
    const auto size = ::recv(sides_[side].fd, buffer.data(), buffer.size(), 0);
    if (size < 0) return is_only_busy(errno) ? void() : reset();
    if (size == 0) {
        sides_[side].ended = true;
        return;
    }
    to.queued += static_cast<std::size_t>(size);
    auto due = now < delay_until_ ? now + delay_ : now;
    if (!to.to_write.empty()) due = std::max(due, to.to_write.back().due);
    to.to_write.push_back({due, std::string(buffer.data(), static_cast<std::size_t>(size))});
}

void ProxiedConnection::write_to(Instant now, std::size_t side) {
    Side& to = sides_[side];
    write_some(now, to);
    if (!is_open() || !to.to_write.empty() || !sides_[1 - side].ended || to.told_end) return;
    to.told_end = true;
    ::shutdown(to.fd, SHUT_WR);
    if (sides_[1 - side].told_end)
        for (auto& each : sides_) ::close(std::exchange(each.fd, -1));
}

void ProxiedConnection::write_some(Instant now, Side& side) {
    while (!side.blocked && !side.to_write.empty() && side.to_write.front().due <= now) {
        Chunk& chunk = side.to_write.front();
        const auto size =
            ::send(side.fd, chunk.bytes.data() + chunk.written, chunk.bytes.size() - chunk.written, MSG_NOSIGNAL);
        if (size < 0 && !is_only_busy(errno)) return reset();
        if (size < 0) {
            side.blocked = true;
            return;
        }
        const auto written = static_cast<std::size_t>(size);
        chunk.written += written;
        side.queued -= written;
        bytes_ += written;
        if (chunk.written == chunk.bytes.size()) side.to_write.pop_front();
    }
}

void ProxiedConnection::watch(Instant now, std::size_t side) {
    Side& each = sides_[side];
    const std::uint32_t wanted = (may_read(now, side) ? EPOLLIN : 0u) | (each.blocked ? EPOLLOUT : 0u);
    if (wanted == each.watched || !each.polled) return;
    epoll_event event{};
    event.events = each.watched = wanted;
    event.data.u64 = id_ * 2 + side;
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, each.fd, &event);
}

}  // namespace muster::test
