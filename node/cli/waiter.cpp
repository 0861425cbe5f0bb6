#include "node/cli/waiter.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>

namespace muster::cli {

Waiter::Waiter() : done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    signals_ = ::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
}

Waiter::~Waiter() {
    ::close(signals_);
    ::close(done_);
}

void Waiter::finish() {
    ::eventfd_write(done_, 1);
}

Waiter::Outcome Waiter::wait(std::optional<double> seconds) {
    using Clock = std::chrono::steady_clock;
    constexpr double kLongest = 1e8;  // seconds; larger values overflow the clock
    const auto limit = std::chrono::duration<double>(std::min(seconds.value_or(kLongest), kLongest));
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
    std::array<pollfd, 2> fds{pollfd{signals_, POLLIN, 0}, pollfd{done_, POLLIN, 0}};
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
        ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000)));
        if (fds[1].revents != 0) return Outcome::done;
        if (fds[0].revents != 0) return Outcome::signal;
        if (Clock::now() >= until) return Outcome::time_out;
    }
}

}  // namespace muster::cli
