#include "node/engine.hpp"

#include <type_traits>
#include <utility>

#include "node/clock.hpp"

namespace muster::node {
namespace {

EngineNumber next_number() {
    static constinit std::atomic<std::uint64_t> last = 0;
    return EngineNumber{++last};
}

}  // namespace

Engine::Engine(cluster::Options options, std::shared_ptr<Wakeup> wakeup)
    : number_(next_number()), core_(std::move(options)), wakeup_(std::move(wakeup)) {}

void Engine::step(cluster::EventBody body) {
    const std::lock_guard lock(mutex_);
    if (!closed_) advance(std::move(body));
}

void Engine::take(cluster::Actions& actions) {
    const std::lock_guard lock(mutex_);
    std::swap(actions, outbox_);
    outbox_bytes_ = 0;
    roused_ = false;
    if (!actions.empty()) room_.notify_all();
}

cluster::Instant Engine::deadline() {
    const std::lock_guard lock(mutex_);
    roused_ = false;
    // What came in since the outbox was taken is due now.
    awake_until_ = closed_ ? cluster::kNever : core_.next_deadline();
    if (!outbox_.empty()) awake_until_ = cluster::Instant::min();
    return awake_until_;
}

bool Engine::is_due() const {
    const std::lock_guard lock(mutex_);
    return !closed_ && core_.next_deadline() <= now();
}

bool Engine::post(cluster::EventBody body) {
    std::unique_lock lock(mutex_);
    wait_for_room(lock);
    if (closed_) return false;
    advance(std::move(body));
    rouse();
    return true;
}

CallResult Engine::await(cluster::CallId id, cluster::EventBody body, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    wait_for_room(lock);
    if (closed_) return *closed_;
    const auto* notify = std::get_if<cluster::LocalNotify>(&body);
    const std::size_t data = notify == nullptr ? 0 : notify->data.msgpack.size();
    const std::size_t before = outbox_.size();
    calling_.emplace(id, std::nullopt);
    advance(std::move(body));
    auto result = std::move(calling_->second);
    calling_.reset();
    if (outbox_.size() > before) outbox_bytes_ += data * (outbox_.size() - before);
    rouse();
    if (result) return *std::move(result);

    Slot slot;
    waiting_.emplace(id, &slot);
    slot.done.wait_for(lock, patience, [&] { return slot.result.has_value(); });
    waiting_.erase(id);
    if (!slot.result) return Error{ErrorCode::timeout, "the node did not answer in time: see its log, or restart it"};
    return *std::move(slot.result);
}

void Engine::wait_for_room(std::unique_lock<std::mutex>& lock) {
    room_.wait(lock, [this] { return closed_ || (outbox_.size() < kOutboxActions && outbox_bytes_ < kOutboxBytes); });
}

void Engine::advance(cluster::EventBody body) {
    core_.step({now(), std::move(body)}, fresh_);
    for (auto& action : fresh_) {
        if (auto* answered = std::get_if<cluster::Answer>(&action)) {
            answer(std::move(*answered));
        } else if (const auto* changed = std::get_if<cluster::GroupChanged>(&action)) {
            views_.drop(changed->group);
        } else {
            // Member ids name the incarnation, so every view of own members is out of date.
            if (std::holds_alternative<cluster::IdentityChanged>(action)) views_.clear();
            outbox_.push_back(std::move(action));
        }
    }
    fresh_.clear();
    if (const bool ready = core_.is_ready(); ready != ready_.load(std::memory_order_relaxed)) {
        ready_.store(ready, std::memory_order_release);
        ready_changed_.notify_all();
    }
}

void Engine::answer(cluster::Answer answer) {
    if (calling_ && calling_->first == answer.call) {
        calling_->second = std::move(answer.result);
    } else if (const auto found = waiting_.find(answer.call); found != waiting_.end()) {
        found->second->result = std::move(answer.result);
        found->second->done.notify_one();
    }
}

void Engine::rouse() {
    if (roused_ || (outbox_.empty() && core_.next_deadline() >= awake_until_)) return;
    roused_ = true;
    wakeup_->notify();
}

Result<Members> Engine::look_up(const Group& group, std::uint64_t hash) {
    View view;
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return *closed_;
        view = views_.get(group);
        if (!view) view = views_.put(group, core_.members(group, false));
    }
    return ThreadViews::keep(number_, hash, view);
}

bool Engine::wait_ready(std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    ready_changed_.wait_for(lock, timeout, [this] { return closed_ || is_ready(); });
    return !closed_ && is_ready();
}

void Engine::close(Error why) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    advance(cluster::Shutdown{});
    closed_ = std::move(why);
    is_closed_.store(true, std::memory_order_release);
    views_.clear();
    for (const auto& [id, slot] : waiting_) {
        slot->result = *closed_;
        slot->done.notify_one();
    }
    room_.notify_all();
    ready_changed_.notify_all();
    roused_ = true;
    wakeup_->notify();
}

std::optional<Error> Engine::why_closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

}  // namespace muster::node
