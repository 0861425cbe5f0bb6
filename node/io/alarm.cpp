#include "node/io/alarm.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace muster::node {

Alarm::Alarm() : fd_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd_create");
}

Alarm::~Alarm() {
    ::close(fd_);
}

void Alarm::set(std::chrono::nanoseconds delay) noexcept {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(delay);
    itimerspec once{};
    once.it_value.tv_sec = static_cast<time_t>(seconds.count());
    once.it_value.tv_nsec = static_cast<decltype(once.it_value.tv_nsec)>((delay - seconds).count());
    ::timerfd_settime(fd_, 0, &once, nullptr);
}

void Alarm::clear() noexcept {
    const itimerspec never{};
    ::timerfd_settime(fd_, 0, &never, nullptr);
}

}  // namespace muster::node
