#include "node/client/reactor.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "node/io/forks.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestSleep{1000};
constexpr milliseconds kNestedTurn{1};
constexpr std::size_t kEvents = 64;
constexpr std::uint64_t kWakeUp = 0;  // wake_fd_; registrations are numbered from 1 on
constexpr int kMostSockets = 16384;

int checked(int fd) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "a worker's loop");
    return fd;
}

int add_to(int epoll_fd, int fd, std::uint32_t events, std::uint64_t number) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    return ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/// What all threads of this process share.
struct Shared {
    std::mutex mutex;
    std::weak_ptr<Reactor> current;
};

Shared& of_process() {
    static Shared shared;
    // The lock is held across the fork, so that the child never finds it held by a thread that it does not have.
    static const int registered = ::pthread_atfork([] { shared.mutex.lock(); }, [] { shared.mutex.unlock(); },
                                                   [] {
                                                       shared.current.reset();
                                                       shared.mutex.unlock();
                                                   });
    static_cast<void>(registered);
    return shared;
}

}  // namespace

std::shared_ptr<Reactor> Reactor::shared() {
    Shared& process = of_process();
    const std::lock_guard lock(process.mutex);
    auto reactor = process.current.lock();
    if (!reactor) process.current = reactor = std::make_shared<Reactor>();
    return reactor;
}

bool Reactor::is_elsewhere() const {
    return forks_ != node::forks();
}

Reactor::Reactor() : forks_(node::forks()), epoll_fd_(checked(::epoll_create1(EPOLL_CLOEXEC))) {
    context_.set(zmq::ctxopt::max_sockets, std::min(kMostSockets, context_.get(zmq::ctxopt::socket_limit)));
    wake_fd_ = checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    checked(add_to(epoll_fd_, wake_fd_, EPOLLIN, kWakeUp));
    const node::SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
}

Reactor::~Reactor() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    ::eventfd_write(wake_fd_, 1);
    thread_.join();
    ::close(wake_fd_);
    ::close(epoll_fd_);
}

void Reactor::add(const std::shared_ptr<Registration>& registration) {
    {
        const std::lock_guard lock(mutex_);
        registration->number_ = ++last_number_;
    }
    wake(registration);
}

void Reactor::wake(const std::shared_ptr<Registration>& registration) {
    if (registration->woken_.exchange(true)) return;
    bool asleep = false;
    {
        const std::lock_guard lock(mutex_);
        woken_.push_back(registration);
        asleep = std::exchange(asleep_, false);
    }
    if (asleep) ::eventfd_write(wake_fd_, 1);
}

void Reactor::wait_until_ended(const std::shared_ptr<Registration>& registration) {
    Lock lock(mutex_);
    while (!registration->ended_ && std::this_thread::get_id() == thread_.get_id()) {
        lock.unlock();
        run_turn(registration);
        std::this_thread::sleep_for(kNestedTurn);
        lock.lock();
    }
    ended_.wait(lock, [&] { return registration->ended_; });
}

bool Reactor::listen(const Registration& registration, int fd, Ready ready) const {
    // Edge-triggered: a worker that does not read because its inbox is full must not keep the thread busy.
    return add_to(epoll_fd_, fd, EPOLLET | (ready == Ready::to_read ? EPOLLIN : EPOLLOUT), registration.number_) == 0;
}

// ---- the thread ------------------------------------------------------------------

void Reactor::run() {
    while (collect_woken()) {
        collect_ready(turns_.empty() ? timeout() : 0);
        collect_due();
        for (const auto& registration : turns_) run_turn(registration);
        turns_.clear();
    }
}

int Reactor::timeout() const {
    if (timers_.empty()) return static_cast<int>(kLongestSleep.count());
    const auto left = timers_.begin()->first - std::chrono::steady_clock::now();
    // Rounded up: a turn that comes too early would only be repeated.
    return static_cast<int>(
        std::chrono::ceil<milliseconds>(std::clamp<Duration>(left, Duration{}, kLongestSleep)).count());
}

/// False if the reactor is to end.
bool Reactor::collect_woken() {
    const std::lock_guard lock(mutex_);
    for (const auto& registration : woken_) collect(registration);
    woken_.clear();
    asleep_ = turns_.empty();
    return !stopped_;
}

void Reactor::collect_ready(int timeout) {
    std::array<epoll_event, kEvents> events{};
    const int count = ::epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < count; ++i) {
        const std::uint64_t number = events.at(static_cast<std::size_t>(i)).data.u64;
        if (number == kWakeUp) {
            eventfd_t ignored = 0;
            ::eventfd_read(wake_fd_, &ignored);
        } else if (const auto found = registrations_.find(number); found != registrations_.end()) {
            collect(found->second);
        }
    }
}

void Reactor::collect_due() {
    const auto now = std::chrono::steady_clock::now();
    for (auto timer = timers_.begin(); timer != timers_.end() && timer->first <= now; ++timer) collect(timer->second);
}

void Reactor::collect(const std::shared_ptr<Registration>& registration) {
    if (!std::exchange(registration->collected_, true)) turns_.push_back(registration);
}

void Reactor::run_turn(const std::shared_ptr<Registration>& registration) {
    registration->collected_ = false;
    registration->woken_ = false;
    if (registration->ended_) return;
    const auto next = registration->task_->turn();
    set_timer(registration, next);
    if (next) {
        registrations_.try_emplace(registration->number_, registration);
        return;
    }
    registrations_.erase(registration->number_);
    const std::lock_guard lock(mutex_);
    registration->ended_ = true;
    ended_.notify_all();
}

void Reactor::set_timer(const std::shared_ptr<Registration>& registration, std::optional<Instant> due) {
    if (registration->timer_ && due == (*registration->timer_)->first) return;
    if (registration->timer_) timers_.erase(*registration->timer_);
    registration->timer_.reset();
    if (due) registration->timer_ = timers_.emplace(*due, registration);
}

}  // namespace muster::client
