#include "node/engine/engine.hpp"

#include <type_traits>
#include <utility>

#include "node/io/clock.hpp"
#include "node/io/overloaded.hpp"

namespace muster::node {
namespace {

EngineNumber next_number() {
    static constinit std::atomic<std::uint64_t> last = 0;
    return EngineNumber{++last};
}

}  // namespace

Engine::Engine(cluster::Options options, std::shared_ptr<Wakeup> wakeup)
    : number_(next_number()),
      core_(std::move(options)),
      incarnation_(core_.self().incarnation.value),
      wakeup_(std::move(wakeup)) {}

void Engine::step(cluster::EventBody body) {
    Lock lock(mutex_);
    loop_sleeps_ = false;  // the loop runs this, so nobody needs to wake it
    if (!closed_) step_core(std::move(body));
    release(lock);
}

void Engine::take(cluster::Actions& actions) {
    const std::lock_guard lock(mutex_);
    loop_sleeps_ = false;
    std::swap(actions, outbox_);
    outbox_bytes_ = 0;
    if (!actions.empty()) room_.notify_all();
}

cluster::Instant Engine::deadline() {
    const std::lock_guard lock(mutex_);
    // Set before the loop sleeps: a caller that comes in between notifies the wakeup, and the loop's poll returns at
    // once.
    loop_sleeps_ = true;
    // Actions that arrived after take() are due now.
    sleeps_until_ = closed_ ? cluster::kNever : core_.next_deadline();
    if (!outbox_.empty()) sleeps_until_ = cluster::Instant::min();
    return sleeps_until_;
}

bool Engine::is_due() {
    const std::lock_guard lock(mutex_);
    loop_sleeps_ = false;
    return !closed_ && core_.next_deadline() <= now();
}

bool Engine::post(cluster::EventBody body) {
    Lock lock(mutex_);
    if (!wait_for_room(lock)) return false;
    step_core(std::move(body));
    release(lock);
    return true;
}

bool Engine::wait_for_room(Lock& lock) {
    room_.wait(lock, [this] { return closed_ || (outbox_.size() < kOutboxActions && outbox_bytes_ < kOutboxBytes); });
    return !closed_;
}

bool Engine::must_wake_loop() {
    if (!loop_sleeps_ || (outbox_.empty() && core_.next_deadline() >= sleeps_until_)) return false;
    loop_sleeps_ = false;  // one notify is enough, however many calls follow before the loop runs
    return true;
}

void Engine::release(Lock& lock) {
    const bool wake = must_wake_loop();
    std::vector<std::shared_ptr<WaitingCall>> answered;
    answered.swap(answered_);
    lock.unlock();
    if (wake) wakeup_->notify();
    for (const auto& waiting : answered) waiting->done.notify_one();
}

CallResult Engine::await(Lock& lock, cluster::CallId id, cluster::EventBody body, std::chrono::milliseconds patience) {
    const auto* notify = std::get_if<cluster::LocalNotify>(&body);
    const std::size_t data = notify == nullptr ? 0 : notify->data.msgpack.size();
    const std::size_t before = outbox_.size();
    // Most calls are answered within their own step. Only the others wait, which needs an allocation.
    current_call_.emplace(id, std::nullopt);
    step_core(std::move(body));
    auto result = std::move(current_call_->second);
    current_call_.reset();
    // An upper bound: every new action may hold the data of the notification.
    if (outbox_.size() > before) outbox_bytes_ += data * (outbox_.size() - before);
    if (result) return *std::move(result);

    const auto waiting = std::make_shared<WaitingCall>();
    waiting_.emplace(id, waiting);
    release(lock);
    lock.lock();
    waiting->done.wait_for(lock, patience, [&] { return waiting->result.has_value(); });
    waiting_.erase(id);
    if (!waiting->result)
        return Error{ErrorCode::timeout, "the node did not answer in time: read its log, or restart it"};
    return *std::move(waiting->result);
}

Result<Engine::Joined> Engine::join(const cluster::LocalJoin& join, std::chrono::milliseconds patience) {
    Lock lock(mutex_);
    if (!wait_for_room(lock)) return *closed_;
    auto joined = join_core(lock, join, patience);
    if (joined) own_.add(join.group, join.handler, joined->members);
    release(lock);
    return joined;
}

Result<Engine::Joined> Engine::join_core(Lock& lock, const cluster::LocalJoin& join,
                                         std::chrono::milliseconds patience) {
    if (join.visible) {
        auto result = await(lock, join, patience);
        const auto* reply = std::get_if<proto::JoinReply>(&result);
        if (reply == nullptr) return std::get<Error>(std::move(result));
        return Joined{reply->members.front(), reply->unseen};
    }
    const auto run = core_.join(now(), join, new_actions_);
    sort_new_actions();
    if (!run) return run.error();
    return Joined{*run, {}};
}

Result<Engine::Left> Engine::leave(const Group& group, const OwnMembers::Wanted& wanted) {
    Lock lock(mutex_);
    if (!wait_for_room(lock)) return *closed_;
    // own_ and the core agree because both change under this lock.
    auto taken = own_.take(group, wanted);
    if (taken.members.empty())
        return Error{ErrorCode::not_joined,
                     "this process has no member in " + group.store + "/" + group.feature + ": join the group first"};
    auto left = core_.leave(now(), {{}, taken.owner, group, std::move(taken.members), 1}, new_actions_);
    sort_new_actions();
    release(lock);
    if (!left) return left.error();
    return Left{*std::move(left), std::move(taken.ended)};
}

void Engine::step_core(cluster::EventBody body) {
    core_.step({now(), std::move(body)}, new_actions_);
    sort_new_actions();
}

void Engine::sort_new_actions() {
    // What callers must see as soon as their call returns is performed here, under the lock. The loop performs the
    // rest.
    const Overloaded sort{
        [this](cluster::Answer& action) { answer(std::move(action)); },
        [this](cluster::GroupChanged& action) { action.group ? views_.drop(*action.group) : views_.clear(); },
        [this](cluster::IdentityChanged& action) {
            // Member ids contain the incarnation, so every view that has own members is out of date.
            views_.clear();
            incarnation_.store(action.self.incarnation.value, std::memory_order_release);
            outbox_.emplace_back(std::move(action));  // sockets use the identity, too
        },
        [this](auto& action) { outbox_.emplace_back(std::move(action)); },
    };
    for (auto& action : new_actions_) std::visit(sort, action);
    new_actions_.clear();
    if (const bool ready = core_.is_ready(); ready != ready_.load(std::memory_order_relaxed)) {
        ready_.store(ready, std::memory_order_release);
        ready_changed_.notify_all();
    }
}

void Engine::answer(cluster::Answer answer) {
    if (current_call_ && current_call_->first == answer.call) {
        current_call_->second = std::move(answer.result);
    } else if (const auto found = waiting_.find(answer.call); found != waiting_.end()) {
        found->second->result = std::move(answer.result);
        answered_.push_back(found->second);
    }
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
    step_core(cluster::Shutdown{});
    closed_ = std::move(why);
    is_closed_.store(true, std::memory_order_release);
    views_.clear();
    for (const auto& [id, waiting] : waiting_) {
        waiting->result = *closed_;
        waiting->done.notify_one();
    }
    room_.notify_all();
    ready_changed_.notify_all();
    loop_sleeps_ = false;
    wakeup_->notify();
}

std::optional<Error> Engine::why_closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

}  // namespace muster::node
