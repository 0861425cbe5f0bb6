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
    loop_sleeps_ = false;
    if (!closed_) advance(std::move(body));
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
    loop_sleeps_ = true;
    // What came in since the outbox was taken is due now.
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
    if (!enter(lock)) return false;
    advance(std::move(body));
    release(lock);
    return true;
}

bool Engine::enter(Lock& lock) {
    room_.wait(lock, [this] { return closed_ || (outbox_.size() < kOutboxActions && outbox_bytes_ < kOutboxBytes); });
    return !closed_;
}

bool Engine::must_rouse() {
    if (!loop_sleeps_ || (outbox_.empty() && core_.next_deadline() >= sleeps_until_)) return false;
    loop_sleeps_ = false;
    return true;
}

void Engine::release(Lock& lock) {
    const bool rouse = must_rouse();
    std::vector<std::shared_ptr<Slot>> answered;
    answered.swap(answered_);
    lock.unlock();
    if (rouse) wakeup_->notify();
    for (const auto& slot : answered) slot->done.notify_one();
}

CallResult Engine::await(Lock& lock, cluster::CallId id, cluster::EventBody body, std::chrono::milliseconds patience) {
    const auto* notify = std::get_if<cluster::LocalNotify>(&body);
    const std::size_t data = notify == nullptr ? 0 : notify->data.msgpack.size();
    const std::size_t before = outbox_.size();
    calling_.emplace(id, std::nullopt);
    advance(std::move(body));
    auto result = std::move(calling_->second);
    calling_.reset();
    if (outbox_.size() > before) outbox_bytes_ += data * (outbox_.size() - before);
    if (result) return *std::move(result);

    const auto slot = std::make_shared<Slot>();
    waiting_.emplace(id, slot);
    release(lock);
    lock.lock();
    slot->done.wait_for(lock, patience, [&] { return slot->result.has_value(); });
    waiting_.erase(id);
    if (!slot->result) return Error{ErrorCode::timeout, "the node did not answer in time: see its log, or restart it"};
    return *std::move(slot->result);
}

Result<Engine::Joined> Engine::join(const cluster::LocalJoin& join, std::chrono::milliseconds patience) {
    Lock lock(mutex_);
    if (!enter(lock)) return *closed_;
    Joined joined;
    if (join.visible) {
        auto result = await(lock, join, patience);
        const auto* reply = std::get_if<proto::JoinReply>(&result);
        if (reply == nullptr) return std::get<Error>(std::move(result));
        joined = {reply->members.front(), reply->unseen};
    } else {
        auto run = core_.join(now(), join, fresh_);
        sort_out();
        if (!run) return run.error();
        joined.members = *run;
    }
    own_.add(join.group, join.handler, joined.members);
    release(lock);
    return joined;
}

Result<Engine::Left> Engine::leave(const Group& group, const OwnMembers::Wanted& wanted) {
    Lock lock(mutex_);
    if (!enter(lock)) return *closed_;
    auto taken = own_.take(group, wanted);
    if (taken.members.empty())
        return Error{ErrorCode::not_joined,
                     "nothing of this process is joined to " + group.store + "/" + group.feature + ": join it first"};
    auto left = core_.leave(now(), {{}, taken.owner, group, std::move(taken.members), 1}, fresh_);
    sort_out();
    release(lock);
    if (!left) return left.error();
    return Left{*std::move(left), std::move(taken.ended)};
}

void Engine::advance(cluster::EventBody body) {
    core_.step({now(), std::move(body)}, fresh_);
    sort_out();
}

void Engine::sort_out() {
    // What callers must see as soon as their call returns is performed here, under the lock. The loop performs the
    // rest.
    const Overloaded sort{
        [this](cluster::Answer& action) { answer(std::move(action)); },
        [this](cluster::GroupChanged& action) { views_.drop(action.group); },
        [this](cluster::IdentityChanged& action) {
            // Member ids contain the incarnation, so every view that has own members is out of date.
            views_.clear();
            incarnation_.store(action.self.incarnation.value, std::memory_order_release);
            outbox_.emplace_back(std::move(action));  // sockets use the identity, too
        },
        [this](auto& action) { outbox_.emplace_back(std::move(action)); },
    };
    for (auto& action : fresh_) std::visit(sort, action);
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
    loop_sleeps_ = false;
    wakeup_->notify();
}

std::optional<Error> Engine::why_closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

}  // namespace muster::node
