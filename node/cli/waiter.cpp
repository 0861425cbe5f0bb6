#include "node/cli/waiter.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

#include "node/cli/commands.hpp"

namespace muster::cli {

Waiter::Waiter() : done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGHUP);  // the terminal was closed
    ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    signals_ = ::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    // Without them the program would wait for ever and could only be killed.
    if (done_ < 0 || signals_ < 0) throw std::system_error(errno, std::generic_category(), "waiting for signals");
}

Waiter::~Waiter() {
    ::close(signals_);
    ::close(done_);
}

void Waiter::finish() const {
    ::eventfd_write(done_, 1);
}

Waiter::Outcome Waiter::wait(std::optional<double> seconds) {
    using Clock = std::chrono::steady_clock;
    constexpr double kLongest = 1e8;  // seconds; larger values overflow the clock
    const auto limit = std::chrono::duration<double>(std::min(seconds.value_or(kLongest), kLongest));
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
    std::array<pollfd, 3> fds{pollfd{signals_, POLLIN, 0}, {done_, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000)));
        if (fds[1].revents != 0) return Outcome::done;
        if (fds[0].revents != 0) return Outcome::signal;
        if (fds[2].revents != 0) return Outcome::unread;
        if (Clock::now() >= until) return Outcome::time_out;
    }
}

int Waiter::status_of(Outcome outcome) {
    if (outcome == Outcome::time_out) return kTimeout;
    return outcome == Outcome::unread ? kRefused : kDone;
}

}  // namespace muster::cli
