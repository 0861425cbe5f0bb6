#include "node/io/name_service.hpp"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "node/io/address.hpp"
#include "node/io/forks.hpp"
#include "node/io/signals_blocked.hpp"

namespace muster::node {
namespace {

using std::chrono::steady_clock;

constexpr auto kSlow = std::chrono::seconds(1);   // a look-up that takes longer
constexpr auto kIdle = std::chrono::seconds(10);  // after which a thread without work ends

}  // namespace

void NameListener::wake() {
    const std::lock_guard lock(mutex_);
    if (wake_) wake_();
}

void NameListener::close() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
}

NameService& NameService::of_process() {
    struct Owned {
        unsigned forks;
        NameService service{resolve};
    };
    static std::atomic<Owned*> current{nullptr};
    Owned* found = current.load();
    while (found == nullptr || found->forks != forks()) {
        // The child of a fork has none of the threads, and a mutex that may be locked for ever: it makes a new one.
        auto* fresh = new Owned{forks()};
        if (current.compare_exchange_strong(found, fresh))
            found = fresh;
        else
            delete fresh;
    }
    return found->service;
}

NameService::Answer NameService::known(const std::string& host) {
    const std::lock_guard lock(mutex_);
    const Name* name = find_or_add(host);
    if (name == nullptr) return {};
    Answer answer = name->answer;
    answer.pending = name->is_asked;
    return answer;
}

bool NameService::look_up(const std::string& host, const std::shared_ptr<NameListener>& listener) {
    const std::lock_guard lock(mutex_);
    Name* name = find_or_add(host);
    if (name == nullptr) return false;
    auto& listeners = name->listeners;
    std::erase_if(listeners, [](const auto& one) { return one.expired(); });
    if (std::none_of(listeners.begin(), listeners.end(), [&](const auto& one) { return one.lock() == listener; }))
        listeners.push_back(listener);
    if (name->is_asked) return true;
    const bool needs_thread = asked_.size() + slow_.size() >= idle_ && threads_ < kMaxThreads;
    if (needs_thread && !start_thread() && threads_ == 0) return false;
    name->is_asked = true;
    (name->is_slow ? slow_ : asked_).push_back(host);
    work_.notify_one();
    return true;
}

/// Makes room for a new name by dropping the one that was not used for the longest time.
NameService::Name* NameService::find_or_add(const std::string& host) {
    auto found = names_.find(host);
    if (found == names_.end()) {
        if (names_.size() >= kMaxNames) {
            auto oldest = names_.end();
            for (auto one = names_.begin(); one != names_.end(); ++one)
                if (!one->second.is_asked && (oldest == names_.end() || one->second.used < oldest->second.used))
                    oldest = one;
            if (oldest == names_.end()) return nullptr;
            names_.erase(oldest);
        }
        found = names_.try_emplace(host).first;
    }
    found->second.used = steady_clock::now();
    return &found->second;
}

bool NameService::start_thread() {
    try {
        const SignalsBlocked blocked;
        std::thread([this] { run(); }).detach();
    } catch (const std::system_error&) {
        return false;
    }
    ++threads_;
    return true;
}

void NameService::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        const bool found = work_.wait_for(lock, kIdle, [this] { return has_work(); });
        --idle_;
        if (!found) break;
        look_up_next(lock);
    }
    --threads_;
}

bool NameService::has_work() const {
    return !asked_.empty() || (!slow_.empty() && slow_running_ < kMaxSlow);
}

void NameService::look_up_next(std::unique_lock<std::mutex>& lock) {
    const bool is_slow = asked_.empty();
    auto& queue = is_slow ? slow_ : asked_;
    const std::string host = std::move(queue.front());
    queue.pop_front();
    slow_running_ += is_slow ? 1 : 0;
    lock.unlock();
    const auto began = steady_clock::now();
    auto hosts = look_up_(host);
    const auto ended = steady_clock::now();
    lock.lock();
    slow_running_ -= is_slow ? 1 : 0;
    if (is_slow) work_.notify_one();
    Name& name = names_.at(host);  // kept, because it was asked for
    name.is_asked = false;
    name.is_slow = hosts.empty() || ended - began > kSlow;
    name.answer.failed = hosts.empty();
    ++name.answer.ended;
    name.answer.ended_at = ended;
    if (!hosts.empty()) name.answer.hosts = std::move(hosts);
    const auto listeners = std::exchange(name.listeners, {});
    lock.unlock();
    for (const auto& one : listeners)
        if (const auto listener = one.lock()) listener->wake();
    lock.lock();
}

std::vector<std::string> resolve_within(const std::string& host, std::chrono::milliseconds patience) {
    if (is_numeric(host)) return {host};
    struct Ended {
        std::mutex mutex;
        std::condition_variable changed;
        bool yes = false;
    };
    const auto ended = std::make_shared<Ended>();
    const auto listener = std::make_shared<NameListener>([ended] {
        const std::lock_guard lock(ended->mutex);
        ended->yes = true;
        ended->changed.notify_all();
    });
    auto& service = NameService::of_process();
    if (service.look_up(host, listener)) {
        std::unique_lock lock(ended->mutex);
        ended->changed.wait_for(lock, patience, [&] { return ended->yes; });
    }
    return service.known(host).hosts;
}

}  // namespace muster::node
