#include "node/io/resolver.hpp"

#include <algorithm>
#include <thread>

#include "node/io/address.hpp"

namespace muster::node {

Resolver::Resolver(std::shared_ptr<Wakeup> wakeup) {
    state_->wakeup = std::move(wakeup);
}

Resolver::~Resolver() {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    state_->work.notify_all();
}

bool Resolver::ask(const std::string& address) {
    const std::lock_guard lock(state_->mutex);
    auto& asked = state_->asked;
    if (state_->resolving == address || std::find(asked.begin(), asked.end(), address) != asked.end()) return true;
    if (asked.size() >= kMaxNames) return false;
    asked.push_back(address);
    // Detached, because getaddrinfo() can take half a minute and cannot be interrupted. The thread owns all that it
    // uses.
    if (!std::exchange(state_->started, true)) std::thread([state = state_] { run(*state); }).detach();
    state_->work.notify_one();
    return true;
}

std::vector<Resolver::Found> Resolver::take() {
    const std::lock_guard lock(state_->mutex);
    return std::exchange(state_->found, {});
}

void Resolver::run(State& state) {
    std::unique_lock lock(state.mutex);
    for (;;) {
        state.work.wait(lock, [&] { return state.stopped || !state.asked.empty(); });
        if (state.stopped) return;
        state.resolving = std::move(state.asked.front());
        state.asked.pop_front();
        Found found{state.resolving, {}};
        lock.unlock();
        if (const auto address = parse_address(found.address))
            for (const auto& host : resolve(address->host)) found.numeric.push_back(with_port(host, address->port));
        lock.lock();
        state.resolving.clear();
        if (state.stopped) return;
        state.found.push_back(std::move(found));
        state.wakeup->notify();
    }
}

}  // namespace muster::node
