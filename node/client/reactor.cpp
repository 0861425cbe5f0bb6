#include "node/client/reactor.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "node/io/forks.hpp"
#include "node/io/shortage.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::client {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestSleep{1000};
constexpr milliseconds kNestedTurn{1};
constexpr std::size_t kEvents = 64;
constexpr std::uint64_t kWakeUp = 0;  // wakeup_; registrations are numbered from 1 on
constexpr int kMostSockets = 16384;

[[noreturn]] void refuse(int error) {
    throw std::system_error(error, std::generic_category(), "a worker's loop");
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
    try {
        if (!reactor) process.current = reactor = std::make_shared<Reactor>();
    } catch (const zmq::error_t& refused) {  // of a descriptor for the context
        refuse(refused.num());
    }
    return reactor;
}

bool Reactor::is_elsewhere() const {
    return forks_ != node::forks();
}

Reactor::Epoll::Epoll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) refuse(errno);
}

Reactor::Epoll::~Epoll() {
    ::close(fd_);
}

bool Reactor::Epoll::add(int fd, std::uint32_t events, std::uint64_t number) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    return ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

Reactor::Reactor() : forks_(node::forks()) {
    context_.set(zmq::ctxopt::max_sockets, std::min(kMostSockets, context_.get(zmq::ctxopt::socket_limit)));
    // The first socket starts the context's threads. If that fails libzmq ends the process, so we ask first.
    if (const int error = node::why_no_context()) refuse(error);
    try {
        const zmq::socket_t first(context_, zmq::socket_type::dealer);
    } catch (const zmq::error_t& refused) {
        refuse(refused.num());
    }
    if (!epoll_.add(wakeup_.fd(), EPOLLIN, kWakeUp)) refuse(errno);
    const node::SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
}

Reactor::~Reactor() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    wakeup_.notify();
    thread_.join();
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
    if (asleep) wakeup_.notify();
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
    return epoll_.add(fd, EPOLLET | (ready == Ready::to_read ? EPOLLIN : EPOLLOUT), registration.number_);
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
    const int count = ::epoll_wait(epoll_.fd(), events.data(), static_cast<int>(events.size()), timeout);
    for (int i = 0; i < count; ++i) {
        const std::uint64_t number = events.at(static_cast<std::size_t>(i)).data.u64;
        if (number == kWakeUp) {
            wakeup_.clear();
        } else if (const auto found = registrations_.find(number); found != registrations_.end()) {
            found->second->ready_ = true;
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
