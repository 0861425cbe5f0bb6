#include "node/client/handler_thread.hpp"

#include <chrono>
#include <ctime>
#include <iterator>
#include <utility>

#include "node/io/call_guarded.hpp"

namespace muster::client {
namespace {

// Progress is published in batches: waking the loop costs more than a quick handler takes.
constexpr std::size_t kProgressItems = 64;
constexpr auto kProgressPeriod = std::chrono::milliseconds(1);

/// Some milliseconds late, and read for a tenth of what the exact time costs.
std::chrono::nanoseconds coarse_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

HandlerThread::HandlerThread(std::size_t capacity, Handlers handlers, std::function<void()> wake)
    : capacity_(capacity), handlers_(std::move(handlers)), wake_(std::move(wake)) {}

void HandlerThread::start() {
    const node::SignalsBlocked blocked;
    thread_ = std::thread([self = shared_from_this()] {
        self->run();
        const std::lock_guard lock(self->mutex_);
        self->ended_ = true;
        self->wake_();
    });
    thread_id_ = thread_.get_id();
}

void HandlerThread::push(std::vector<Item>& items) {
    if (items.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return items.clear();
        queue_.insert(queue_.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
    }
    items.clear();
    filled_.notify_one();
}

std::size_t HandlerThread::size() const {
    const std::lock_guard lock(mutex_);
    return queue_.size() + in_batch_;
}

HandlerThread::Progress HandlerThread::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

bool HandlerThread::on_own_thread() const {
    return std::this_thread::get_id() == thread_id_;
}

void HandlerThread::wait_until_idle(const WatchHandler& handler) {
    if (on_own_thread()) return;
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return running_ != &handler; });
}

void HandlerThread::stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    filled_.notify_one();
}

void HandlerThread::join() {
    if (!thread_.joinable()) return;
    // A handler destroys its own worker. The thread shares this object, which so lives until the thread ends.
    if (on_own_thread()) {
        thread_.detach();
    } else {
        thread_.join();
    }
}

void HandlerThread::run() {
    std::vector<Item> batch;
    while (next_batch(batch)) {
        const node::ScopedSignalMask of_user(signals_);
        for (const Item& item : batch) {
            handle(item);
            done(item, &item == &batch.back());
            if (stopping_) return publish_progress();
        }
        batch.clear();
    }
}

bool HandlerThread::has_ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
}

bool HandlerThread::next_batch(std::vector<Item>& batch) {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return false;
    batch.swap(queue_);
    in_batch_ = batch.size();
    return true;
}

void HandlerThread::done(const Item& item, bool last) {
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

void HandlerThread::publish_progress() {
    const std::lock_guard lock(mutex_);
    progress_ = handled_;
}

bool HandlerThread::set_running(const WatchHandler* handler) {
    const std::lock_guard lock(mutex_);
    if (handler != nullptr && handler->ended) return false;
    running_ = handler;
    if (handler == nullptr) idle_.notify_all();
    return true;
}

template <class Call>
void HandlerThread::guard(const std::string& whose, const Call& call) const {
    node::call_guarded(call, [&](std::string_view what) {
        if (handlers_.on_exception) handlers_.on_exception(whose, what);
    });
}

void HandlerThread::handle(const Deliver& deliver) {
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

void HandlerThread::handle(const Item& item) {
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
