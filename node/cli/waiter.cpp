#include "node/cli/waiter.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "node/cli/commands.hpp"
#include "node/cli/output.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::cli {
namespace {

/// Without them the program would wait for ever and could only be killed.
int opened(int fd) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "waiting for signals");
    return fd;
}

bool is_writable(int fd) {
    pollfd writable{fd, POLLOUT, 0};
    return ::poll(&writable, 1, 0) > 0;
}

}  // namespace

Waiter::Waiter(const std::vector<int>& ending)
    : signals_(node::take_signals(ending)),
      done_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      timer_(opened(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK))),
      over_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))),
      bounding_([this] { bound_the_end(); }) {}

Waiter::~Waiter() {
    ::eventfd_write(over_, 1);
    finish();
    bounding_.join();
    for (const int fd : {signals_, done_, timer_, over_}) ::close(fd);
}

void Waiter::finish() const {
    ::eventfd_write(done_, 1);
}

void Waiter::expire_after(std::optional<double> seconds) const {
    if (!seconds) return;
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(*seconds);
    when.it_value.tv_nsec = std::max(1L, static_cast<long>((*seconds - std::floor(*seconds)) * 1e9));  // 0: never
    ::timerfd_settime(timer_, 0, &when, nullptr);
}

Waiter::Outcome Waiter::wait() const {
    std::array<pollfd, 4> fds{
        pollfd{done_, POLLIN, 0}, {signals_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}, {timer_, POLLIN, 0}};
    while (::poll(fds.data(), fds.size(), -1) <= 0) {
    }
    if (fds[0].revents != 0) return Outcome::done;
    if (fds[1].revents != 0) return Outcome::signal;
    return fds[2].revents != 0 ? Outcome::unread : Outcome::time_out;
}

int Waiter::status_of(Outcome outcome) {
    if (outcome == Outcome::time_out) return kTimeout;
    return outcome == Outcome::unread ? kRefused : kDone;
}

void Waiter::bound_the_end() const {
    const auto outcome = wait();
    pollfd over{over_, POLLIN, 0};
    if (::poll(&over, 1, static_cast<int>(std::chrono::milliseconds(kLastLines).count())) > 0) return;
    // Standard error may be the pipe that nobody reads.
    if (outcome != Outcome::unread && is_writable(STDERR_FILENO))
        complain(is_writable(STDOUT_FILENO) ? "ended before the node answered"
                                            : "nobody reads standard output: ended without the last lines");
    std::quick_exit(kRefused);  // a Terminal is restored
}

}  // namespace muster::cli
