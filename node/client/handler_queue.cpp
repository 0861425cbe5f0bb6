#include "node/client/handler_queue.hpp"

#include <chrono>
#include <ctime>
#include <iterator>
#include <optional>
#include <utility>

#include "node/io/call_guarded.hpp"

namespace muster::client {
namespace {

// Progress is published in batches: waking the loop costs more than a quick handler takes.
constexpr std::size_t kProgressItems = 64;
constexpr auto kProgressPeriod = std::chrono::milliseconds(1);
constexpr std::chrono::milliseconds kBatchTime{1};

/// Some milliseconds late, and read for a tenth of what the exact time costs.
std::chrono::nanoseconds coarse_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

HandlerQueue::HandlerQueue(node::HandlerPool& pool, std::size_t capacity, Handlers handlers, std::function<void()> wake)
    : pool_(pool),
      capacity_(capacity),
      handlers_(std::move(handlers)),
      wake_(std::move(wake)),
      has_other_signals_(!(signals_ == pool.signals())) {}

void HandlerQueue::push(std::vector<Item>& items) {
    if (items.empty()) return;
    bool schedule = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return items.clear();
        queue_.insert(queue_.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
        schedule = !std::exchange(scheduled_, true);
    }
    items.clear();
    if (schedule) pool_.schedule(shared_from_this());
}

std::size_t HandlerQueue::size() const {
    const std::lock_guard lock(mutex_);
    return queue_.size() + in_batch_;
}

HandlerQueue::Progress HandlerQueue::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

void HandlerQueue::wait_until_idle(const WatchHandler& handler) {
    if (is_current()) return;
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ != &handler; });
}

void HandlerQueue::stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
}

void HandlerQueue::join() {
    if (is_current()) return;
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return !busy_; });
}

bool HandlerQueue::has_ended() const {
    const std::lock_guard lock(mutex_);
    return stopping_ && !busy_;
}

/// A slow handler yields to other workers' after each of its items.
bool HandlerQueue::run_batch() {
    if (!begin_batch()) return false;
    std::optional<node::ScopedSignalMask> of_user;
    if (has_other_signals_) of_user.emplace(signals_);
    const auto enough = std::chrono::steady_clock::now() + kBatchTime;
    while (next_ < batch_.size() && !stopping_) {
        const Item& item = batch_[next_++];
        handle(item);
        node::HandlerPool::call_ended();
        const bool is_last = next_ == batch_.size();
        done(item, is_last);
        if (!is_last && std::chrono::steady_clock::now() >= enough) break;
    }
    return end_batch();
}

/// False if there is nothing to run.
bool HandlerQueue::begin_batch() {
    const std::lock_guard lock(mutex_);
    busy_ = !stopping_ && (next_ < batch_.size() || !queue_.empty());
    if (!busy_) {
        scheduled_ = false;
        return false;
    }
    if (next_ < batch_.size()) return true;
    batch_.clear();
    next_ = 0;
    batch_.swap(queue_);
    in_batch_ = batch_.size();
    return true;
}

/// Whether there is more to run.
bool HandlerQueue::end_batch() {
    if (next_ == batch_.size()) batch_.clear(), next_ = 0;  // what handlers captured may be the last of its kind
    bool more = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) progress_ = handled_;
        busy_ = false;
        scheduled_ = more = !stopping_ && (next_ < batch_.size() || !queue_.empty());
        idle_.notify_all();
    }
    if (stopping_) wake_();
    return more;
}

void HandlerQueue::done(const Item& item, bool last) {
    if (item.seq != 0 && handlers_.on_handled) handlers_.on_handled(item.session, item.seq);
    if (item.seq != 0) handled_ = {item.session, item.seq};
    --in_batch_;
    const auto now = coarse_now();
    if (!last && ++unpublished_ < kProgressItems && now - published_at_ < kProgressPeriod) return;
    unpublished_ = 0;
    published_at_ = now;
    publish_progress();
    wake_();
}

void HandlerQueue::publish_progress() {
    const std::lock_guard lock(mutex_);
    progress_ = handled_;
}

bool HandlerQueue::set_running(const WatchHandler* handler) {
    const std::lock_guard lock(mutex_);
    if (handler != nullptr && handler->ended) return false;
    running_ = handler;
    if (handler == nullptr) idle_.notify_all();
    return true;
}

template <class Call>
void HandlerQueue::guard(const std::string& whose, const Call& call) const {
    node::call_guarded(call, [&](std::string_view what) {
        if (handlers_.on_exception) handlers_.on_exception(whose, what);
    });
}

void HandlerQueue::handle(const Deliver& deliver) {
    assign(notification_, *deliver.notice);
    for (const auto& [member, handler] : *deliver.targets) {
        notification_.members.assign(1, member);
        const auto& call = *handler;  // clang 14 captures no structured binding
        node::call_guarded([&] { call(notification_); },
                           [&](std::string_view what) {
                               if (handlers_.on_exception)
                                   handlers_.on_exception(node::handler_of(notification_.group), what);
                           });
    }
}

void HandlerQueue::handle(const Item& item) {
    if (const auto* deliver = std::get_if<Deliver>(&item.what)) {
        handle(*deliver);
    } else if (const auto* lost = std::get_if<Lost>(&item.what)) {
        if (handlers_.on_gap) guard("on_gap", [&] { handlers_.on_gap(*lost); });
    } else if (const auto* attachment = std::get_if<Attachment>(&item.what)) {
        if (handlers_.on_attachment)
            guard("on_attachment", [&] { handlers_.on_attachment(attachment->attached, attachment->text); });
    } else if (const auto* state = std::get_if<StateLost>(&item.what)) {
        if (handlers_.on_state_lost) guard("on_state_lost", [&] { handlers_.on_state_lost(state->text); });
    } else if (const auto* update = std::get_if<WatchUpdate>(&item.what)) {
        if (!update->handler->call || !set_running(update->handler.get())) return;
        guard("the handler of a watch", [&] { update->handler->call(update->event); });
        set_running(nullptr);
    }
}

}  // namespace muster::client
