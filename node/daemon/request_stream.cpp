#include "node/daemon/request_stream.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace muster::daemon {
namespace {

constexpr std::size_t kRequestBytes = 16 << 10;
constexpr auto kRequestTime = std::chrono::seconds(5);
constexpr auto kSilence = std::chrono::seconds(2);

}  // namespace

bool RequestStream::wait_for(short events, Clock::duration patience) const {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    pollfd item{socket_, events, 0};
    return wait > 0 && ::poll(&item, 1, static_cast<int>(wait)) > 0;
}

bool RequestStream::is_readable() const {
    if (at_ != end_) return true;
    return wait_for(POLLIN, std::min<Clock::duration>(kSilence, begun_ + kRequestTime - Clock::now()));
}

bool RequestStream::is_writable() const {
    char next = 0;
    return wait_for(POLLOUT, kSilence) && ::recv(socket_, &next, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

bool RequestStream::fill() {
    const std::size_t most = std::min(buffer_.size(), kRequestBytes - taken_);
    if (most == 0 || !is_readable()) return false;
    const auto size = ::recv(socket_, buffer_.data(), most, 0);
    at_ = 0;
    end_ = size > 0 ? static_cast<std::size_t>(size) : 0;
    taken_ += end_;
    return end_ != 0;
}

ssize_t RequestStream::read(char* to, std::size_t size) {
    if (at_ == end_ && !fill()) return -1;
    const std::size_t some = std::min(size, end_ - at_);
    std::memcpy(to, buffer_.data() + at_, some);
    at_ += some;
    return static_cast<ssize_t>(some);
}

ssize_t RequestStream::write(const char* from, std::size_t size) {
    return is_writable() ? ::send(socket_, from, size, MSG_NOSIGNAL) : -1;
}

}  // namespace muster::daemon
